#include "passes/FitPiecewise.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace sd {

namespace {

constexpr double kFar = 0x1p30;
constexpr int kLevels = 8;       // offsets tried on either side of f
constexpr double kFineness = 64; // the grid's own chords are so much closer to f than the tube is wide
constexpr std::size_t kMaxGrid = 20000;

using Function = std::function<double(double)>;

struct Line {
  double slope = 0, constant = 0;
  double operator()(double x) const { return slope * x + constant; }
};

// The line that f approaches towards side * infinity.
Expected<Line> tail(const Function &f, double side) {
  const double far = side * kFar;
  auto slopeFrom = [&](double x) { return (f(2 * x) - f(x)) / x; };
  double slope = slopeFrom(far);
  if (!(std::abs(slope - slopeFrom(far / 1024)) <= 1e-6 * (1 + std::abs(slope))))
    return fail("it is not linear for large {} values", side < 0 ? "negative" : "positive");
  if (std::abs(slope) < 1e-9) slope = 0;
  const double constant = f(far) - slope * far;
  return Line{slope, std::abs(constant) < 1e-6 ? 0 : constant};
}

// The least distance from 0 beyond which f is within the error of its line.
double reachOf(const Function &f, const Function &error, const Line &line, double side) {
  for (double x = kFar; x > 0x1p-12; x /= 1.0625)
    if (std::abs(f(side * x) - line(side * x)) > error(side * x)) return x * 1.0625;
  return 0x1p-12;
}

struct Problem {
  std::vector<double> x, y, weight; // the grid, and f and the error's weight on it
  Line left, right;
};

// Halves intervals until chords are close to f, from coarse ones that no bend of a network's activation hides in.
std::vector<double> gridOf(const Function &f, const Function &deviation, double low, double high, double step) {
  auto snapped = [step](double x) { return std::round(x / step) * step; };
  std::vector<double> grid;
  auto halve = [&](auto &self, double a, double b) -> void {
    const double middle = snapped((a + b) / 2);
    bool fine = middle <= a || middle >= b || grid.size() > kMaxGrid;
    if (!fine && b - a <= 1 + std::abs(a) / 8) {
      fine = true;
      for (double t : {0.25, 0.5, 0.75})
        fine &= std::abs(f(a + t * (b - a)) - (f(a) + t * (f(b) - f(a)))) <= deviation(a + t * (b - a));
    }
    if (fine) {
      grid.push_back(a);
      return;
    }
    self(self, a, middle);
    self(self, middle, b);
  };
  low = snapped(low) - step, high = snapped(high) + step;
  halve(halve, low, high);
  grid.push_back(high);
  return grid;
}

// A vertex of a path: a grid point and an offset from f, or a point on a tail.
struct Vertex {
  std::size_t at = 0;
  double y = 0;
};

// Fewest-segments paths in the tube f +- width times the weight, from the left tail to the right one.
class PathFinder {
public:
  PathFinder(const Problem &problem, double width)
      : p_(problem), width_(width), count_(problem.x.size()), states_(count_ * kPerPoint) {}

  // Vertices in order, the first on the left tail, the last on the right one; empty if there is none.
  std::vector<Vertex> run() {
    for (std::size_t i = 0; i < count_ && within(p_.left, i); ++i)
      states_[i * kPerPoint + kTail].length = 0;
    lastStart_ = count_;
    while (lastStart_ > 0 && within(p_.right, lastStart_ - 1))
      --lastStart_;
    for (std::size_t i = 0; i < count_; ++i)
      for (std::size_t k = 0; k < kPerPoint; ++k)
        if (states_[i * kPerPoint + k].length < bestLength_) extend(i, k);
    std::vector<Vertex> path;
    if (bestLength_ == kUnreached) return path;
    path.push_back({bestEnd_, p_.right(p_.x[bestEnd_])});
    for (std::size_t s = bestFrom_; s != kNone; s = states_[s].from)
      path.push_back({s / kPerPoint, valueOf(s / kPerPoint, s % kPerPoint)});
    std::ranges::reverse(path);
    return path;
  }

private:
  static constexpr std::size_t kPerPoint = 2 * kLevels + 2, kTail = kPerPoint - 1;
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  static constexpr int kUnreached = std::numeric_limits<int>::max();
  struct State {
    int length = kUnreached; // segments up to here
    std::size_t from = kNone;
  };

  double widthAt(std::size_t i) const { return width_ * p_.weight[i]; }
  bool within(const Line &line, std::size_t i) const { return std::abs(line(p_.x[i]) - p_.y[i]) <= widthAt(i); }
  double valueOf(std::size_t i, std::size_t k) const {
    if (k == kTail) return p_.left(p_.x[i]);
    return p_.y[i] + widthAt(i) * (static_cast<double>(k) - kLevels) / kLevels;
  }

  // All points that a segment from this one reaches without leaving the tube.
  void extend(std::size_t i, std::size_t k) {
    const std::size_t from = i * kPerPoint + k;
    const int length = states_[from].length + 1;
    const double x = p_.x[i], y = valueOf(i, k);
    double low = -std::numeric_limits<double>::infinity(), high = -low;
    for (std::size_t j = i + 1; j < count_ && low <= high; ++j) {
      const double run = p_.x[j] - x;
      auto reaches = [&](double target) { return (target - y) / run >= low && (target - y) / run <= high; };
      for (std::size_t to = 0; to < kTail; ++to)
        if (State &state = states_[j * kPerPoint + to]; length < state.length && reaches(valueOf(j, to)))
          state = {length, from};
      if (j >= lastStart_ && length < bestLength_ && reaches(p_.right(p_.x[j]))) {
        bestLength_ = length;
        bestFrom_ = from;
        bestEnd_ = j;
      }
      low = std::max(low, (p_.y[j] - widthAt(j) - y) / run);
      high = std::min(high, (p_.y[j] + widthAt(j) - y) / run);
    }
  }

  const Problem &p_;
  double width_;
  std::size_t count_, lastStart_ = 0; // where the right tail has begun
  std::vector<State> states_;
  int bestLength_ = kUnreached;
  std::size_t bestFrom_ = kNone, bestEnd_ = 0;
};

PiecewiseLinear through(const Problem &p, const std::vector<Vertex> &path) {
  PiecewiseLinear result{{}, {p.left.slope}, path.front().y};
  for (std::size_t i = 0; i < path.size(); ++i) {
    result.knots.push_back(p.x[path[i].at]);
    result.slopes.push_back(i + 1 < path.size() ? (path[i + 1].y - path[i].y) / (p.x[path[i + 1].at] - p.x[path[i].at])
                                                : p.right.slope);
  }
  return result;
}

// Least width with as few vertices as at `width`.
std::vector<Vertex> shortest(const Problem &problem, double width) {
  std::vector<Vertex> best = PathFinder(problem, width).run();
  double low = width / 4;
  for (int i = 0; i < 6 && !best.empty(); ++i) {
    const double middle = (low + width) / 2;
    auto path = PathFinder(problem, middle).run();
    if (path.empty() || path.size() > best.size()) {
      low = middle;
    } else {
      best = std::move(path);
      width = middle;
    }
  }
  return best;
}

double measured(const Function &f, const Function &weight, const Problem &p, const Fit &fit) {
  const PiecewiseLinear &g = fit.function;
  double worst = 0;
  auto look = [&](double x) {
    const double beyond = x < g.knots.front() ? g.knots.front() - x : std::max(x - g.knots.back(), 0.0);
    worst = std::max(worst, (std::abs(f(x) - g(x)) - fit.slopeError * beyond) / weight(x));
  };
  constexpr int kParts = 16;
  for (std::size_t i = 0; i + 1 < p.x.size(); ++i)
    for (int part = 0; part < kParts; ++part)
      look(p.x[i] + (p.x[i + 1] - p.x[i]) * part / kParts);
  for (double x = kFar; x > 1; x /= 1.03125) {
    look(p.x.back() + x);
    look(p.x.front() - x);
  }
  for (double knot : g.knots)
    look(knot);
  return worst;
}

} // namespace

Expected<Fit> fitPiecewise(const std::function<double(double)> &f, const FitOptions &options) {
  Problem problem;
  SD_ASSIGN(problem.left, tail(f, -1));
  SD_ASSIGN(problem.right, tail(f, 1));
  const double step = std::ldexp(1.0, -options.scale);
  const double error = std::max(options.error, std::ldexp(step, -1 - options.guard));
  const Function weight = options.weight ? options.weight : [](double) { return 1.0; };
  const Function reach = [&](double x) { return error / 8 * weight(x); };
  const Function deviation = [&](double x) { return error / kFineness * weight(x); };
  problem.x = gridOf(f, deviation, -reachOf(f, reach, problem.left, -1), reachOf(f, reach, problem.right, 1), step);
  if (problem.x.size() > kMaxGrid) return fail("it bends too often for {} pieces", options.maxKnots);
  for (double x : problem.x) {
    problem.y.push_back(f(x));
    problem.weight.push_back(weight(x));
  }
  if (!std::ranges::all_of(problem.y, [](double y) { return std::isfinite(y); })) return fail("it is not finite");

  std::optional<Fit> best;
  for (double part : {0.98, 0.94, 0.88, 0.8, 0.7, 0.55, 0.4}) { // room for the rounding of the slopes
    const auto path = shortest(problem, error * part);
    if (path.empty() || path.size() > options.maxKnots) break;
    Fit fit;
    fit.guard = options.guard;
    fit.function = rounded(through(problem, path), {options.scale, options.guard, options.boundBits}).reals();
    fit.slopeError = std::max(std::abs(fit.function.slopes.front() - problem.left.slope),
                              std::abs(fit.function.slopes.back() - problem.right.slope));
    fit.error = measured(f, weight, problem, fit);
    if (!best || fit.error < best->error) best = std::move(fit);
    if (best->error <= options.error) break;
  }
  if (!best) return fail("it would take more than {} pieces for an error of {:.3g}", options.maxKnots, options.error);
  return *best;
}

} // namespace sd
