// Results in words: what the hospital reads when it asked for no file.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ir/bytecode/Program.h"

namespace sd {

// A line or two for each output of a record: the likeliest class and all scores (probabilities behind a softmax) of a
// short vector, the classes of an argmax or argtopk, the values otherwise; "no valid result" for NaN. `number` is the
// record's, from 1, or 0 if there is but one. `classes` names them, or is empty.
std::string describeRecord(const Program &program, std::span<const Tensor<float>> outputs, std::uint64_t number,
                           const std::vector<std::string> &classes);

// Whether a record's output, or all of them, are valid (ClearPart.h).
bool isValid(std::span<const float> output);

// An error of kind Invalid that names the records, from 0, whose outputs are not valid.
Expected<void> checkValid(std::span<const std::uint64_t> invalid);

// An error if the program names classes, but not as many as there are `classes`.
Expected<void> checkClasses(const Program &program, const std::vector<std::string> &classes);

} // namespace sd
