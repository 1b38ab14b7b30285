#include "compiler/InputRanges.h"

#include <algorithm>
#include <cmath>

#include "compiler/Advice.h"
#include "passes/Partition.h"

namespace sd {

namespace {

constexpr double kOrdinary = 0x1p16; // the largest values of images
constexpr double kFarWider = 64;     // than all that records hold

// The finest scale at which a value of an input is entered as it is; none if it is only entered normalised.
std::optional<int> finestScale(const Module &lowered, const std::string &name) {
  const Graph graph(lowered);
  std::optional<int> finest;
  for (auto &op : lowered.ops) {
    if (op.kind != OpKind::ShareInput) continue;
    ValueId value = op.operands[0];
    while (isMove(graph.definition(value).kind))
      value = graph.definition(value).operands[0];
    const Op &input = graph.definition(value);
    if (input.kind == OpKind::Input && input.attrs.str(Attr::Name) == name)
      finest = std::max(finest.value_or(-kMaxScale), lowered.type(op.result).scale);
  }
  return finest;
}

std::pair<double, double> rangeOf(std::span<const Record> records, const std::string &name) {
  double low = HUGE_VAL, high = -HUGE_VAL;
  for (auto &record : records)
    for (const double v : record.at(name).data) {
      low = std::min(low, v);
      high = std::max(high, v);
    }
  return {low, high};
}

} // namespace

std::vector<std::string> describeRanges(const Module &imported, const Module &lowered,
                                        std::span<const Record> records) {
  std::vector<std::string> lines;
  for (auto &op : imported.ops) {
    if (op.kind != OpKind::Input || !op.attrs.has(Attr::Low)) continue;
    const double low = op.attrs.f(Attr::Low), high = op.attrs.f(Attr::High);
    const double most = std::max(std::abs(low), std::abs(high));
    const std::string where =
        fmt::format("input '{}': the declared range {:g} to {:g}", op.attrs.str(Attr::Name), low, high);
    if (low == high) {
      lines.push_back(fmt::format("{} admits a single value: every other record is refused", where));
      continue;
    }
    const auto scale = finestScale(lowered, op.attrs.str(Attr::Name));
    if (!scale) continue; // normalised in floats
    const auto [least, largest] = rangeOf(records, op.attrs.str(Attr::Name));
    const double used = std::max(std::abs(least), std::abs(largest));
    if (!records.empty() && used > 0 && used * kFarWider < most) {
      const auto [from, to] = declarableRange(least, largest);
      lines.push_back(fmt::format("{} is far wider than the records, which lie between {:g} and {:g}; with "
                                  "--input-range={:g},{:g} they are entered in finer steps",
                                  where, least, largest, from, to));
    } else if (most > kOrdinary && *scale < 0) {
      lines.push_back(fmt::format("{} is so wide that values are entered in steps of {:g}, and smaller ones are lost. "
                                  "Declare the range that records really have: sdc tune --data X.npy finds one",
                                  where, std::ldexp(1.0, -*scale)));
    }
  }
  return lines;
}

} // namespace sd
