#include "compiler/onnx/OpTable.h"

#include <algorithm>

#include "compiler/onnx/Handlers.h"

namespace sd {
namespace {

constexpr OnnxOp kOps[] = {
#define SD_ONNX(name, since, until, least, most, handler) {#name, "", since, until, least, most, handler},
#define SD_ONNX_ML(name, since, until, least, most, handler) {#name, kMlDomain, since, until, least, most, handler},
#define SD_ONNX_ADVICE(name, advice)
#include "compiler/onnx/OnnxOps.def"
#undef SD_ONNX
#undef SD_ONNX_ML
#undef SD_ONNX_ADVICE
};

struct Advice {
  std::string_view name, advice;
};
constexpr Advice kAdvice[] = {
#define SD_ONNX(name, since, until, least, most, handler)
#define SD_ONNX_ML(name, since, until, least, most, handler)
#define SD_ONNX_ADVICE(name, advice) {#name, advice},
#include "compiler/onnx/OnnxOps.def"
#undef SD_ONNX
#undef SD_ONNX_ML
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

} // namespace sd
