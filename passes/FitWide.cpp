#include "passes/FitWide.h"

#include <algorithm>
#include <cmath>

namespace sd {

namespace {

constexpr double kStep = 1.03125;  // between the arguments that are looked at
constexpr double kMostMissed = 16; // times the error that is asked for
constexpr double kMost = 0x1p18;   // whatever the ring holds: steeper slopes are not written
constexpr double kLeastFactor = 1.0 / 16;
constexpr double kFactorReach = 0x1p19;
constexpr int kFactorGuard = 4;  // bits
constexpr double kOverflow = 64; // the formula's own floats have no value beyond about 88, if it has an exponential

// The argument from `inside` towards `outside` at which |f| reaches `most`.
double edge(const std::function<double(double)> &f, double inside, double outside, double most) {
  for (int i = 0; i < 60; ++i) {
    const double middle = (inside + outside) / 2;
    (std::abs(f(middle)) <= most ? inside : outside) = middle;
  }
  return inside;
}

// f between the ends of where it is to be followed, and what it goes on as beyond.
struct Extended {
  std::function<double(double)> f;
  double ends[2], slopes[2];
  double operator()(double x) const {
    const int side = x < ends[0] ? 0 : 1;
    if (side == 1 && x <= ends[1]) return f(x);
    return f(ends[side]) + slopes[side] * (x - ends[side]);
  }
};

Expected<Extended> extended(const std::function<double(double)> &f, bool nonNegative, double reach,
                            const FitOptions &options) {
  const double room = std::ldexp(1.0, options.boundBits - 1 - options.scale);
  const double far = std::min(room, reach), most = std::min(room / 2, kMost);
  const double step = std::ldexp(1.0, -options.scale);
  Extended result{f, {nonNegative ? 0 : -far, far}, {0, 0}};
  if (!std::isfinite(f(0))) return fail("it has no value at 0; add a small positive number to its operand before");
  if (std::abs(f(0)) > most) return fail("it is {:.3g} at 0, too large for the scale", f(0));
  for (const int side : {0, 1}) {
    const double sign = side == 0 ? -1 : 1;
    double &end = result.ends[side];
    double last = 0;
    for (double x = step; x <= std::abs(end); last = sign * x, x *= kStep) {
      const double y = f(sign * x);
      if (std::isnan(y) && x >= kOverflow) {
        end = last;
        break;
      }
      if (std::isnan(y))
        return fail("it has no value at {:.3g}; put a {} before it", sign * x, side == 0 ? "Relu or a Clip" : "Clip");
      if (std::abs(y) <= most) continue;
      end = edge(f, last, sign * x, most);
      result.slopes[side] = sign * (f(end) - f(end - sign * step)) / step;
      break;
    }
  }
  return result;
}

} // namespace

Expected<Fit> fitWide(const std::function<double(double)> &f, bool nonNegative, double reach, FitOptions options) {
  SD_ASSIGN(const Extended g, extended(f, nonNegative, reach, options));
  options.weight = [&](double x) { return std::max(std::abs(g(x)), 1.0); };
  SD_ASSIGN(Fit fit, fitPiecewise(g, options));
  if (fit.error > kMostMissed * options.error)
    return fail(
        "it would be off by up to {:.3g} in parts of the value, more than {:g} times the {:.3g} asked for, as it "
        "bends too sharply for the scale",
        fit.error, kMostMissed, options.error);
  fit.reach = reach;
  return fit;
}

Expected<Fit> fitFactor(const std::function<double(double)> &f, bool nonNegative, FitOptions options) {
  SD_ASSIGN(const Extended g, extended(f, nonNegative, kFactorReach, options));
  options.guard = std::clamp((options.boundBits - 2) / 2 - options.scale, 0, kFactorGuard);
  options.weight = [&](double x) { return std::max(std::abs(g(x)), kLeastFactor); };
  return fitPiecewise(g, options);
}

} // namespace sd
