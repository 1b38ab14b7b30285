#include "ir/core/ProtocolCost.h"

#include <algorithm>
#include <numeric>
#include <span>

namespace sd {
namespace {

// Message k carries its sender's part of levels k and k + 1 (level 0: the opening of the leaves).
std::vector<std::uint32_t> compareMessages(std::uint32_t word, const CompareShape &shape,
                                           std::span<const MergeCost> levels) {
  const int depth = static_cast<int>(levels.size());
  const int last = depth + 2; // levels 1 .. depth, the results, then P1's re-masked share
  const auto bitsOf = [&](int level, int party) -> std::uint32_t {
    if (level == 0) return party ? 0 : shape.lowBits() + shape.highBits() + (shape.selects ? word : 0) + shape.wraps();
    if (level <= depth) return static_cast<std::uint32_t>(levels[level - 1].wires);
    if (level == depth + 1) return static_cast<std::uint32_t>(shape.results());
    return level == last && party ? word : 0;
  };
  std::vector<std::uint32_t> messages;
  for (int k = 0; k < last || (k == last && last % 2); ++k)
    messages.push_back(bitsOf(k, k % 2) + bitsOf(k + 1, k % 2));
  return messages;
}

// The lowest digit of all has no table of equality.
void addTables(ProtocolCost &cost, int bits, int digits, bool lowest) {
  for (int i = 0; i < digits; ++i) {
    const int own = bits / digits + (i < bits % digits ? 1 : 0);
    const CompareTree::Digit digit{0, own, !(lowest && i == 0)};
    cost.ots += own;
    cost.offlineBitsToP0 += digit.payloadPlanes();
    cost.dealerBits += digit.tablePlanes();
  }
}

// Two one-bit payloads a product: a0 b1 under the choice a0, b0 a1 under the choice b0. A wire's mask is its transfer's
// own choice bit; a product's share is not, and costs a bit to say so.
void addTree(ProtocolCost &cost, std::span<const MergeCost> levels) {
  int factors = 1;
  for (const MergeCost &level : levels) {
    cost.ots += level.choices;
    cost.offlineBitsToP1 += level.productChoices;
    cost.offlineBitsToP0 += 2 * level.products;
    cost.dealerBits += level.products;
    factors = std::max(factors, level.factors);
  }
  // P1's corrections; then P0's choice of a product as a factor, and P1's answer.
  cost.offlineMessages = factors <= 2 ? 1 : factors <= 4 ? 3 : 5;
}

} // namespace

std::uint64_t ProtocolCost::onlineBytes(int sender, std::uint64_t elements) const {
  std::uint64_t bytes = 0;
  for (int k = sender; k < messages(); k += 2)
    bytes += messageBytes(k, elements);
  return bytes;
}

CompareShape evenShape(int truncation, int bound, int width, int radix, bool selects) {
  CompareShape shape{truncation, bound, {}, selects};
  shape.schedule = evenSchedule(shape.lowBits(), shape.highBits(), width, radix);
  return shape;
}

CompareShape standardShape(int truncation, int bound, bool selects) {
  CompareShape shape{truncation, bound, {}, selects};
  shape.schedule = standardSchedule(shape.lowBits(), shape.highBits());
  return shape;
}

Expected<void> check(int ringBits, const CompareShape &shape) {
  if (shape.truncation < 0 || shape.truncation > maxTruncation(ringBits))
    return fail("a truncation by {} bits; 0 to {} are possible", shape.truncation, maxTruncation(ringBits));
  if (shape.bound <= shape.truncation || shape.bound > ringBits - 2)
    return fail("a bound of 2^{} for a truncation by {} bits; the exponent must be above that and at most {}",
                shape.bound, shape.truncation, ringBits - 2);
  if (!shape.makesTree()) {
    const auto &[levels, high, low] = shape.schedule;
    return fail("a comparison of {} and {} bits in {} levels, of {} and {} digits, {} and {} of which merge at a time",
                shape.highBits(), shape.lowBits(), levels, high.digits, low.digits, high.radix, low.radix);
  }
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

ProtocolCost compareCost(int ringBits, const CompareShape &shape) {
  const std::vector<MergeCost> levels = mergeCosts(shape.schedule);
  const auto word = static_cast<std::uint32_t>(ringBits);
  const auto t = static_cast<std::uint32_t>(shape.truncation);
  ProtocolCost cost;
  cost.messageBits = compareMessages(word, shape, levels);
  addTables(cost, shape.lowBits(), shape.schedule.low.digits, true);
  addTables(cost, shape.highBits(), shape.schedule.high.digits, t == 0);
  addTree(cost, levels);
  const auto addWords = [&](std::uint32_t ots, std::uint32_t bits) {
    cost.ots += ots;
    cost.offlineBitsToP0 += bits;
    cost.dealerBits += bits;
  };
  // The selection: lam q1 under P0's choice l0, a random OT under P1's choice l1. For t > 0 the wrap: two payloads of t
  // bits under one choice of P0's and one under another (a truncation alone: just one), and rho as a word.
  if (shape.selects) {
    cost.reverseOts = 1;
    addWords(1, word);
  }
  if (t > 0) {
    addWords(shape.wraps(), (shape.selects ? 3 : 1) * t);
    addWords(1, word);
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

ProtocolCost dotCost(const DotShape &shape) {
  const auto word = static_cast<std::uint32_t>(shape.ringBits);
  ProtocolCost cost;
  cost.messageBits = {word, word};
  cost.firstElements = static_cast<std::uint64_t>(shape.left() + shape.right());
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

} // namespace sd
