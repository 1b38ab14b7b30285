#include "passes/InverseRoot.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace sd {

namespace {

constexpr int kOctaves = 6;              // of a band
constexpr int kBandBits = 15;            // of X: its rounding is 2^-10 of T at most
constexpr int kSumBits = 30;             // enough for X, slopes and values
constexpr int kLeastTBits = 9;           // T below is too coarse for the error that is stated
constexpr std::int64_t kMeasured = 8191; // points of a band at which the error is measured

std::int64_t halfUp(std::int64_t v, int bits) { return bits == 0 ? v : (v + (std::int64_t{1} << (bits - 1))) >> bits; }

double leastArgument(const InverseRootOptions &options) { return std::max(options.offset, 1.0); }

// In units of the result.
double exact(const InverseRootOptions &options, double t) {
  return std::ldexp(options.factor, options.scale) / std::sqrt(std::max(t + options.offset, leastArgument(options)));
}

// Between knots at ratio q a chord of u^(-1/2) is above it by up to 3/32 (log q)^2, and half of that if it is moved.
int piecesFor(double ratio, double error) {
  return std::max(1, static_cast<int>(std::ceil(std::log(ratio) / std::sqrt(64.0 / 3 * error))));
}

InverseRootBand fitBand(const InverseRootOptions &options, std::int64_t low) {
  const std::int64_t most = std::int64_t{1} << options.boundBits;
  const double from = std::max(static_cast<double>(low) + options.offset, leastArgument(options));
  const double to = from * (1 << kOctaves) - options.offset;
  InverseRootBand band;
  band.low = low;
  const std::int64_t wanted = to < static_cast<double>(most) ? std::max<std::int64_t>(std::llround(to), low + 1) : most;
  band.bits = std::max(0, static_cast<int>(std::ceil(std::log2(static_cast<double>(wanted - low)))) - kBandBits);
  const auto argument = [&](std::int64_t x) { return static_cast<double>(low + (x << band.bits)); };
  const std::int64_t end = std::max<std::int64_t>((wanted - low) >> band.bits, 1);
  if (wanted < most) band.high = low + (end << band.bits); // a whole number of units
  const double last = exact(options, argument(end)), first = exact(options, argument(0)) - last;
  const int room = std::min(options.boundBits, kSumBits) - 2;
  band.slopeBits = std::max(0, room - static_cast<int>(std::ceil(std::log2(std::max(first, 1.0)))));

  const double error = options.error / 2; // the rest is rounding
  const double ratio = (argument(end) + options.offset) / from;
  const int pieces = piecesFor(ratio, error);
  std::vector<std::int64_t> places{0};
  for (int i = 1; i < pieces; ++i) {
    const double u = from * std::pow(ratio, static_cast<double>(i) / pieces);
    const auto x = std::llround(std::ldexp(u - options.offset - static_cast<double>(low), -band.bits));
    if (x > places.back() && x < end) places.push_back(x);
  }
  places.push_back(end);
  // From the end, where it is exactly 0.
  std::int64_t y = 0;
  for (std::size_t i = places.size() - 1; i-- > 0;) {
    const std::int64_t run = places[i + 1] - places[i];
    const double value = exact(options, argument(places[i]));
    const double at = std::ldexp(value * (run > 1 ? 1 - error / 2 : 1) - last, band.slopeBits);
    const std::int64_t slope = std::llround((at - static_cast<double>(y)) / static_cast<double>(run));
    band.slopes.insert(band.slopes.begin(), -slope);
    y += slope * run;
    if (i > 0) band.knots.insert(band.knots.begin(), places[i]);
  }
  band.constant = y;
  return band;
}

double errorAt(const InverseRoot &root, const InverseRootOptions &options, std::int64_t t) {
  return std::abs(static_cast<double>(root(t)) / exact(options, static_cast<double>(t)) - 1);
}

} // namespace

std::int64_t InverseRootBand::operator()(std::int64_t t) const {
  const std::int64_t above = std::max<std::int64_t>((high ? std::min(t, high) : t) - low, 0);
  const std::int64_t x = halfUp(above, bits);
  std::int64_t y = constant + slopes[0] * x;
  for (std::size_t i = 0; i < knots.size(); ++i)
    y += (slopes[i + 1] - slopes[i]) * std::max<std::int64_t>(x - knots[i], 0);
  return halfUp(y, slopeBits);
}

std::int64_t InverseRoot::operator()(std::int64_t t) const {
  std::int64_t sum = rest;
  for (const InverseRootBand &band : bands)
    sum += band(t);
  return sum;
}

std::size_t InverseRoot::knots() const {
  std::size_t count = 0;
  for (const InverseRootBand &band : bands)
    count += band.knots.size() + 1;
  return count;
}

double largestInverseRoot(const InverseRootOptions &options) { return exact(options, 0); }

InverseRoot fitInverseRoot(const InverseRootOptions &options) {
  assert(largestInverseRoot(options) < std::ldexp(1.0, options.boundBits - 2));
  const std::int64_t most = std::int64_t{1} << options.boundBits;
  InverseRoot root;
  std::int64_t low = 0;
  do {
    root.bands.push_back(fitBand(options, low));
    low = root.bands.back().high;
  } while (low != 0);
  const InverseRootBand &last = root.bands.back();
  const std::int64_t end = last.low + ((most - last.low) >> last.bits << last.bits);
  root.rest = std::llround(exact(options, static_cast<double>(end)));
  root.least = options.offset < 1 << kLeastTBits ? 1 << kLeastTBits : 0;
  for (const InverseRootBand &band : root.bands) {
    const std::int64_t high = band.high ? band.high : most, start = std::max(band.low, root.least);
    const std::int64_t step = std::max<std::int64_t>((high - start) / kMeasured, 1);
    for (std::int64_t t = start; t < high; t += step)
      root.error = std::max(root.error, errorAt(root, options, t));
  }
  return root;
}

} // namespace sd
