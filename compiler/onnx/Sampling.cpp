#include "compiler/onnx/Sampling.h"

#include <algorithm>
#include <cmath>

#include "compiler/onnx/LinearMap.h"

namespace sd {

double cubicWeight(double distance, double a) {
  const double d = std::abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

namespace {

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

} // namespace

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
  if (sum.isNone()) return fail("samples nothing but what lies outside of the image");
  return sum;
}

} // namespace sd
