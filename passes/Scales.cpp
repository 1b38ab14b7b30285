#include "passes/Scales.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "ir/core/LinearHiding.h"
#include "passes/Linear.h"
#include "passes/Partition.h"

namespace sd {

namespace {

constexpr int kEnteredBits = 2;                 // of the integer part that the scale has room for anyway
constexpr std::int64_t kMostColumns = 256;      // that are entered more than once
constexpr int kColumnStep = 6;                  // bits between their scales
constexpr int kFinestColumn = 10;               // bits that the finest of them has beyond the scale
constexpr int kFinerBits = 6;                   // of weights in the ring of 64 bits, where there is room
constexpr int kRealBits = 20;                   // left there for results of unknown size
constexpr int kRawRoom = 6;                     // bits by which raw results may be larger than the inputs
constexpr int kMostCoarser = 2, kMostFiner = 4; // bits that weights of raw results may lose or gain

// Bits of the integer part of the largest value: 8 for 0 to 255, 0 for [-1, 1], -6 for [0, 0.01].
std::optional<int> integerBits(const Graph &graph, ValueId value) {
  while (isMove(graph.definition(value).kind))
    value = graph.definition(value).operands[0];
  const Op &input = graph.definition(value);
  if (input.kind != OpKind::Input || !input.attrs.has(Attr::Low)) return std::nullopt;
  const double most = std::max(std::abs(input.attrs.f(Attr::Low)), std::abs(input.attrs.f(Attr::High)));
  if (most == 0) return 0;
  return std::clamp(static_cast<int>(std::ceil(std::log2(most))), -16, 40);
}

bool meetsRelu(const Graph &graph, ValueId value) {
  return std::ranges::any_of(graph.users[value], [&](std::size_t user) {
    const Op &op = graph.module.ops[user];
    return op.kind == OpKind::Relu || (isMove(op.kind) && meetsRelu(graph, op.result));
  });
}

// A function that saturates both ways, or what a normalisation gives.
bool isBounded(const Op &op) {
  if (op.kind == OpKind::AtMost || isNorm(op)) return true;
  if (op.kind != OpKind::Piecewise) return false;
  const auto &slopes = op.attrs.floats(Attr::Slopes).data;
  return slopes.front() == 0 && slopes.back() == 0;
}

// Whether a value is compared with numbers of the model, such as the limits of a Clip, before any product. It is then
// as precise as all others, whatever its range, since what is left of it may be small.
bool meetsNumber(const Graph &graph, ValueId value) {
  return std::ranges::any_of(graph.users[value], [&](std::size_t user) {
    const Op &op = graph.module.ops[user];
    if (op.kind == OpKind::Piecewise) return !isHomogeneous(op);
    if (op.kind == OpKind::Add || op.kind == OpKind::Sub) return affineOf(graph, op) && meetsRelu(graph, op.result);
    const bool goesOn = isMove(op.kind) || op.kind == OpKind::MaxPool || op.kind == OpKind::Relu;
    return goesOn && meetsNumber(graph, op.result);
  });
}

} // namespace

int enteredScale(const Graph &graph, ValueId value, int scaleBits, int boundBits) {
  const int bits = integerBits(graph, value).value_or(0);
  if (bits > kEnteredBits && meetsNumber(graph, value)) return std::min(scaleBits, boundBits - 1 - bits);
  return scaleBits - (bits < 0 ? bits - std::min(-bits, kEnteredBits) : std::max(bits - kEnteredBits, 0));
}

std::vector<int> enteredScales(const Graph &graph, ValueId value, int scaleBits, int boundBits) {
  std::vector<int> scales{enteredScale(graph, value, scaleBits, boundBits)};
  const Shape &shape = graph.module.type(value).shape;
  const int bits = integerBits(graph, value).value_or(0);
  if (shape.size() != 2 || shape[1] > kMostColumns || bits <= kEnteredBits) return scales;
  const int finest = std::min(boundBits - 1 - bits, scaleBits + kFinestColumn);
  while (scales.back() < finest)
    scales.push_back(std::min(scales.back() + kColumnStep, finest));
  return scales;
}

std::vector<int> rawBitsOf(const Graph &graph) {
  std::vector<std::optional<int>> raw(graph.module.types.size());
  for (auto &op : graph.module.ops) {
    if (op.result == kNoValue) continue;
    if (op.kind == OpKind::Input && op.attrs.has(Attr::Low)) raw[op.result] = integerBits(graph, op.result);
    if (isFinal(op) || isBounded(op) || isFactor(graph, op)) continue;
    for (auto operand : op.operands)
      if (raw[operand]) raw[op.result] = std::max(raw[op.result].value_or(*raw[operand]), *raw[operand]);
  }
  std::vector<int> bits;
  for (auto &each : raw)
    bits.push_back(each.value_or(0));
  return bits;
}

namespace {

// The scale at which weights of so many outputs, of which those that meet in one have a root of the sum of squares of 4
// at most, are hidden by the flood (LinearHiding.h).
int hiddenBits(std::int64_t outputs, int ringBits) {
  constexpr double kNorm = 2; // bits
  return static_cast<int>(
      (std::log2(maxReplySquares(ringBits)) - std::log2(static_cast<double>(std::max<std::int64_t>(outputs, 1)))) / 2 -
      kNorm);
}

// Bits beyond the scale, of weights whose results are as large as the inputs; `room` is left above them as it is.
// Coarser ones need values that can be made larger; finer ones gain where the record is small.
int rawFiner(const ProductShape &product, int room) {
  if (product.rawBits > 0 && product.balanced)
    return -std::clamp(kRawRoom - (room - product.rawBits), 0, std::min(product.rawBits / 2, kMostCoarser));
  if (product.rawBits < 0 && product.entered)
    return std::clamp(-product.rawBits / 2, 0, std::clamp(room - kRawRoom, 0, kMostFiner));
  return 0;
}

} // namespace

int weightScale(const ProductShape &product, const PassOptions &options, int ringBits) {
  const int s = options.scaleBits;
  const int bound = options.boundBits.value_or(defaultBoundBits(ringBits));
  int finer = 0; // than the scale
  if (options.weightScaleBits) {
    finer = *options.weightScaleBits - s;
  } else if (!product.scalable && ringBits == kBitsOf<Ring32> && product.rawBits != 0) {
    finer = rawFiner(product, bound - 2 * s);
  } else {
    if (ringBits != kBitsOf<Ring32>)
      finer = kFinerBits;
    else if (product.scalable)
      finer = std::max((static_cast<int>(std::bit_width(static_cast<std::uint64_t>(product.fanIn))) + 1) / 2 - 2,
                       product.entered ? 2 : 0);
    finer = std::clamp(finer, 0, std::max(hiddenBits(product.outputs, ringBits) - s, 0));
    finer = std::clamp(finer, 0, std::max(bound - (product.scalable ? kRoomBits : kRealBits) - 2 * s, 0));
    if (!product.scalable) finer = std::min(finer, std::max(hiddenBits(product.outputs, ringBits) - s, -s / 2));
  }
  const int scale = 2 * s + finer - product.xScale;
  return product.entered ? scale : std::max(scale, s + std::min(finer, 0)); // an average is finer than the scale
}

namespace {

std::int64_t fanInOf(const Graph &graph, const Op &op) {
  if (op.kind != OpKind::Conv && op.kind != OpKind::MatMul) return 1;
  const bool left = graph.constant(op.operands[0]) != nullptr;
  const Shape &w = graph.module.type(op.operands[left ? 0 : 1]).shape;
  return op.kind == OpKind::Conv ? elementCount(w) / w[0] : w[left ? 1 : 0];
}

} // namespace

ProductShape productShapeOf(const Graph &graph, const Channels &channels, const Op &op, int xScale) {
  ValueId x = op.operands[graph.constant(op.operands[0]) ? 1 : 0];
  while (isMove(graph.definition(x).kind))
    x = graph.definition(x).operands[0];
  return {.fanIn = fanInOf(graph, op),
          .scalable = channels.isFree(op.result),
          .entered = graph.isA(x, OpKind::Input) || isRangeScaling(graph, graph.definition(x)),
          .xScale = xScale,
          .balanced = channels.has(x) && channels.isFree(x),
          .outputs = channels.linearOutputs()};
}

} // namespace sd
