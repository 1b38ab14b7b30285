#include "ir/core/ProtocolCost.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>

namespace sd {
namespace {

// Times closer than this are equal as far as an estimate knows.
constexpr double kEqualSeconds = 1.07;

// Message k carries its sender's part of levels k and k + 1 (level 0: the opening of the leaves).
std::vector<std::uint32_t> compareMessages(std::uint32_t word, const CompareShape &shape, const CompareTree &tree) {
  const int depth = static_cast<int>(tree.levels.size());
  const int last = depth + 2; // levels 1 .. depth, the sign, then P1's re-masked share
  const auto bitsOf = [&](int level, int party) -> std::uint32_t {
    if (level == 0) return party ? 0 : shape.bits() + word + (shape.truncation ? 2 : 0);
    if (level <= depth) return static_cast<std::uint32_t>(tree.levels[level - 1].wires);
    if (level == depth + 1) return 1;
    return level == last && party ? word : 0;
  };
  std::vector<std::uint32_t> messages;
  for (int k = 0; k < last || (k == last && last % 2); ++k)
    messages.push_back(bitsOf(k, k % 2) + bitsOf(k + 1, k % 2));
  return messages;
}

void addLeaf(ProtocolCost &cost, const CompareTree &tree) {
  for (const auto &digit : tree.digits) {
    cost.ots += digit.bits;
    cost.offlineBitsToP0 += digit.bits * digit.tables() << (digit.bits - 1);
    cost.dealerBits += digit.tablePlanes();
  }
}

// Two one-bit payloads a product: rest0 last1 under the choice rest0, last0 rest1 under the choice last0. A wire's mask
// is its OT's own choice bit; a product's share is not, and costs a bit to say so.
void addTree(ProtocolCost &cost, const CompareTree &tree) {
  for (const auto &level : tree.levels) {
    std::set<int> choices;
    std::vector<int> factors(level.wires, 1); // of each node
    for (const auto &product : level.products) {
      factors.push_back(factors[product.rest] + 1);
      // P1's corrections; then P0's choice of a product as a factor, and P1's answer.
      cost.offlineMessages = std::max(cost.offlineMessages, 2 * factors.back() - 3);
      choices.insert(product.rest);
      choices.insert(product.last);
      cost.offlineBitsToP0 += 2;
      cost.dealerBits += 1;
    }
    for (const int node : choices) {
      cost.ots += 1;
      if (node >= level.wires) cost.offlineBitsToP1 += 1;
    }
  }
}

} // namespace

std::uint64_t ProtocolCost::onlineBytes(int sender, std::uint64_t elements) const {
  std::uint64_t bytes = 0;
  for (int k = sender; k < messages(); k += 2)
    bytes += messageBytes(k, elements);
  return bytes;
}

Expected<void> check(int ringBits, const CompareShape &shape) {
  if (shape.truncation < 0 || shape.truncation > maxTruncation(ringBits))
    return fail("a truncation by {} bits; 0 to {} are possible", shape.truncation, maxTruncation(ringBits));
  if (shape.bound <= shape.truncation || shape.bound > ringBits - 2)
    return fail("a bound of 2^{} for a truncation by {} bits; the exponent must be above that and at most {}",
                shape.bound, shape.truncation, ringBits - 2);
  if (shape.schedule.digit < 1 || shape.schedule.digit > 4)
    return fail("comparison digits of {} bits; 1 to 4 are possible", shape.schedule.digit);
  if (shape.schedule.radix < 2 || shape.schedule.radix > 4)
    return fail("a comparison tree of radix {}; 2 to 4 are possible", shape.schedule.radix);
  return {};
}

ProtocolCost inputCost(int ringBits) {
  ProtocolCost cost;
  cost.messageBits = {0, static_cast<std::uint32_t>(ringBits)};
  return cost;
}

ProtocolCost outputCost(int ringBits) {
  ProtocolCost cost;
  cost.messageBits = {static_cast<std::uint32_t>(ringBits)};
  return cost;
}

ProtocolCost truncateCost(int ringBits, int truncation) {
  ProtocolCost cost;
  cost.messageBits = {1, static_cast<std::uint32_t>(ringBits)};
  cost.offlineMessages = 1;
  cost.ots = 1;
  cost.offlineBitsToP0 = truncation;
  cost.dealerBits = truncation;
  return cost;
}

ProtocolCost compareCost(int ringBits, const CompareShape &shape) {
  const CompareTree tree = CompareTree::make(shape.bits(), shape.schedule);
  const auto word = static_cast<std::uint32_t>(ringBits);
  ProtocolCost cost;
  cost.messageBits = compareMessages(word, shape, tree);
  cost.offlineMessages = 1;
  addLeaf(cost, tree);
  addTree(cost, tree);
  // The selection: lam q1 under P0's choice l0, a random OT under P1's choice l1; for t > 0 two payloads of t bits
  // under one choice of P0's, and one under another.
  cost.ots += 1;
  cost.reverseOts = 1;
  cost.offlineBitsToP0 += word;
  cost.dealerBits += word;
  if (shape.truncation) {
    cost.ots += 2;
    cost.offlineBitsToP0 += 3 * shape.truncation;
    cost.dealerBits += 3 * shape.truncation;
  }
  return cost;
}

// Two parties: alpha s and beta r in the ring, bit by bit of the factor that its receiver P0 holds; the payload of bit
// i needs ringBits - i bits.
ProtocolCost productCost(int ringBits) {
  const auto word = static_cast<std::uint32_t>(ringBits);
  ProtocolCost cost;
  cost.messageBits = {2 * word, word};
  cost.offlineMessages = 1;
  cost.ots = 2 * word;
  cost.offlineBitsToP0 = 2 * (word * (word + 1) / 2);
  cost.dealerBits = word;
  return cost;
}

double estimateSeconds(const ProtocolCost &cost, std::uint64_t elements, const NetworkProfile &network,
                       const MachineProfile &machine) {
  constexpr double kNano = 1e-9;
  const double bits = std::accumulate(cost.messageBits.begin(), cost.messageBits.end(), 0.0);
  const double online =
      bits / network.bitsPerSecond + 2 * kNano / machine.cores * (machine.element + machine.messageByte * bits / 8);
  // The parties' work overlaps, the link with it hardly does.
  const double work = kNano * (cost.ots * machine.silentOt + cost.reverseOts * machine.softSpokenOt +
                               cost.offlineBits() * machine.correctionBit);
  const double offline = work + cost.offlineBitsToP0 / network.bitsPerSecond;
  return cost.roundTrips() * network.roundTripSeconds + static_cast<double>(elements) * (online + offline);
}

CompareSchedule bestSchedule(int ringBits, int truncation, int bound, std::uint64_t elements,
                             const NetworkProfile &network, int offlineMessages) {
  struct Candidate {
    CompareSchedule schedule;
    double seconds;
    int roundTrips;
    std::uint32_t bits;
  };
  std::vector<Candidate> candidates;
  for (int digit = 1; digit <= 4; ++digit)
    for (int radix = 2; radix <= 4; ++radix) {
      const ProtocolCost cost = compareCost(ringBits, {truncation, bound, {digit, radix}});
      if (cost.offlineMessages > offlineMessages) continue;
      const auto bits = std::accumulate(cost.messageBits.begin(), cost.messageBits.end(), cost.offlineBits());
      candidates.push_back({{digit, radix}, estimateSeconds(cost, elements, network), cost.roundTrips(), bits});
    }
  const double least = std::ranges::min(candidates, {}, &Candidate::seconds).seconds;
  std::erase_if(candidates, [&](const Candidate &c) { return c.seconds > kEqualSeconds * least; });
  const int roundTrips = std::ranges::min(candidates, {}, &Candidate::roundTrips).roundTrips;
  std::erase_if(candidates, [&](const Candidate &c) { return c.roundTrips > roundTrips; });
  return std::ranges::min(candidates, {}, &Candidate::bits).schedule;
}

} // namespace sd
