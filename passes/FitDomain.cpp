#include "passes/FitDomain.h"

#include <algorithm>
#include <cmath>

namespace sd {

namespace {

constexpr double kRatio = 40;      // between the ends of a part: slopes then keep enough bits
constexpr double kBeyond = 1.1;    // times the limit, which the analysis of ranges refuses
constexpr double kInside = 0x1p-4; // f of a shifted argument has values this far below 0
using Function = std::function<double(double)>;

bool fits(double y, double limit) { return std::isfinite(y) && std::abs(y) <= limit; }

// Where |f| leaves the limit on the way to larger x, which is `most` at most.
double endOf(const Function &f, double limit, double most) {
  if (fits(f(most), limit)) return most;
  double low = 0, high = most;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (fits(f(middle), limit) ? low : high) = middle;
  }
  return high;
}

double errorOf(const DomainFit &fit, const Function &f, double low, double high) {
  double worst = 0;
  const auto look = [&](double x) {
    double y = 0;
    for (const PiecewiseLinear &part : fit.parts)
      y += part(x);
    worst = std::max(worst, std::abs(y - f(x)) / std::max(std::abs(f(x)), kLeastWeight));
  };
  constexpr int kPoints = 8192;
  for (int i = 0; i <= kPoints; ++i) {
    const double part = static_cast<double>(i) / kPoints;
    look(low + (high - low) * part);
    if (low > 0) look(low * std::pow(high / low, part));
  }
  return worst;
}

} // namespace

std::size_t DomainFit::knots() const {
  std::size_t count = 0;
  for (const PiecewiseLinear &part : parts)
    count += part.knots.size();
  return count;
}

Expected<DomainFit> fitOnDomain(const std::function<double(double)> &f, const FitOptions &options) {
  const double unit = std::ldexp(1.0, -options.scale);
  const double limit = std::ldexp(1.0, options.boundBits - 2 * options.scale);
  if (limit < 2) return fail("integers below 2^{} leave its results no room", options.boundBits);
  FitOptions each = options;
  DomainFit fit;
  if (fits(f(-limit), limit)) { // exp, and what is made of it
    const double high = endOf(f, kBeyond * limit, limit);
    each.weight = [=](double x) { return std::max(std::abs(f(std::min(x, high))), kLeastWeight); };
    SD_ASSIGN(const Fit whole, fitPiecewise([=](double x) { return f(std::min(x, high)); }, each));
    fit.parts.push_back(whole.function);
    fit.error = errorOf(fit, f, -limit, endOf(f, limit, limit));
    return fit;
  }
  if (std::isfinite(f(-kInside))) return fail("it ends at some negative number");
  const bool hasZero = fits(f(0), limit);
  double low = hasZero ? 0 : unit;
  while (!hasZero && low < 1 && !fits(f(low), limit / 2))
    low *= 2;
  if (!fits(f(std::max(low, unit)), limit)) return fail("it is beyond {:g} for all small numbers", limit);
  if (!fits(f(limit), limit)) return fail("it is beyond {:g} for numbers below that", limit);
  // Where f does not exist, beyond the limit.
  const double slope = hasZero ? 0 : (f(low) - std::copysign(kBeyond * limit, f(low))) / low;
  const double steep = std::ldexp(1.0, options.boundBits - 3 - options.scale);
  for (double from = hasZero ? 1 / kRatio : low; from < limit; from *= kRatio) {
    const bool isFirst = fit.parts.empty();
    const double start = isFirst ? low : from, to = std::min(from * kRatio, limit), end = to < limit ? f(to) : 0;
    each.weight = [=](double x) { return std::max(std::abs(f(std::clamp(x, start, to))), kLeastWeight); };
    SD_ASSIGN(const Fit part, fitPiecewise(
                                  [=](double x) {
                                    const double before = isFirst ? std::min(x - start, 0.0) : 0;
                                    const double beyond = to == limit ? std::max(x - to, 0.0) : 0;
                                    return f(std::clamp(x, start, to)) - end + slope * before + steep * beyond;
                                  },
                                  each));
    fit.parts.push_back(part.function + (f(to) - end - part.function(to)));
  }
  fit.error = errorOf(fit, f, low, limit);
  return fit;
}

} // namespace sd
