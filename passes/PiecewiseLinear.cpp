#include "passes/PiecewiseLinear.h"

#include <algorithm>
#include <cmath>

namespace sd {

namespace {

double origin(const PiecewiseLinear &f) { return f.knots.empty() ? 0 : f.knots[0]; }

// A point inside piece i, of knots.size() + 1.
double inside(const std::vector<double> &knots, std::size_t i) {
  if (knots.empty()) return 0;
  if (i == 0) return knots.front() - 1;
  if (i == knots.size()) return knots.back() + 1;
  return (knots[i - 1] + knots[i]) / 2;
}

double slopeAt(const PiecewiseLinear &f, double x) {
  return f.slopes[std::ranges::lower_bound(f.knots, x) - f.knots.begin()];
}

// The function with these slopes on the pieces between `knots`, without knots that do not bend.
PiecewiseLinear joined(std::vector<double> knots, const std::vector<double> &slopes, double atFirst) {
  PiecewiseLinear result{{}, {slopes[0]}, atFirst};
  for (std::size_t i = 0; i < knots.size(); ++i) {
    if (slopes[i + 1] == result.slopes.back()) continue;
    if (result.knots.empty()) result.offset = atFirst + slopes[0] * (knots[i] - knots[0]);
    result.knots.push_back(knots[i]);
    result.slopes.push_back(slopes[i + 1]);
  }
  if (result.knots.empty() && !knots.empty()) result.offset = atFirst - slopes[0] * knots[0];
  return result;
}

} // namespace

double PiecewiseLinear::operator()(double x) const {
  double at = origin(*this), y = offset;
  if (knots.empty() || x <= at) return y + slopes[0] * (x - at);
  std::size_t i = 1;
  for (; i < knots.size() && x > knots[i]; ++i) {
    y += slopes[i] * (knots[i] - at);
    at = knots[i];
  }
  return y + slopes[i] * (x - at);
}

std::pair<double, double> PiecewiseLinear::range(double low, double high) const {
  const double a = (*this)(low), b = (*this)(high);
  auto result = std::pair(std::min(a, b), std::max(a, b));
  double y = offset;
  for (std::size_t i = 0; i < knots.size(); ++i) {
    if (i > 0) y += slopes[i] * (knots[i] - knots[i - 1]);
    if (knots[i] > low && knots[i] < high) result = {std::min(result.first, y), std::max(result.second, y)};
  }
  return result;
}

PiecewiseLinear PiecewiseLinear::of(const Attrs &attrs) {
  const auto &knots = attrs.floats(Attr::Knots).data, &slopes = attrs.floats(Attr::Slopes).data;
  return {{knots.begin(), knots.end()}, {slopes.begin(), slopes.end()}, attrs.f(Attr::Offset)};
}

Attrs PiecewiseLinear::attrs() const {
  auto list = [](const std::vector<double> &values) {
    Tensor<float> tensor(Shape{static_cast<std::int64_t>(values.size())});
    std::ranges::transform(values, tensor.data.begin(), [](double v) { return static_cast<float>(v); });
    return std::make_shared<const Tensor<float>>(std::move(tensor));
  };
  return {{Attr::Knots, list(knots)}, {Attr::Slopes, list(slopes)}, {Attr::Offset, offset}};
}

PiecewiseLinear operator+(const PiecewiseLinear &a, const PiecewiseLinear &b) {
  std::vector<double> knots, slopes;
  std::ranges::set_union(a.knots, b.knots, std::back_inserter(knots));
  for (std::size_t i = 0; i <= knots.size(); ++i)
    slopes.push_back(slopeAt(a, inside(knots, i)) + slopeAt(b, inside(knots, i)));
  const double first = knots.empty() ? 0 : knots[0];
  return joined(std::move(knots), slopes, a(first) + b(first));
}

PiecewiseLinear operator*(const PiecewiseLinear &f, double factor) {
  PiecewiseLinear result = f;
  for (auto &slope : result.slopes)
    slope *= factor;
  result.offset *= factor;
  return result;
}

PiecewiseLinear operator+(const PiecewiseLinear &f, double addend) {
  PiecewiseLinear result = f;
  result.offset += addend;
  return result;
}

PiecewiseLinear positivePart(const PiecewiseLinear &f) {
  std::vector<double> knots = f.knots;
  for (std::size_t i = 0; i <= f.knots.size(); ++i) { // where a piece crosses zero
    if (f.slopes[i] == 0) continue;
    const double at = f.knots.empty() ? 0 : f.knots[i == 0 ? 0 : i - 1];
    const double zero = at - f(at) / f.slopes[i];
    if ((i == 0 || zero > f.knots[i - 1]) && (i == f.knots.size() || zero < f.knots[i])) knots.push_back(zero);
  }
  std::ranges::sort(knots);
  knots.erase(std::ranges::unique(knots).begin(), knots.end());
  std::vector<double> slopes;
  for (std::size_t i = 0; i <= knots.size(); ++i) {
    const double x = inside(knots, i);
    slopes.push_back(f(x) > 0 ? slopeAt(f, x) : 0);
  }
  const double first = knots.empty() ? 0 : knots[0];
  return joined(std::move(knots), slopes, std::max(f(first), 0.0));
}

PiecewiseLinear IntegerPieces::reals() const {
  PiecewiseLinear f{{}, {}, 0};
  for (auto k : knots)
    f.knots.push_back(std::ldexp(static_cast<double>(k), -scale));
  for (auto m : slopes)
    f.slopes.push_back(std::ldexp(static_cast<double>(m), -slopeBits));
  f.offset = std::ldexp(static_cast<double>(constant), -scale - slopeBits) + f.slopes[0] * origin(f);
  return f;
}

namespace {
constexpr int kMostFiner = 10;
}

int slopeBitsOf(const PiecewiseLinear &f, const PieceFormat &format) {
  const int scale = format.scale;
  if (f.knots.empty() || f.slopes.front() != 0 || f.slopes.back() != 0) {
    double steepest = 0, most = std::abs(f.offset); // at the knots
    for (const double slope : f.slopes)
      steepest = std::max(steepest, std::abs(slope));
    for (const double knot : f.knots)
      most = std::max(most, std::abs(f(knot)));
    const auto bitsBelowOne = [](double v) { return -static_cast<int>(std::ceil(std::log2(std::max(v, 0x1p-10)))); };
    const int room = format.boundBits - 2 - 2 * scale + bitsBelowOne(most);
    return scale + std::max(std::min({bitsBelowOne(steepest), room, kMostFiner}), 0);
  }
  double longest = 1; // run between knots, over which an error of the slope grows
  for (std::size_t i = 1; i < f.knots.size(); ++i)
    longest = std::max(longest, f.knots[i] - f.knots[i - 1]);
  const int wanted = scale + format.guard + 3 + static_cast<int>(std::ceil(std::log2(longest)));
  const auto [low, high] = f.range(f.knots.front(), f.knots.back());
  const double most = 1.25 * std::max({std::abs(low), std::abs(high), 0x1p-10}); // the same once rounded
  const int room = format.boundBits - 1 - scale - static_cast<int>(std::ceil(std::log2(most)));
  return std::clamp(room, scale, std::min(wanted, scale + format.guard + 10));
}

IntegerPieces rounded(const PiecewiseLinear &f, const PieceFormat &format) {
  const int scale = format.scale, slopeBits = slopeBitsOf(f, format);
  IntegerPieces result;
  result.scale = scale;
  result.slopeBits = slopeBits;
  // What does not fit is refused later; here its products must not overflow.
  constexpr double kMost = 0x1p31, kMostValue = 0x1p60;
  auto fixed = [](double v, int bits, double most) {
    return std::llround(std::clamp(std::ldexp(v, bits), -most, most));
  };
  result.slopes.push_back(fixed(f.slopes.front(), slopeBits, kMost));
  std::int64_t y = 0; // at the last knot
  for (std::size_t i = 0; i < f.knots.size(); ++i) {
    const std::int64_t knot = fixed(f.knots[i], scale, kMost);
    const auto wanted = static_cast<double>(fixed(f(f.knots[i]), scale + slopeBits, kMostValue));
    if (result.knots.empty()) {
      y = static_cast<std::int64_t>(wanted);
      result.constant = y - result.slopes[0] * knot;
    } else if (const std::int64_t run = knot - result.knots.back(); run > 0) {
      const std::int64_t slope = std::llround((wanted - static_cast<double>(y)) / static_cast<double>(run));
      result.slopes.push_back(slope);
      y += slope * run;
    } else {
      continue; // two knots in one place
    }
    result.knots.push_back(knot);
  }
  result.slopes.push_back(fixed(f.slopes.back(), slopeBits, kMost));
  return result;
}

} // namespace sd
