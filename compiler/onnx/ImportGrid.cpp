// GridSample at constant places: each result is a weighted sum of elements, which are gathered and scaled.
#include "compiler/onnx/Handlers.h"

#include <algorithm>
#include <cmath>

#include "compiler/onnx/LinearMap.h"

namespace sd {
namespace {

enum class Padding : std::uint8_t { Zeros, Border, Reflection };

struct GridSampling {
  int taps = 2; // along an axis: 1 the nearest, 2 linear, 4 cubic
  Padding padding = Padding::Zeros;
  bool alignCorners = false;
};

// What lies beyond an axis: its coordinates are from low to high.
struct Border {
  double low, high;
  std::int64_t size;
};

double reflected(double x, const Border &border) {
  const double range = border.high - border.low;
  if (range <= 0) return border.low;
  const bool isBelow = x < border.low;
  const double beyond = isBelow ? border.low - x : x - border.high;
  if (!(beyond > 0)) return x;
  const double turns = std::floor(beyond / range), rest = beyond - turns * range;
  const bool isEven = std::fmod(turns, 2) == 0;
  return isBelow == isEven ? border.low + rest : border.high - rest;
}

double within(double x, const Border &border, Padding padding) {
  if (x >= border.low && x <= border.high) return x;
  if (padding == Padding::Border) return std::clamp(x, 0.0, static_cast<double>(border.size - 1));
  return padding == Padding::Reflection ? reflected(x, border) : x;
}

// One element along an axis, or kZero, and its weight.
struct Tap {
  std::int64_t at;
  double weight;
};

double cubicWeight(double distance) { // Keys 1981, a = -0.75
  constexpr double a = -0.75;
  const double d = std::abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

std::vector<Tap> tapsAt(double place, const Border &border, const GridSampling &how) {
  const double x = within(how.taps == 1 ? std::nearbyint(place) : place, border, how.padding);
  const double first = how.taps == 1 ? std::nearbyint(x) : std::floor(x) - (how.taps == 4 ? 1 : 0);
  std::vector<Tap> taps;
  for (int i = 0; i < how.taps; ++i) {
    const double at = within(first + i, border, how.padding), distance = x - (first + i);
    const bool isInside = at >= 0 && at <= static_cast<double>(border.size - 1);
    const double weight = how.taps == 1 ? 1 : how.taps == 2 ? 1 - std::abs(distance) : cubicWeight(distance);
    taps.push_back({isInside ? static_cast<std::int64_t>(at) : kZero, weight});
  }
  return taps;
}

Expected<GridSampling> readSampling(Node &node) {
  GridSampling how;
  SD_ASSIGN(const std::string mode, node.text("mode", "linear"));
  SD_ASSIGN(const std::string padding, node.text("padding_mode", "zeros"));
  SD_ASSIGN(how.alignCorners, node.integer("align_corners", 0));
  if (mode == "nearest")
    how.taps = 1;
  else if (mode == "cubic" || mode == "bicubic")
    how.taps = 4;
  else if (mode != "linear" && mode != "bilinear")
    return fail("samples in mode '{}'; use nearest, linear or cubic", printable(mode));
  if (padding == "border")
    how.padding = Padding::Border;
  else if (padding == "reflection")
    how.padding = Padding::Reflection;
  else if (padding != "zeros")
    return fail("pads with '{}'; use zeros, border or reflection", printable(padding));
  return how;
}

// For each place the taps along each axis of x, whose spatial sizes are `sizes`. The grid's last axis has the
// coordinates, the last axis of x first, from -1 to 1.
Expected<std::vector<std::vector<Tap>>> readTaps(std::span<const float> grid, std::span<const std::int64_t> sizes,
                                                 const GridSampling &how) {
  std::vector<std::vector<Tap>> taps;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const auto size = static_cast<double>(sizes[sizes.size() - 1 - i % sizes.size()]);
    const double g = grid[i];
    if (!std::isfinite(g)) return fail("has a grid with NaN or an infinity");
    const double place = how.alignCorners ? (g + 1) / 2 * (size - 1) : ((g + 1) * size - 1) / 2;
    const Border border = how.alignCorners ? Border{0, size - 1, static_cast<std::int64_t>(size)}
                                           : Border{-0.5, size - 0.5, static_cast<std::int64_t>(size)};
    taps.push_back(tapsAt(place, border, how));
  }
  return taps;
}

// Of one image, [1, C, all elements]: the sum over one tap of each axis, for all ways to take one.
Expected<Value> sample(Emitter &emitter, const Value &x, std::span<const std::int64_t> sizes,
                       const std::vector<std::vector<Tap>> &taps, int each) {
  const std::size_t rank = sizes.size(), places = taps.size() / rank;
  std::size_t ways = 1;
  for (std::size_t axis = 0; axis < rank; ++axis)
    ways *= static_cast<std::size_t>(each);
  Value sum;
  for (std::size_t way = 0; way < ways; ++way) {
    std::vector<std::int64_t> indices(places, 0);
    Tensor<float> weights({1, 1, static_cast<std::int64_t>(places)}, 0.0f);
    for (std::size_t p = 0; p < places; ++p) {
      std::int64_t index = 0, stride = 1;
      double weight = 1;
      std::size_t rest = way;
      for (std::size_t k = 0; k < rank; ++k) { // the last axis first, as the grid has them
        const Tap &tap = taps[p * rank + k][rest % static_cast<std::size_t>(each)];
        rest /= static_cast<std::size_t>(each);
        index = tap.at == kZero || index == kZero ? kZero : index + tap.at * stride;
        stride *= sizes[rank - 1 - k];
        weight *= tap.weight;
      }
      indices[p] = weight == 0 ? kZero : index;
      weights.data[p] = static_cast<float>(weight);
    }
    if (std::ranges::all_of(indices, [](std::int64_t i) { return i == kZero; })) continue;
    SD_ASSIGN(Value part, gatherOrZero(emitter, x, 2, std::move(indices)));
    if (each > 1) {
      SD_ASSIGN(part, emitter.arithmetic(OpKind::Mul, part, Value::of(std::move(weights))));
    }
    if (sum.isNone()) {
      sum = part;
    } else {
      SD_ASSIGN(sum, emitter.arithmetic(OpKind::Add, sum, part));
    }
  }
  if (sum.isNone()) return fail("has a grid outside of the image everywhere");
  return sum;
}

} // namespace

Expected<void> importGridSample(Node &node, Emitter &emitter) {
  const Value &x = node.input(0), &grid = node.input(1);
  SD_ASSIGN(const GridSampling how, readSampling(node));
  SD_TRY(node.expectConstant(1, "grid"));
  const std::int64_t rank = x.rank() - 2;
  if (rank < 1 || rank > 3 || grid.isInteger() || grid.rank() != x.rank() || grid.shape().back() != rank ||
      grid.shape()[0] != x.shape()[0])
    return fail("is given {} and a grid of {}", describe(x), describe(grid));
  if (how.taps == 4 && rank != 2) return fail("samples {} axes in mode cubic; use linear", rank);
  const std::span<const std::int64_t> sizes(x.shape().begin() + 2, x.shape().end());
  const std::int64_t count = x.shape()[0], channels = x.shape()[1];
  SD_ASSIGN(const Value flat, emitter.reshape(x, {count, channels, x.size() / (count * channels)}));
  const std::size_t each = grid.floats()->data.size() / static_cast<std::size_t>(count);
  SD_TRY(emitter.takeBudget({static_cast<std::int64_t>(each) * how.taps, rank == 1 ? 1 : how.taps}));
  std::vector<Value> images;
  for (std::int64_t n = 0; n < count; ++n) {
    SD_ASSIGN(const Value image, emitter.gather(flat, 0, {n}));
    const std::span<const float> own(grid.floats()->data.data() + static_cast<std::size_t>(n) * each, each);
    SD_ASSIGN(const auto taps, readTaps(own, sizes, how));
    SD_ASSIGN(Value result, sample(emitter, image, sizes, taps, how.taps));
    images.push_back(std::move(result));
  }
  SD_ASSIGN(const Value all, emitter.concat(std::move(images), 0));
  Shape shape = {count, channels};
  shape.insert(shape.end(), grid.shape().begin() + 1, grid.shape().end() - 1);
  SD_ASSIGN(Value result, emitter.reshape(all, std::move(shape)));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
