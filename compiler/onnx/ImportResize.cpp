// Resize and Upsample: to the nearest neighbour a gather along each axis, else a product with a matrix.
#include "compiler/onnx/Handlers.h"

#include <algorithm>
#include <cmath>

#include "compiler/onnx/LinearMap.h"
#include "compiler/onnx/Sampling.h"

namespace sd {
namespace {

constexpr std::int64_t kLongest = std::int64_t{1} << 20;

struct Sampling {
  std::string coordinates = "asymmetric", rounding = "floor"; // what Upsample and Resize at opset 10 do
};

struct ResizedAxis {
  std::int64_t from, to;
  float scale;
};

Expected<float> sourceOf(const Sampling &sampling, const ResizedAxis &axis, std::int64_t position) {
  const auto i = static_cast<float>(position);
  const std::string &mode = sampling.coordinates;
  if (mode == "asymmetric") return i / axis.scale;
  if (mode == "half_pixel" || (mode == "pytorch_half_pixel" && axis.to > 1)) return (i + 0.5f) / axis.scale - 0.5f;
  if (mode == "pytorch_half_pixel") return 0.0f;
  if (mode == "tf_half_pixel_for_nn") return (i + 0.5f) / axis.scale;
  if (mode == "align_corners")
    return axis.to == 1 ? 0.0f : i * static_cast<float>(axis.from - 1) / static_cast<float>(axis.to - 1);
  return fail("maps coordinates by '{}'; use asymmetric, half_pixel or align_corners", printable(mode));
}

Expected<std::int64_t> nearest(const Sampling &sampling, const ResizedAxis &axis, std::int64_t position) {
  SD_ASSIGN(const float x, sourceOf(sampling, axis, position));
  const std::string &mode = sampling.rounding;
  float rounded = 0;
  if (mode == "floor")
    rounded = std::floor(x);
  else if (mode == "ceil")
    rounded = std::ceil(x);
  else if (mode == "round_prefer_floor")
    rounded = std::ceil(x - 0.5f);
  else if (mode == "round_prefer_ceil")
    rounded = std::floor(x + 0.5f);
  else
    return fail("has the nearest_mode '{}'", printable(mode));
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(rounded), 0, axis.from - 1);
}

// How interpolation weighs the elements beside a position.
struct Interpolation {
  bool cubic = false, excludeOutside = false;
  double a = -0.75; // of cubicWeight()
};

double weightOf(const Interpolation &how, double distance) {
  return how.cubic ? cubicWeight(distance, how.a) : std::max(1 - std::abs(distance), 0.0);
}

// [from, to]: each result is a weighted sum of elements along the axis; beyond the edges they repeat.
Expected<Tensor<float>> interpolation(const Sampling &sampling, const Interpolation &how, const ResizedAxis &axis) {
  if (axis.from > kLongest / axis.to * 64) return fail("interpolates axes that are too long");
  Tensor<float> matrix({axis.from, axis.to}, 0.0f);
  for (std::int64_t i = 0; i < axis.to; ++i) {
    SD_ASSIGN(const double x, sourceOf(sampling, axis, i));
    const auto first = static_cast<std::int64_t>(std::floor(x)) - 1;
    double sum = 0;
    for (int pass = 0; pass < 2; ++pass) // the sum, then the weights divided by it
      for (std::int64_t at = first; at < first + 4; ++at) {
        const bool outside = at < 0 || at >= axis.from;
        if (how.excludeOutside && outside) continue;
        const double weight = weightOf(how, x - static_cast<double>(at));
        const std::int64_t row = std::clamp<std::int64_t>(at, 0, axis.from - 1);
        if (pass == 0)
          sum += weight;
        else
          matrix.data[static_cast<std::size_t>(row * axis.to + i)] += static_cast<float>(weight / sum);
      }
  }
  return matrix;
}

Expected<std::vector<double>> readScales(Node &node) {
  const std::size_t at = node.opset() < 11 ? 1 : 2;
  if (node.op() == "Upsample" && node.opset() < 9) return node.reals("scales");
  if (!node.has(at)) return std::vector<double>{};
  SD_TRY(node.expectConstant(at, "scales"));
  if (node.input(at).isInteger()) return fail("its scales must be floats");
  const auto &scales = node.input(at).floats()->data;
  return std::vector<double>(scales.begin(), scales.end());
}

// How each axis of the input changes.
Expected<std::vector<ResizedAxis>> readAxes(Node &node, bool alignCorners) {
  const Shape &x = node.input(0).shape();
  SD_ASSIGN(const std::vector<double> scales, readScales(node));
  std::vector<std::int64_t> sizes;
  if (scales.empty()) {
    SD_ASSIGN(sizes, node.constantInts(3, "sizes"));
  }
  const std::size_t count = scales.empty() ? sizes.size() : scales.size();
  SD_ASSIGN(std::vector<std::int64_t> which, node.integers("axes"));
  if (which.empty())
    for (std::size_t i = 0; i < x.size(); ++i)
      which.push_back(static_cast<std::int64_t>(i));
  if (which.size() != count) return fail("resizes {} axes with {} scales or sizes", which.size(), count);
  SD_TRY(normalizedAxes(which, node.input(0).rank()));

  std::vector<ResizedAxis> axes;
  for (std::int64_t size : x)
    axes.push_back({size, size, 1.0f});
  for (std::size_t i = 0; i < count; ++i) {
    SD_ASSIGN(const std::int64_t at, normalizedAxis(which[i], node.input(0).rank()));
    ResizedAxis &axis = axes[static_cast<std::size_t>(at)];
    const double length =
        scales.empty() ? static_cast<double>(sizes[i]) : std::floor(static_cast<double>(axis.from) * scales[i]);
    if (!(length >= 1 && length <= static_cast<double>(kLongest)))
      return fail("resizes an axis of {} elements to {}", axis.from, length);
    axis.to = static_cast<std::int64_t>(length);
    // Implementations differ in whether the corners of the exact or of the rounded length are meant.
    if (alignCorners && !scales.empty() && length != static_cast<double>(axis.from) * scales[i])
      return fail("aligns corners at a scale of {} of an axis of {} elements, no whole number; export it with sizes",
                  scales[i], axis.from);
    axis.scale = static_cast<float>(scales.empty() ? length / static_cast<double>(axis.from) : scales[i]);
  }
  return axes;
}

} // namespace

Expected<void> importResize(Node &node, Emitter &emitter) {
  SD_ASSIGN(const std::string mode, node.text("mode", "nearest"));
  if (mode != "nearest" && mode != "linear" && mode != "cubic")
    return fail("interpolates in mode '{}'; use nearest, linear or cubic", printable(mode));
  SD_ASSIGN(const bool antialias, node.integer("antialias", 0));
  if (antialias && mode != "nearest") return fail("filters against aliasing; resize with antialias = 0");
  Interpolation how{.cubic = mode == "cubic"};
  SD_ASSIGN(how.a, node.real("cubic_coeff_a", -0.75));
  SD_ASSIGN(how.excludeOutside, node.integer("exclude_outside", 0));
  node.ignore("extrapolation_value"); // of tf_crop_and_resize
  SD_ASSIGN(const std::string policy, node.text("keep_aspect_ratio_policy", "stretch"));
  if (policy != "stretch") return fail("has the keep_aspect_ratio_policy '{}'", printable(policy));
  Sampling sampling;
  if (node.op() == "Resize" && node.opset() >= 11) {
    SD_ASSIGN(sampling.coordinates, node.text("coordinate_transformation_mode", "half_pixel"));
    SD_ASSIGN(sampling.rounding, node.text("nearest_mode", "round_prefer_floor"));
  }
  SD_ASSIGN(const std::vector<ResizedAxis> axes, readAxes(node, sampling.coordinates == "align_corners"));
  Value result = node.input(0);
  for (std::size_t at = 0; at < axes.size(); ++at) {
    if (axes[at].to == axes[at].from && axes[at].scale == 1.0f) continue;
    if (mode != "nearest") {
      SD_TRY(emitter.takeBudget({axes[at].from, axes[at].to}));
      SD_ASSIGN(Tensor<float> matrix, interpolation(sampling, how, axes[at]));
      SD_ASSIGN(result, mapAlong(emitter, result, static_cast<std::int64_t>(at), std::move(matrix)));
      continue;
    }
    std::vector<std::int64_t> indices;
    for (std::int64_t i = 0; i < axes[at].to; ++i) {
      SD_ASSIGN(const std::int64_t index, nearest(sampling, axes[at], i));
      indices.push_back(index);
    }
    SD_ASSIGN(result, emitter.gather(result, static_cast<std::int64_t>(at), std::move(indices)));
  }
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
