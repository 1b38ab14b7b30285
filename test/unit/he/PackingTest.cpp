// Bytes of the chosen packings beside the best of the plain family: one polynomial holds a block of input channels of
// one square spatial tile with its halo, and gives a block of output channels.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "ir/core/LinearPacking.h"
#include "ir/core/OpRules.h"

namespace sd {
namespace {

struct Conv {
  std::int64_t in, out, kernel, stride, side, pad;
};

std::int64_t ceilDiv(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// At coefficients of 109, 44 and 38 bits, as a modulus of one more bit a prime and a wider flood would need.
double plainFamilyBytes(const Conv &layer) {
  constexpr std::int64_t kDegree = 4096;
  constexpr double kUploadBits = 109, kReplyBits = 44, kWantedBits = 38;
  auto [in, out, kernel, stride, side, pad] = layer;
  if (kernel == 1) {
    side = ceilDiv(side, stride);
    stride = 1;
  }
  const std::int64_t full = side + 2 * pad, wanted = (full - kernel) / stride + 1;
  double least = std::numeric_limits<double>::infinity();
  for (const std::int64_t parts : {1, 2, 3, 4, 6, 8, 12, 16, 28}) {
    const std::int64_t tile = ceilDiv(full - kernel + 1, parts) + kernel - 1, area = tile * tile;
    if (area > kDegree || tile < kernel) continue;
    for (std::int64_t block = 1; block <= std::min(in, kDegree / area); ++block) {
      const std::int64_t outBlock = std::min(out, kDegree / (area * block));
      const auto uploads = static_cast<double>(ceilDiv(in, block) * parts * parts);
      const auto replies = static_cast<double>(ceilDiv(out, outBlock) * parts * parts);
      least = std::min(least, (kDegree * (uploads * kUploadBits + replies * kReplyBits) +
                               static_cast<double>(out * wanted * wanted) * kWantedBits) /
                                  8);
    }
  }
  return least;
}

double chosenBytes(const Conv &layer) {
  const auto [in, out, kernel, stride, side, pad] = layer;
  const Type operands[] = {Type::share({1, in, side, side}, 10), Type::weight({out, in, kernel, kernel}, 10)};
  const Attrs attrs{{Attr::Strides, std::vector{stride, stride}},
                    {Attr::Pads, std::vector{pad, pad, pad, pad}},
                    {Attr::Dilations, std::vector<std::int64_t>{1, 1}},
                    {Attr::Group, std::int64_t{1}}};
  const auto result = resultType(OpKind::ShareConv, operands, attrs);
  if (!result) throw std::runtime_error(result.error().message);
  LinearGeometry geometry = linearGeometry(OpKind::ShareConv, operands, attrs, *result, kBitsOf<Ring32>);
  double most = 0;
  for (const std::int64_t balance : {std::int64_t{150}, kDefaultBalance, std::int64_t{5000}}) {
    geometry.balance = balance;
    const PackingCost cost = packingCost(geometry, choosePacking(geometry));
    most = std::max(most, static_cast<double>(cost.bytesUp + cost.bytesDown));
  }
  return most;
}

std::vector<Conv> resNet50() {
  std::vector<Conv> layers{{3, 64, 7, 2, 224, 3}, {2048, 1000, 1, 1, 1, 0}};
  std::int64_t in = 64, side = 56;
  for (const std::int64_t mid : {64, 128, 256, 512}) {
    const std::int64_t stride = mid == 64 ? 1 : 2;
    layers.insert(layers.end(),
                  {{in, mid, 1, 1, side, 0}, {mid, mid, 3, stride, side, 1}, {in, 4 * mid, 1, stride, side, 0}});
    in = 4 * mid;
    side /= stride;
    layers.insert(layers.end(), {{mid, in, 1, 1, side, 0}, {in, mid, 1, 1, side, 0}, {mid, mid, 3, 1, side, 1}});
  }
  return layers;
}

std::vector<Conv> squeezeNet() {
  std::vector<Conv> layers{{3, 64, 3, 2, 224, 0}, {512, 1000, 1, 1, 13, 0}};
  std::int64_t in = 64;
  for (const auto &[side, squeeze] : {std::pair{55, 16}, {55, 16}, {27, 32}, {27, 32}, {13, 48}, {13, 64}}) {
    layers.insert(
        layers.end(),
        {{in, squeeze, 1, 1, side, 0}, {squeeze, 4 * squeeze, 1, 1, side, 0}, {squeeze, 4 * squeeze, 3, 1, side, 1}});
    in = 8 * squeeze;
  }
  return layers;
}

std::vector<Conv> denseNet121() {
  std::vector<Conv> layers;
  std::int64_t in = 64, side = 56;
  for (const int count : {6, 12, 24, 16}) {
    for (int i = 0; i < count; ++i, in += 32)
      layers.push_back({in, 128, 1, 1, side, 0});
    layers.push_back({128, 32, 3, 1, side, 1});
    layers.push_back({in, in / 2, 1, 1, side, 0});
    in /= 2;
    side /= 2;
  }
  return layers;
}

std::vector<Conv> miniOnn() {
  return {{784, 128, 1, 1, 1, 0}, {128, 128, 1, 1, 1, 0}, {128, 10, 1, 1, 1, 0}, {1, 16, 5, 1, 28, 0},
          {16, 16, 5, 1, 12, 0},  {256, 100, 1, 1, 1, 0}, {100, 10, 1, 1, 1, 0}, {3, 64, 3, 1, 32, 1},
          {64, 64, 3, 1, 32, 1},  {64, 64, 3, 1, 16, 1},  {64, 64, 3, 1, 8, 1},  {64, 64, 1, 1, 8, 0},
          {64, 16, 1, 1, 8, 0},   {1024, 10, 1, 1, 1, 0}};
}

TEST(Packing, NoLayerTakesMoreBytesThanInThePlainFamily) {
  for (const auto &layers : {resNet50(), squeezeNet(), denseNet121(), miniOnn()})
    for (const Conv &layer : layers)
      EXPECT_LE(chosenBytes(layer), plainFamilyBytes(layer))
          << layer.in << " to " << layer.out << " channels, kernel " << layer.kernel << ", stride " << layer.stride
          << ", side " << layer.side;
}

} // namespace
} // namespace sd
