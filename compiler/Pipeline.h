// The order of a compilation.
#pragma once

#include "passes/Pass.h"

namespace sd {

// Every pass that `sdc compile` runs, in order.
const std::vector<const Pass *> &defaultPipeline();

} // namespace sd
