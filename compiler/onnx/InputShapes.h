// The sizes that a model's inputs have in the program: its own, or what the user gives in place of dynamic ones.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "compiler/onnx/Import.h"

namespace onnx {
class GraphProto;
class ValueInfoProto;
} // namespace onnx

namespace sd {

struct InputShape {
  Shape shape;
  std::optional<std::int64_t> batchAxis; // of the model's batch, where that is dynamic
};

class InputShapes {
public:
  // Error: options.shapes that fit no input, or each other.
  static Expected<InputShapes> read(const onnx::GraphProto &graph, const ImportOptions &options);

  // Error: a tensor without shape, or a dynamic axis that has no size.
  Expected<InputShape> of(const onnx::ValueInfoProto &info) const;

private:
  std::map<std::string, Shape> shapes_;                      // by input
  std::map<std::string, std::int64_t, std::less<>> symbols_; // sizes of the model's named axes
  std::string batchSymbol_;                                  // of the first dynamic first axis, or ""
  std::int64_t batch_ = 1;
};

// "1x3xHxW": an input's shape as its declaration has it, to be filled in.
std::string declaredShape(const onnx::ValueInfoProto &info);

} // namespace sd
