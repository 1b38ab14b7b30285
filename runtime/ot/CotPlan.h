// Which extension makes how many correlated OTs: chosen from public sizes alone, so that both parties choose alike; and
// what it costs, exactly as the transport counts it.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/ot/LpnParameters.h"

namespace sd {

// Where a direction stands between two requests.
struct CotState {
  int set = -1;                // of kLpnSets, -1 before the first silent extension
  std::uint64_t freeTrees = 0; // of the current run that don't belong to the refill
  std::uint64_t buffered = 0;  // made and not yet taken
  bool operator==(const CotState &) const = default;
};

struct CotStep {
  enum Kind : std::uint8_t {
    SoftSpoken, // make `count` OTs
    Trees,      // make those of `count` trees of the current set
    Refill,     // make those of the run's last `count` trees, and load them as the next run's inputs
    Load,       // the OTs made `forTable` so far become the inputs of the first run of `set`
  };
  Kind kind;
  bool forTable; // not for the caller
  int set;
  std::uint64_t count;
};

struct CotPlan {
  std::vector<CotStep> steps;
  CotState after; // buffered: what is left once the request is served
};

// How to make at least `n` OTs from `state`, without what is buffered there.
CotPlan planCots(const CotState &state, std::uint64_t n);

// Both directions of one stream, frame headers included. "Sender" and "receiver" are the roles in the OT.
struct CotCost {
  std::uint64_t bytesFromSender = 0, bytesFromReceiver = 0;
  std::uint64_t messagesFromSender = 0, messagesFromReceiver = 0;
  std::uint64_t nanoseconds = 0; // a rough estimate of the slower party's work on one core
  CotCost &operator+=(const CotCost &other);
  std::uint64_t bytes() const { return bytesFromSender + bytesFromReceiver; }
  bool operator==(const CotCost &) const = default;
};

CotCost costOf(const CotPlan &plan);

// Set-up by base transfers, or out of the opposite direction's OTs (of which it takes kBaseTransfers).
CotCost cotSetupCost();
CotCost cotReverseSetupCost();

// Trees whose corrections travel in one message.
constexpr std::uint64_t treesPerMessage(const LpnParameters &set) { return 32768 >> set.depth; }

} // namespace sd
