#include "runtime/vm/Screening.h"

#include <algorithm>
#include <cmath>

#include "runtime/vm/ClearPart.h"

namespace sd {

namespace {

constexpr std::size_t kMostRemarks = 5;

// Gives the number of values that were outside by little and are no longer.
std::uint64_t clip(std::span<const RecordInput> inputs, NamedTensors &record, double tolerance) {
  std::uint64_t clipped = 0;
  for (const RecordInput &input : inputs) {
    const auto given = record.find(input.name);
    if (given == record.end()) continue;
    for (std::size_t i = 0; i < given->second.data.size(); ++i) {
      const auto range = input.rangeOf(i);
      float &value = given->second.data[i];
      if (!range || isWithin(value, *range)) continue;
      const auto [low, high] = *range;
      const double far = tolerance < 0 ? std::max(std::abs(low), std::abs(high)) * 0x1p-21 : tolerance;
      if (!(value < low && value >= low - far) && !(value > high && value <= high + far)) continue;
      value = nearestInside(value, low, high);
      ++clipped;
    }
  }
  return clipped;
}

} // namespace

Expected<Screening> screenRecords(const Program &program, std::span<NamedTensors> records,
                                  const ScreeningOptions &options) {
  const std::vector<RecordInput> inputs = recordInputs(program);
  Screening screening;
  screening.skipped.resize(records.size());
  std::size_t skipped = 0;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (options.outOfRange == OutOfRange::Clip) screening.clipped += clip(inputs, records[i], options.tolerance);
    const auto prepared = ClearPart::prepare(program, records[i]);
    if (prepared) continue;
    std::string text = records.size() > 1 ? fmt::format("record {}: ", i + 1) : "";
    text += prepared.error().message;
    if (options.showValues)
      if (const auto value = valueOutside(inputs, records[i])) text += fmt::format("; it is {}", *value);
    if (options.outOfRange != OutOfRange::Skip) {
      const std::string_view advice = records.size() > 1 ? "; --out-of-range skip goes on without such records" : "";
      return failAs(prepared.error(), "{}{}", text, advice);
    }
    screening.skipped[i] = true;
    if (++skipped <= kMostRemarks) screening.remarks.push_back(text + "; it is skipped");
  }
  if (skipped > kMostRemarks)
    screening.remarks.push_back(fmt::format("{} more records are skipped", skipped - kMostRemarks));
  if (screening.clipped > 0)
    screening.remarks.push_back(fmt::format("{} value{} just outside the program's range {} clipped to its end",
                                            screening.clipped, screening.clipped == 1 ? "" : "s",
                                            screening.clipped == 1 ? "was" : "were"));
  return screening;
}

} // namespace sd
