#pragma once

#include "ir/core/MachineProfile.h"

namespace sd {

// The figures of this machine, in CPU time of one thread, the least of several runs, so that other work on the machine
// does not matter much. How many cores the parties are worth together is not measured.
MachineProfile measureMachine();

} // namespace sd
