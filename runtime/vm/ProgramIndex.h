// What the machine looks up while it walks a program.
#pragma once

#include <limits>

#include "runtime/offline/Plan.h"

namespace sd {

struct ProgramIndex {
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

  std::vector<std::uint32_t> entryOf;          // by instruction: index into Plan::entries, or kNone
  std::vector<std::uint32_t> weightOf;         // by slot: index into WeightSet::tensors, or kNone
  std::vector<std::vector<SlotId>> lastUsedIn; // by group: slots whose last reader is in it

  ProgramIndex(const Program &program, const Plan &plan);
};

} // namespace sd
