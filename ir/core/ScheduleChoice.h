// Which schedule a comparison takes: the enumeration of the family, and the choice by estimated time.
#pragma once

#include <array>
#include <map>
#include <span>

#include "ir/core/ProtocolCost.h"

namespace sd {

inline constexpr int kMostOfflineMessages = 5; // of any schedule

struct ScheduleCost {
  CompareSchedule schedule;
  ProtocolCost cost;
};

// The schedules of a comparison (its shape's own is not looked at) of at most two round trips online, which suffice for
// any, that no other one beats in every cost: bytes online and offline, transfers, round trips. More levels would save
// up to a sixth of the bytes, and have a record wait. Never empty; in a fixed order.
std::vector<ScheduleCost> usefulSchedules(int ringBits, CompareShape shape);

// Of the schedules with at most `offlineMessages` and within 7 % of the least estimated time, the one of fewest round
// trips online, then of fewest bits, those online counted twice; the first among equals. Null if none has so few
// messages.
const ScheduleCost *bestSchedule(std::span<const ScheduleCost> schedules, std::uint64_t elements,
                                 const NetworkProfile &network, int offlineMessages = kMostOfflineMessages);

// The same for many comparisons: what is enumerated is kept.
class ScheduleChooser {
public:
  ScheduleChooser(int ringBits, const NetworkProfile &network) : ringBits_(ringBits), network_(network) {}

  // For a comparison of that shape; its schedule is not looked at. The result stays good.
  const ScheduleCost *best(const CompareShape &shape, std::uint64_t elements,
                           int offlineMessages = kMostOfflineMessages);
  double seconds(const CompareShape &shape, std::uint64_t elements) {
    return estimateSeconds(best(shape, elements)->cost, elements, network_);
  }

private:
  int ringBits_;
  NetworkProfile network_;
  std::map<std::array<int, 3>, std::vector<ScheduleCost>> useful_; // by truncation, bound, selects
};

} // namespace sd
