#include <algorithm>
#include <bit>
#include <numeric>
#include <set>

#include "ir/core/ScheduleChoice.h"
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

  std::size_t pieces() const { return positions.size(); }
  std::int64_t levelComparisons() const { // along the axis
    return std::accumulate(levels.begin() + 1, levels.end(), std::int64_t{0},
                           [](std::int64_t sum, const Level &level) { return sum + std::ssize(level.starts); });
  }
};

int log2Ceiling(std::size_t value) { return std::bit_width(value - 1); }

// Covers with spans of 2^j elements; no window may have fewer.
Cover coverWith(const WindowAxis &axis, std::int64_t outputs, int j) {
  Cover cover;
  std::set<Positions> seen; // the last spans of short windows are one
  const std::int64_t span = std::int64_t{1} << j;
  for (std::int64_t k = 0; k * span < axis.kernel; ++k) {
    Positions positions;
    for (std::int64_t output = 0; output < outputs; ++output) {
      const WindowTaps taps = windowTaps(axis, output);
      const std::int64_t tap = std::min(taps.begin + k * span, taps.end - span);
      positions.push_back(taps.first + tap * axis.dilation);
    }
    if (seen.insert(positions).second) cover.positions.push_back(std::move(positions));
  }

  // What each level must hold, from the last one down.
  Positions needed;
  for (auto &positions : cover.positions)
    needed.insert(needed.end(), positions.begin(), positions.end());
  std::ranges::sort(needed);
  needed.erase(std::ranges::unique(needed).begin(), needed.end());
  cover.levels.resize(static_cast<std::size_t>(j) + 1);
  for (int level = j; level >= 0; --level) {
    const std::int64_t width = std::int64_t{1} << level;
    cover.levels[static_cast<std::size_t>(level)] = {needed, width};
    if (level == 0) break;
    Positions halves = needed;
    for (auto &start : halves)
      start += width / 2 * axis.dilation;
    const Positions starts = std::move(needed);
    needed.clear();
    std::ranges::set_union(starts, halves, std::back_inserter(needed));
  }
  return cover;
}

// Of a window along an axis. More are hardly ever better, and each is an op.
constexpr std::int64_t kMostPieces = 64;

// The covers of an axis, by j.
std::vector<Cover> coversOf(const WindowAxis &axis, std::int64_t outputs) {
  std::int64_t fewest = axis.kernel; // taps of a window
  for (std::int64_t output = 0; output < outputs; ++output) {
    const WindowTaps taps = windowTaps(axis, output);
    fewest = std::min(fewest, taps.end - taps.begin);
  }
  std::vector<Cover> covers;
  for (int j = 0; std::int64_t{1} << j <= fewest; ++j)
    if (axis.kernel >> j <= kMostPieces || std::int64_t{2} << j > fewest) covers.push_back(coverWith(axis, outputs, j));
  return covers;
}

// A cover for each axis. The pieces of a window are merged axis by axis, or jointly at the end: that may take a level
// less, as ceil(log2 15) is less than ceil(log2 3) + ceil(log2 5), and more comparisons where windows overlap.
struct Tournament {
  std::vector<const Cover *> covers;
  bool joint = false;
  int depth = 0;
  std::int64_t comparisons = 0;
};

class Tournaments {
public:
  Tournaments(const Shape &input, const std::vector<WindowAxis> &axes, const PoolTarget &target)
      : input_(input), target_(target) {
    for (auto &axis : axes) {
      outputs_.push_back(*windowOutputs(axis)); // exists, by the pool's rule
      covers_.push_back(coversOf(axis, outputs_.back()));
    }
  }

  // The one of least estimated time, with comparisons as wide as they may be: their bounds are found later.
  Tournament best() {
    for (const bool joint : {false, true})
      tryAll({{}, joint});
    return best_;
  }

private:
  void tryAll(const Tournament &begun) {
    const std::size_t axis = begun.covers.size();
    if (axis == covers_.size()) return tryOne(begun);
    for (const Cover &cover : covers_[axis]) {
      Tournament next = begun;
      next.covers.push_back(&cover);
      tryAll(next);
    }
  }

  void tryOne(Tournament tournament) {
    Shape sizes = input_;
    std::size_t pieces = 1; // not merged yet
    for (std::size_t i = covers_.size(); i-- > 0;) {
      const Cover &cover = *tournament.covers[i];
      const std::int64_t others = elementCount(sizes) / sizes[i + 2];
      tournament.comparisons += others * cover.levelComparisons();
      tournament.depth += static_cast<int>(cover.levels.size()) - 1;
      if (tournament.joint) {
        pieces *= cover.pieces();
        if (cover.levels.size() > 1) sizes[i + 2] = std::ssize(cover.levels.back().starts);
      } else {
        tournament.comparisons += others * (std::ssize(cover.positions) - 1) * outputs_[i];
        tournament.depth += log2Ceiling(cover.pieces());
        sizes[i + 2] = outputs_[i];
      }
    }
    if (tournament.joint) {
      std::ranges::copy(outputs_, sizes.begin() + 2);
      tournament.comparisons += (static_cast<std::int64_t>(pieces) - 1) * elementCount(sizes);
      tournament.depth += log2Ceiling(pieces);
    }
    const double seconds = estimate(tournament);
    if (!best_.covers.empty() && seconds >= leastSeconds_) return;
    leastSeconds_ = seconds;
    best_ = std::move(tournament);
  }

  double estimate(const Tournament &tournament) {
    const auto elements = static_cast<std::uint64_t>(tournament.comparisons);
    const ProtocolCost &unit = schedules_.best({0, target_.boundBits, {}}, elements)->cost;
    return estimateSeconds(unit, elements, target_.network) +
           (tournament.depth - 1) * unit.roundTrips() * target_.network.roundTripSeconds;
  }

  const Shape &input_;
  const PoolTarget &target_;
  ScheduleChooser schedules_{target_.ringBits, target_.network};
  std::vector<std::int64_t> outputs_;      // by axis
  std::vector<std::vector<Cover>> covers_; // by axis, then j
  Tournament best_;
  double leastSeconds_ = 0;
};

// Builds the maxima along one dimension of a value.
class AxisMaxima {
public:
  AxisMaxima(Builder &builder, std::int64_t dimension, const WindowAxis &axis, const Cover &cover, int boundBits,
             const std::string &source)
      : builder_(builder), dimension_(dimension), axis_(axis), cover_(cover), boundBits_(boundBits), source_(source),
        held_(static_cast<std::size_t>(axis.size)) {
    std::iota(held_.begin(), held_.end(), 0);
  }

  // The last level of the cover.
  ValueId levels(ValueId x) {
    for (auto &level : cover_.levels) {
      if (level.span == 1) continue; // gathered from the input where they are needed
      const std::int64_t step = level.span / 2 * axis_.dilation;
      Positions others = level.starts;
      for (auto &start : others)
        start += step;
      const ValueId left = gather(x, level.starts), right = gather(x, others);
      x = maximum(left, right);
      held_ = level.starts;
    }
    return x;
  }

  // Of the last level: the k-th piece of every window, for each k.
  std::vector<ValueId> pieces(ValueId x) const {
    std::vector<ValueId> values;
    for (auto &positions : cover_.positions)
      values.push_back(gather(x, positions));
    return values;
  }

  ValueId merge(std::vector<ValueId> values) const {
    while (values.size() > 1) {
      std::vector<ValueId> next;
      for (std::size_t i = 0; i + 1 < values.size(); i += 2)
        next.push_back(maximum(values[i], values[i + 1]));
      if (values.size() % 2) next.push_back(values.back());
      values = std::move(next);
    }
    return values[0];
  }

private:
  // The elements of x that stand for `wanted`; x holds those of held_, sorted.
  ValueId gather(ValueId x, const Positions &wanted) const {
    if (held_ == wanted) return x;
    Positions indices;
    for (auto position : wanted)
      indices.push_back(std::ranges::lower_bound(held_, position) - held_.begin());
    return builder_.create(OpKind::ShareGather, {x}, {{Attr::Axis, dimension_}, {Attr::Indices, indices}}, source_);
  }

  ValueId maximum(ValueId a, ValueId b) const {
    return builder_.create(OpKind::ShareMax, {a, b}, {{Attr::Bound, std::int64_t{boundBits_}}}, source_);
  }

  Builder &builder_;
  std::int64_t dimension_;
  const WindowAxis &axis_;
  const Cover &cover_;
  int boundBits_;
  const std::string &source_;
  Positions held_;
};

} // namespace

ValueId appendMaxPool(Builder &builder, ValueId x, const Op &pool, const PoolTarget &target) {
  const Shape input = builder.type(x).shape;
  const auto axes = windowAxes(input, pool.attrs.ints(Attr::Kernel), pool.attrs);
  Tournaments tournaments(input, axes, target);
  const Tournament chosen = tournaments.best();
  std::vector<AxisMaxima> maxima;
  for (std::size_t i = 0; i < axes.size(); ++i)
    maxima.emplace_back(builder, static_cast<std::int64_t>(i) + 2, axes[i], *chosen.covers[i], target.boundBits,
                        pool.source);
  for (std::size_t i = axes.size(); i-- > 0;) { // rows are contiguous: last axis first
    x = maxima[i].levels(x);
    if (!chosen.joint) x = maxima[i].merge(maxima[i].pieces(x));
  }
  if (!chosen.joint) return x;
  std::vector<ValueId> pieces{x};
  for (const AxisMaxima &axis : maxima) {
    std::vector<ValueId> finer;
    for (const ValueId piece : pieces)
      for (const ValueId part : axis.pieces(piece))
        finer.push_back(part);
    pieces = std::move(finer);
  }
  return maxima[0].merge(std::move(pieces));
}

} // namespace sd
