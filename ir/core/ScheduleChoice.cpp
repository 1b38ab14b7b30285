#include "ir/core/ScheduleChoice.h"

#include <algorithm>
#include <cassert>
#include <numeric>

namespace sd {
namespace {

// Times closer than this are equal as far as an estimate knows.
constexpr double kEqualSeconds = 1.07;

constexpr int kMostLevels = 2; // of two round trips

std::uint32_t bitsOf(const ProtocolCost &cost) {
  return std::accumulate(cost.messageBits.begin(), cost.messageBits.end(), 0u);
}

// Of equals: bits, those online twice, for a record waits for them, and a transfer as one and a half of its own bits.
std::uint32_t weightOf(const ProtocolCost &cost) { return 5 * (2 * bitsOf(cost) + cost.offlineBits()) + 3 * cost.ots; }

// What an estimate grows with.
std::array<std::uint32_t, 6> criteria(const ProtocolCost &cost) {
  return {bitsOf(cost),
          cost.offlineBits(),
          cost.offlineBitsToP0,
          cost.ots,
          static_cast<std::uint32_t>(cost.roundTrips()),
          static_cast<std::uint32_t>(cost.offlineMessages)};
}

bool beats(const ScheduleCost &a, const ScheduleCost &b) {
  const auto x = criteria(a.cost), y = criteria(b.cost);
  return std::ranges::equal(x, y, std::less_equal<>());
}

// All digit counts that give widths of 4 to 2 bits, and single bits.
std::vector<ComparePart> partsOf(int bits) {
  if (bits == 0) return {{0, 3}};
  std::vector<ComparePart> parts;
  for (int digits = (bits + 3) / 4; digits <= bits; ++digits) {
    if (digits > (bits + 1) / 2 && digits < bits) continue;
    for (int radix = 1; radix <= 4; ++radix)
      parts.push_back({digits, radix});
  }
  return parts;
}

} // namespace

std::vector<ScheduleCost> usefulSchedules(int ringBits, CompareShape shape) {
  std::vector<ScheduleCost> useful;
  const auto consider = [&](const CompareSchedule &schedule) {
    if (!makesTree(shape.lowBits(), shape.highBits(), schedule)) return;
    shape.schedule = schedule;
    const ScheduleCost candidate{schedule, compareCost(ringBits, shape)};
    if (std::ranges::any_of(useful, [&](const ScheduleCost &each) { return beats(each, candidate); })) return;
    std::erase_if(useful, [&](const ScheduleCost &each) { return beats(candidate, each); });
    useful.push_back(candidate);
  };
  const auto high = partsOf(shape.highBits()), low = partsOf(shape.lowBits());
  for (int levels = 0; levels <= kMostLevels; ++levels)
    for (const ComparePart &h : high)
      for (const ComparePart &l : low)
        consider({levels, h, l});
  assert(!useful.empty());
  return useful;
}

const ScheduleCost *bestSchedule(std::span<const ScheduleCost> schedules, std::uint64_t elements,
                                 const NetworkProfile &network, int offlineMessages) {
  struct Candidate {
    const ScheduleCost *schedule;
    double seconds;
    int roundTrips;
    std::uint32_t weight;
  };
  std::vector<Candidate> candidates;
  for (const ScheduleCost &each : schedules)
    if (each.cost.offlineMessages <= offlineMessages)
      candidates.push_back(
          {&each, estimateSeconds(each.cost, elements, network), each.cost.roundTrips(), weightOf(each.cost)});
  if (candidates.empty()) return nullptr;
  const double least = std::ranges::min(candidates, {}, &Candidate::seconds).seconds;
  std::erase_if(candidates, [&](const Candidate &c) { return c.seconds > kEqualSeconds * least; });
  const int roundTrips = std::ranges::min(candidates, {}, &Candidate::roundTrips).roundTrips;
  std::erase_if(candidates, [&](const Candidate &c) { return c.roundTrips > roundTrips; });
  return std::ranges::min(candidates, {}, &Candidate::weight).schedule;
}

const ScheduleCost *ScheduleChooser::best(const CompareShape &shape, std::uint64_t elements, int offlineMessages) {
  auto &schedules = useful_[{shape.truncation, shape.bound, shape.selects}];
  if (schedules.empty()) schedules = usefulSchedules(ringBits_, shape);
  return bestSchedule(schedules, elements, network_, offlineMessages);
}

} // namespace sd
