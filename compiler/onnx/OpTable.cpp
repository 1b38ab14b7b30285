#include "compiler/onnx/OpTable.h"

#include <algorithm>

#include "compiler/onnx/Handlers.h"

namespace sd {
namespace {

constexpr OnnxOp kOps[] = {
#define SD_ONNX(name, since, until, least, most, handler) {#name, "", since, until, least, most, handler},
#define SD_ONNX_ML(name, since, until, least, most, handler) {#name, kMlDomain, since, until, least, most, handler},
#define SD_ONNX_MS(name, least, most, handler) {#name, kMicrosoftDomain, 1, 0, least, most, handler},
#define SD_ONNX_ADVICE(name, advice)
#include "compiler/onnx/OnnxOps.def"
#undef SD_ONNX
#undef SD_ONNX_ML
#undef SD_ONNX_MS
#undef SD_ONNX_ADVICE
};

struct Advice {
  std::string_view name, advice;
};
constexpr Advice kAdvice[] = {
#define SD_ONNX(name, since, until, least, most, handler)
#define SD_ONNX_ML(name, since, until, least, most, handler)
#define SD_ONNX_MS(name, least, most, handler)
#define SD_ONNX_ADVICE(name, advice) {#name, advice},
#include "compiler/onnx/OnnxOps.def"
#undef SD_ONNX
#undef SD_ONNX_ML
#undef SD_ONNX_MS
#undef SD_ONNX_ADVICE
};

} // namespace

std::span<const OnnxOp> allOnnxOps() { return kOps; }

const OnnxOp *findOnnxOp(std::string_view domain, std::string_view name) {
  const auto *found =
      std::ranges::find_if(kOps, [&](const OnnxOp &op) { return op.domain == domain && op.name == name; });
  return found == std::end(kOps) ? nullptr : found;
}

std::string_view adviceFor(std::string_view name) {
  const auto *found = std::ranges::find(kAdvice, name, &Advice::name);
  return found == std::end(kAdvice) ? "rewrite the model with supported ops (docs/onnx.md lists them)" : found->advice;
}

std::string_view adviceFor(std::string_view domain, std::string_view name) {
  if (domain != "com.microsoft" && domain != "com.microsoft.nchwc")
    return "export the model with standard ONNX ops, or with its own ops as functions of the model";
  const bool isQuantised = name.starts_with("Q") || name.starts_with("DynamicQuantize") || name.ends_with("Integer") ||
                           name.ends_with("NBits") || name.ends_with("Bnb4") || name.starts_with("Dequantize");
  return isQuantised ? "quantise the float model in the QDQ form (onnxruntime: quantize_static with "
                       "quant_format=QuantFormat.QDQ), or give the float model: the compiler quantises it itself"
                     : "onnxruntime's optimiser wrote it; give the model from before the optimisation (as the exporter "
                       "wrote it, or saved with ORT_DISABLE_ALL)";
}

} // namespace sd
