// A model's file as a checked ModelProto: what any importer of ONNX may rely on. The exceptions of ONNX and Protobuf
// end here, and their logs are silenced.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <unordered_map>

#include "compiler/onnx/ExternalData.h"
#include "compiler/onnx/Fold.h"

namespace onnx {
class ModelProto;
class TensorProto;
} // namespace onnx

namespace sd {

inline constexpr int kLeastOpset = 1, kGreatestOpset = 24; // OnnxOps.def says more, for each op
inline constexpr int kGreatestMlOpset = 5;                 // of ai.onnx.ml

struct LoadedModel {
  LoadedModel();
  ~LoadedModel();
  LoadedModel(LoadedModel &&) noexcept;

  std::unique_ptr<onnx::ModelProto> proto; // has a graph
  int opset = 0;                           // of the default domain; 0: the model uses the other alone
  std::int64_t mlOpset = 0;                // of ai.onnx.ml; 0: not imported
  ExternalData external;
  std::shared_ptr<FoldMemo> folded;

  // An initializer's value, read when it is first asked for; the tensor then loses its bytes.
  Expected<Value> weight(onnx::TensorProto &tensor);

private:
  std::unordered_map<std::string, Value> weights_;
};

// A `.onnx` file (Protobuf), or `.onnxtext` (ONNX's own text form).
Expected<LoadedModel> loadOnnx(const std::filesystem::path &path);
Expected<LoadedModel> loadOnnxBytes(std::span<const std::byte> bytes); // Protobuf
Expected<LoadedModel> loadOnnxText(const std::string &text);

} // namespace sd
