// OnnxOps.def as data.
#pragma once

#include <string_view>

#include "compiler/onnx/Emitter.h"
#include "compiler/onnx/Node.h"

namespace sd {

using OnnxHandler = Expected<void> (*)(Node &, Emitter &);

inline constexpr std::string_view kMicrosoftDomain = "com.microsoft", kMlDomain = "ai.onnx.ml";

struct OnnxOp {
  std::string_view name;
  std::string_view domain; // "": the default one
  int since, until;        // opsets; until 0: no end
  std::size_t minInputs, maxInputs;
  OnnxHandler handler;
};

std::span<const OnnxOp> allOnnxOps();
const OnnxOp *findOnnxOp(std::string_view domain, std::string_view name); // null if it is not imported
// What could be done about an op that is not imported.
std::string_view adviceFor(std::string_view name);
// The same for one of a domain that is not ONNX's own.
std::string_view adviceFor(std::string_view domain, std::string_view name);

} // namespace sd
