// A program for people, and for other programs: what it does, what it costs, and what each party learns from it.
#pragma once

#include <string>

#include "ir/bytecode/Reader.h"
#include "ir/core/ProtocolCost.h"

namespace sd {

// A network that times are predicted for.
struct NamedNetwork {
  std::string name;
  NetworkProfile profile;
};
inline std::vector<NamedNetwork> lanAndWan() {
  return {{"lan", NetworkProfile::lan()}, {"wan", NetworkProfile::wan()}};
}

// Both contain the same and depend on the program alone: inputs with their ranges, what the hospital does in the clear
// before and after the secure part, the ops by group, messages, bytes online and offline, OTs, multiply-adds, memory,
// and predicted seconds on each of the networks. Errors are those of costOf().
Expected<std::string> inspectText(const LoadedProgram &loaded, std::span<const NamedNetwork> networks);
// Indented, with a final newline.
Expected<std::string> inspectJson(const LoadedProgram &loaded, std::span<const NamedNetwork> networks);

// A value of an attribute as the text form shows it; long lists and tensors are abbreviated.
std::string toString(const AttrValue &value);

} // namespace sd
