// OnnxOps.def as data.
#pragma once

#include <string_view>

#include "compiler/onnx/Emitter.h"
#include "compiler/onnx/Node.h"

namespace sd {

using OnnxHandler = Expected<void> (*)(Node &, Emitter &);

struct OnnxOp {
  std::string_view name;
  int since, until; // opsets; until 0: no end
  std::size_t minInputs, maxInputs;
  OnnxHandler handler;
};

std::span<const OnnxOp> allOnnxOps();
const OnnxOp *findOnnxOp(std::string_view name); // null if it is not imported
// What could be done about an op that is not imported.
std::string_view adviceFor(std::string_view name);

} // namespace sd
