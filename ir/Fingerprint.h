// What the elements of a module's values are made of: a number each, equal where the same ops made them of the same
// numbers, and (but for a chance of 2^-32) only there. Two runs on other inputs tell what an element depends on, far
// cheaper than the values would be: weights and positions within a window are mixed in, not multiplied.
#pragma once

#include <functional>
#include <map>
#include <optional>

#include "ir/Module.h"

namespace sd {

using Fingerprints = Tensor<std::uint32_t>;

// Of each output of a module at nn level, given those of its inputs; none if an op is of another level. `seen`, if any,
// is shown each op but the constants, with its result.
std::optional<std::vector<Fingerprints>>
fingerprints(const Module &module, const std::map<std::string, Fingerprints> &inputs,
             const std::function<void(const Op &, const Fingerprints &)> &seen = {});

std::uint32_t mixed(std::uint32_t a, std::uint32_t b); // of two numbers, in this order

} // namespace sd
