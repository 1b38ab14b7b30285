#include "ir/core/ScheduleAttr.h"

#include <algorithm>

#include "ir/core/Ring.h"

namespace sd {

std::vector<std::int64_t> toIntegers(const CompareSchedule &schedule) {
  const auto &[levels, high, low] = schedule;
  return {levels, high.digits, high.radix, low.digits, low.radix};
}

std::optional<CompareSchedule> scheduleFrom(std::span<const std::int64_t> integers) {
  constexpr std::int64_t kMost = kBitsOf<Ring64>;
  if (integers.size() != 5) return {};
  if (std::ranges::any_of(integers, [](std::int64_t v) { return v < 0 || v > kMost; })) return {};
  const auto at = [&](std::size_t i) { return static_cast<int>(integers[i]); };
  return CompareSchedule{at(0), {at(1), at(2)}, {at(3), at(4)}};
}

CompareShape compareShape(OpKind kind, const Attrs &attrs) {
  CompareShape shape{static_cast<int>(attrs.i(Attr::Bits, 0)),
                     static_cast<int>(attrs.i(Attr::Bound)),
                     {},
                     kind != OpKind::ShareTruncate};
  if (attrs.has(Attr::Schedule))
    shape.schedule = scheduleFrom(attrs.ints(Attr::Schedule)).value_or(CompareSchedule{});
  else
    shape.schedule = standardSchedule(shape.lowBits(), shape.highBits());
  return shape;
}

Attrs withSchedule(OpKind kind, Attrs attrs) {
  attrs.set(Attr::Schedule, toIntegers(compareShape(kind, attrs).schedule));
  return attrs;
}

} // namespace sd
