// How an op says its schedule: the attribute "schedule", five integers.
#pragma once

#include "ir/core/OpKind.h"
#include "ir/core/ProtocolCost.h"

namespace sd {

// levels, digits and radix of the high part, digits and radix of the low part.
std::vector<std::int64_t> toIntegers(const CompareSchedule &schedule);
// Empty if there are not five, or one is far out of range.
std::optional<CompareSchedule> scheduleFrom(std::span<const std::int64_t> integers);

// Whether ops of that kind are comparisons, with a schedule.
constexpr bool compares(OpKind kind) {
  return kind == OpKind::ShareTruncate || kind == OpKind::ShareRelu || kind == OpKind::ShareMax;
}

// The comparison of an op that compares() and has its required attributes. Without a schedule the standard one.
CompareShape compareShape(OpKind kind, const Attrs &attrs);

// `attrs` with the schedule that compareShape() says.
Attrs withSchedule(OpKind kind, Attrs attrs);

} // namespace sd
