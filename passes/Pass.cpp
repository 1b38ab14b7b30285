#include "passes/Pass.h"

#include <algorithm>

namespace sd {

namespace {
constexpr Pass kPasses[] = {
#define SD_PASS(function, name, summary) {name, summary, function},
#include "passes/Passes.def"
#undef SD_PASS
};
} // namespace

std::span<const Pass> allPasses() { return kPasses; }

const Pass *findPass(std::string_view name) {
  auto *it = std::ranges::find(kPasses, name, &Pass::name);
  return it == std::end(kPasses) ? nullptr : it;
}

} // namespace sd
