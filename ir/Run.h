// A module as the interpreter sees it.
#pragma once

#include "ir/Module.h"
#include "ir/core/Interpreter.h"

namespace sd {

ProgramView viewOf(const Module &module); // points into the module

} // namespace sd
