#include <algorithm>
#include <bit>
#include <numeric>
#include <set>

#include "ir/core/Windows.h"
#include "passes/Quantizer.h"

namespace sd {

namespace {

using Positions = std::vector<std::int64_t>;

// Maxima of 2^j elements, `dilation` apart, from each position of a sorted list on: level j of a doubling.
struct Level {
  Positions starts;
  std::int64_t span = 1; // 2^j
};

// How the windows along one axis are covered: each by elements of the last level, of which the k-th of every window are
// gathered together. A maximum does not mind overlaps, so spans need not divide windows.
struct Cover {
  std::vector<Level> levels;        // the first is the input itself
  std::vector<Positions> positions; // of the last level's spans, by window
  std::int64_t comparisons = 0;     // along the axis
  int depth = 0;
};

int log2Ceiling(std::size_t value) { return std::bit_width(value - 1); }

// Covers with spans of 2^j elements; no window may have fewer.
Cover coverWith(const WindowAxis &axis, std::int64_t outputs, int j) {
  Cover cover;
  const std::int64_t span = std::int64_t{1} << j;
  for (std::int64_t k = 0; k * span < axis.kernel; ++k) {
    Positions positions;
    for (std::int64_t output = 0; output < outputs; ++output) {
      const WindowTaps taps = windowTaps(axis, output);
      const std::int64_t tap = std::min(taps.begin + k * span, taps.end - span);
      positions.push_back(taps.first + tap * axis.dilation);
    }
    if (std::ranges::find(cover.positions, positions) == cover.positions.end())
      cover.positions.push_back(std::move(positions));
  }
  cover.comparisons = (static_cast<std::int64_t>(cover.positions.size()) - 1) * outputs;
  cover.depth = j + log2Ceiling(cover.positions.size());

  // What each level must hold, from the last one down.
  std::set<std::int64_t> needed;
  for (auto &positions : cover.positions)
    needed.insert(positions.begin(), positions.end());
  cover.levels.resize(static_cast<std::size_t>(j) + 1);
  for (int level = j; level >= 0; --level) {
    const std::int64_t width = std::int64_t{1} << level;
    cover.levels[static_cast<std::size_t>(level)] = {Positions(needed.begin(), needed.end()), width};
    if (level == 0) break;
    cover.comparisons += static_cast<std::int64_t>(needed.size());
    const std::set<std::int64_t> starts = needed;
    for (auto start : starts)
      needed.insert(start + width / 2 * axis.dilation);
  }
  return cover;
}

// The cover of fewest comparisons among those of least depth.
Cover bestCover(const WindowAxis &axis, std::int64_t outputs) {
  std::int64_t fewest = axis.kernel; // taps of a window
  for (std::int64_t output = 0; output < outputs; ++output) {
    const WindowTaps taps = windowTaps(axis, output);
    fewest = std::min(fewest, taps.end - taps.begin);
  }
  Cover best = coverWith(axis, outputs, 0);
  for (int j = 1; std::int64_t{1} << j <= fewest; ++j)
    if (Cover cover = coverWith(axis, outputs, j);
        std::pair(cover.depth, cover.comparisons) < std::pair(best.depth, best.comparisons))
      best = std::move(cover);
  return best;
}

// Builds the maxima along one dimension of a value.
class AxisMaxima {
public:
  AxisMaxima(Builder &builder, std::int64_t dimension, int boundBits, const std::string &source)
      : builder_(builder), dimension_(dimension), boundBits_(boundBits), source_(source) {}

  ValueId cover(ValueId x, const WindowAxis &axis, const Cover &cover) const {
    Positions held(static_cast<std::size_t>(axis.size));
    std::iota(held.begin(), held.end(), 0);
    for (auto &level : cover.levels) {
      if (level.span == 1) continue; // gathered from the input where they are needed
      const std::int64_t step = level.span / 2 * axis.dilation;
      Positions others = level.starts;
      for (auto &start : others)
        start += step;
      const ValueId left = gather(x, held, level.starts), right = gather(x, held, others);
      x = maximum(left, right);
      held = level.starts;
    }
    std::vector<ValueId> operands;
    for (auto &positions : cover.positions)
      operands.push_back(gather(x, held, positions));
    while (operands.size() > 1) {
      std::vector<ValueId> next;
      for (std::size_t i = 0; i + 1 < operands.size(); i += 2)
        next.push_back(maximum(operands[i], operands[i + 1]));
      if (operands.size() % 2) next.push_back(operands.back());
      operands = std::move(next);
    }
    return operands[0];
  }

private:
  // The elements of x that stand for `wanted`; x holds those of `held`, sorted.
  ValueId gather(ValueId x, const Positions &held, const Positions &wanted) const {
    if (held == wanted) return x;
    Positions indices;
    for (auto position : wanted)
      indices.push_back(std::ranges::lower_bound(held, position) - held.begin());
    return builder_.create(OpKind::ShareGather, {x}, {{Attr::Axis, dimension_}, {Attr::Indices, indices}}, source_);
  }

  ValueId maximum(ValueId a, ValueId b) const {
    return builder_.create(OpKind::ShareMax, {a, b}, {{Attr::Bound, std::int64_t{boundBits_}}}, source_);
  }

  Builder &builder_;
  std::int64_t dimension_;
  int boundBits_;
  const std::string &source_;
};

} // namespace

ValueId appendMaxPool(Builder &builder, ValueId x, const Op &pool, int boundBits) {
  const auto axes = windowAxes(builder.type(x).shape, pool.attrs.ints(Attr::Kernel), pool.attrs);
  for (std::size_t i = axes.size(); i-- > 0;) { // rows are contiguous: last axis first
    const auto outputs = windowOutputs(axes[i]);
    assert(outputs); // the pool's rule
    const AxisMaxima maxima(builder, static_cast<std::int64_t>(i) + 2, boundBits, pool.source);
    x = maxima.cover(x, axes[i], bestCover(axes[i], *outputs));
  }
  return x;
}

} // namespace sd
