// Weights, from a file that has to be the service's alone.
#pragma once

#include <functional>

#include "ir/bytecode/Reader.h"

namespace sd {

// Errors: there is none, others may change it, or it is damaged or another program's. That others may read it is told
// to `warn`.
template <RingWord R>
Expected<WeightSet<R>> readPrivateWeights(const std::string &path, const LoadedProgram &program,
                                          const std::function<void(std::string_view)> &warn);

} // namespace sd
