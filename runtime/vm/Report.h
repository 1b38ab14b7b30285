// Results in words: what the hospital reads when it asked for no file.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "runtime/vm/ResultWords.h"

namespace sd {

// A line for each output of a record, which begins with `heading`.
std::string describeRecord(const Program &program, const ResultWords &words, std::span<const Tensor<float>> outputs,
                           const std::string &heading);

// Whether a record's output, or all of them, are valid (ClearPart.h).
bool isValid(std::span<const float> output);

// An error of kind Invalid that names the records, from 0, whose outputs are not valid.
Expected<void> checkValid(std::span<const std::uint64_t> invalid);

} // namespace sd
