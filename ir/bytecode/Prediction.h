// How long an inference will take: from the program's cost, a network's profile and a machine's. Arithmetic alone, the
// same on every machine; docs/benchmarks.md holds it against measurements.
#pragma once

#include "ir/bytecode/ProgramCost.h"
#include "ir/core/MachineProfile.h"

namespace sd {

struct Seconds {
  double online = 0, offline = 0;
  bool operator==(const Seconds &) const = default;
};

// Two parties without a dealer, in a session that has been set up. The link carries both directions at once; a message
// of n bytes arrives half a round trip after its last byte has left.
struct Prediction {
  std::vector<Seconds> instructions; // by how much each one delays the end
  double sharedOffline = 0;          // round trips of the offline phase, which all layers share
  double setUp = 0;                  // once a session, besides
  double online = 0, offline = 0;    // sums of the above, without set-up

  double whole() const { return online + offline; }
};

// What the OT extension sends for each of the `ots` OTs of an inference, about: runtime/ot/CotPlan.h has it to the
// byte, which depends on what a session asked for before.
struct ExtensionCost {
  double bitsFromReceiver = 0, bitsFromSender = 0;
  bool silent = false;
};
ExtensionCost extensionCost(std::uint64_t ots);

// `cost` is costOf(program).
Prediction predict(const Program &program, const ProgramCost &cost, const NetworkProfile &network,
                   const MachineProfile &machine = MachineProfile::twoCores());

} // namespace sd
