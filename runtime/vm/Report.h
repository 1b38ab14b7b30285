// Results in words: what the hospital reads when it asked for no file.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "ir/bytecode/Program.h"

namespace sd {

// A line or two for each output of each record: the likeliest class and all scores (probabilities behind a softmax) of
// a short vector, the classes of an argmax or argtopk, the values otherwise; "no valid result" for NaN. `classes` names
// them, or is empty.
std::string describe(const Program &program, std::span<const std::vector<Tensor<float>>> records,
                     const std::vector<std::string> &classes);

// An error that names the records whose outputs are not valid (ClearPart.h).
Expected<void> checkValid(std::span<const std::vector<Tensor<float>>> records);

// An error if the program names classes, but not as many as there are `classes`.
Expected<void> checkClasses(const Program &program, const std::vector<std::string> &classes);

} // namespace sd
