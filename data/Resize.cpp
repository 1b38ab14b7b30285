#include <algorithm>
#include <cmath>

#include "data/Image.h"

namespace sd {

namespace {

// Which elements of a line make one of the resized line.
struct Taps {
  std::int64_t first = 0;
  std::vector<double> weights; // their sum is 1
};

// Pillow's Resample.c: a triangle, as wide as what one pixel is made of.
std::vector<Taps> tapsOf(std::int64_t from, std::int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to), wide = std::max(scale, 1.0);
  std::vector<Taps> all(static_cast<std::size_t>(to));
  for (std::int64_t i = 0; i < to; ++i) {
    Taps &taps = all[static_cast<std::size_t>(i)];
    const double center = (static_cast<double>(i) + 0.5) * scale;
    taps.first = std::max<std::int64_t>(0, static_cast<std::int64_t>(center - wide + 0.5));
    const std::int64_t end = std::min(from, static_cast<std::int64_t>(center + wide + 0.5));
    double sum = 0;
    for (std::int64_t x = taps.first; x < end; ++x)
      sum += taps.weights.emplace_back(std::max(0.0, 1 - std::abs((static_cast<double>(x) - center + 0.5) / wide)));
    for (double &weight : taps.weights)
      weight /= sum;
  }
  return all;
}

} // namespace

Image resize(const Image &image, std::int64_t height, std::int64_t width) {
  const std::int64_t c = image.channels;
  Image lines{image.height, width, c, {}}; // first along the lines, as Pillow does
  lines.light.resize(static_cast<std::size_t>(image.height * width * c));
  const std::vector<Taps> across = tapsOf(image.width, width), down = tapsOf(image.height, height);
  for (std::int64_t y = 0; y < image.height; ++y)
    for (std::int64_t x = 0; x < width; ++x)
      for (std::int64_t k = 0; k < c; ++k) {
        const Taps &taps = across[static_cast<std::size_t>(x)];
        double sum = 0;
        for (std::size_t i = 0; i < taps.weights.size(); ++i)
          sum += taps.weights[i] * static_cast<double>(image.light[static_cast<std::size_t>(
                                       (y * image.width + taps.first + static_cast<std::int64_t>(i)) * c + k)]);
        lines.light[static_cast<std::size_t>((y * width + x) * c + k)] = static_cast<float>(sum);
      }
  Image result{height, width, c, {}};
  result.light.resize(static_cast<std::size_t>(height * width * c));
  const std::int64_t row = width * c;
  for (std::int64_t y = 0; y < height; ++y)
    for (std::int64_t x = 0; x < row; ++x) {
      const Taps &taps = down[static_cast<std::size_t>(y)];
      double sum = 0;
      for (std::size_t i = 0; i < taps.weights.size(); ++i)
        sum += taps.weights[i] *
               static_cast<double>(
                   lines.light[static_cast<std::size_t>((taps.first + static_cast<std::int64_t>(i)) * row + x)]);
      result.light[static_cast<std::size_t>(y * row + x)] = static_cast<float>(sum);
    }
  return result;
}

} // namespace sd
