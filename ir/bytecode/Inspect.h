// A program for people, and for other programs: what it does, what it costs, and what each party learns from it.
#pragma once

#include <string>

#include "ir/bytecode/Reader.h"

namespace sd {

// Both contain the same and depend on the program alone: inputs with their ranges, what the hospital does in the clear
// before and after the secure part, the ops by group, messages, bytes online and offline, OTs, multiply-adds, memory.
// Errors are those of costOf().
Expected<std::string> inspectText(const LoadedProgram &loaded);
Expected<std::string> inspectJson(const LoadedProgram &loaded); // indented, with a final newline

// A value of an attribute as the text form shows it; long lists and tensors are abbreviated.
std::string toString(const AttrValue &value);

} // namespace sd
