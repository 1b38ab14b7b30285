// GridSample at constant places: each result is a weighted sum of elements, which are gathered and scaled.
#include "compiler/onnx/Handlers.h"

#include <algorithm>
#include <cmath>

#include "compiler/onnx/Sampling.h"

namespace sd {
namespace {

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
