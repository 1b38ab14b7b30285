// What one interactive op costs in the ring of `ringBits` bits, from its public parameters alone: the message chart,
// the correlations, the OTs. The compiler chooses schedules by it, the runtime lays out its messages by it, and tests
// compare it with the transport's counters: they are equal, to the byte.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/core/CompareTree.h"
#include "ir/core/DotPacking.h"
#include "ir/core/Error.h"
#include "ir/core/MachineProfile.h"

namespace sd {

// t of a truncation; a comparison has at least one bit left.
constexpr int maxTruncation(int ringBits) { return ringBits - 8; }

struct ProtocolCost {
  // Bits an element of message k; the service P0 sends the even ones, the hospital P1 the odd ones. 0: not sent.
  // An op's part of a message is padded to whole bytes once, behind its last element.
  std::vector<std::uint32_t> messageBits;
  std::uint64_t firstElements = 0; // of message 0, if not the result's

  // Offline, two parties, per element: bits beside those of the OT extension itself, and the correlated OTs.
  std::uint32_t offlineBitsToP0 = 0, offlineBitsToP1 = 0;
  std::uint32_t ots = 0;        // P0 receives
  std::uint32_t reverseOts = 0; // P1 receives

  // Messages in turn, P1's first, that the correlations of a whole network take, however large: 1, or 3 for products of
  // three or four masks, 5 for those of five.
  int offlineMessages = 0;

  // Offline with a dealer, per element: corrections from the dealer to P1, beside the seeds.
  std::uint32_t dealerBits = 0;

  int messages() const { return static_cast<int>(messageBits.size()); }
  int roundTrips() const { return (messages() + 1) / 2; }
  std::uint64_t messageBytes(int k, std::uint64_t elements) const {
    return (messageBits[k] * (k == 0 && firstElements > 0 ? firstElements : elements) + 7) / 8;
  }
  std::uint64_t onlineBytes(int sender, std::uint64_t elements) const;
  std::uint64_t onlineBytes(std::uint64_t elements) const {
    return onlineBytes(0, elements) + onlineBytes(1, elements);
  }
  std::uint32_t offlineBits() const { return offlineBitsToP0 + offlineBitsToP1; }
};

// max(floor((y + 2^(t - 1)) / 2^t), 0) for |y| <= 2^bound - 2^t; without the selection the truncation alone.
struct CompareShape {
  int truncation = 0; // t, 0 to maxTruncation()
  int bound = 30;     // t < bound <= ringBits - 2
  CompareSchedule schedule;
  bool selects = true;
  int lowBits() const { return truncation; }
  int highBits() const { return selects ? bound - truncation : 0; }
  int results() const { return selects && truncation > 0 ? 2 : 1; }   // opened at the end: the sign, the carry's bit
  int wraps() const { return truncation == 0 ? 0 : selects ? 2 : 1; } // bits that P0 opens for the wrap
  bool makesTree() const { return sd::makesTree(lowBits(), highBits(), schedule); }
  CompareTree tree() const { return CompareTree::make(lowBits(), highBits(), schedule); }
  bool operator==(const CompareShape &) const = default;
};

// With the even schedule of such digits, or the standard one.
CompareShape evenShape(int truncation, int bound, int width, int radix, bool selects = true);
CompareShape standardShape(int truncation, int bound, bool selects = true);

// Names the first parameter that is out of its limits.
Expected<void> check(int ringBits, const CompareShape &shape);

ProtocolCost inputCost(int ringBits);
ProtocolCost outputCost(int ringBits);
ProtocolCost compareCost(int ringBits, const CompareShape &shape);
ProtocolCost productCost(int ringBits);
ProtocolCost dotCost(const DotShape &shape); // beside what its replies and uploads take: dotPackingCost()

// What a schedule is chosen for, and times are predicted for.
struct NetworkProfile {
  double roundTripSeconds = 0.002;
  double bitsPerSecond = 1e9; // each way
  static NetworkProfile lan() { return {}; }
  static NetworkProfile wan() { return {0.040, 1e8}; }
};

// Seconds of one op over `elements`, online and offline together, but for the round trips of the offline phase, which
// all ops share.
double estimateSeconds(const ProtocolCost &cost, std::uint64_t elements, const NetworkProfile &network,
                       const MachineProfile &machine = MachineProfile::twoCores());

} // namespace sd
