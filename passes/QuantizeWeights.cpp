// Weights of quantize: what their rounding costs, and records that are entered at several scales.
#include <algorithm>
#include <cmath>

#include "passes/Fixed.h"
#include "passes/Magnitudes.h"
#include "passes/Quantizer.h"

namespace sd {

namespace {
constexpr double kCoarse = 0.02;    // of a channel's weights, by their root of mean squares
constexpr double kTurnedOff = 1e-5; // of the largest channel
} // namespace

void Quantizer::noteRounding(const Op &op, const Tensor<float> &exact, int scale, std::optional<std::size_t> axis) {
  const auto split = axis ? reference::splitAt(exact.shape, static_cast<std::int64_t>(*axis))
                          : reference::AxisSplit{1, 1, exact.size()};
  std::vector<double> size(split.length, 0), error(split.length, 0);
  for (std::int64_t i = 0; i < exact.size(); ++i) {
    const double v = std::ldexp(exact.data[i], scale), off = v - std::round(v);
    size[i / split.inner % split.length] += v * v;
    error[i / split.inner % split.length] += off * off;
  }
  if (context_.coarse.empty() || context_.coarse.back().where != describe(op))
    context_.coarse.push_back({.where = describe(op)});
  Coarseness *note = &context_.coarse.back();
  note->scale = std::max(note->scale, scale);
  // Behind equalise a channel far smaller than its layer's others is one that training has turned off.
  const double least = *std::ranges::max_element(size) * kTurnedOff * kTurnedOff;
  for (std::size_t c = 0; c < size.size(); ++c) {
    if (size[c] <= least) continue;
    const double part = std::sqrt(error[c] / size[c]);
    ++note->channels;
    note->coarse += part > kCoarse;
    note->worst = std::max(note->worst, part);
  }
}

// Weights that vanish altogether: dropped if that provably moves no result by half a unit, else refused. The program
// has the op either way.
void Quantizer::noteZeros(const Op &op, std::span<const float> values, int scale) {
  if (!sizes_) sizes_.emplace(graph_);
  const ValueId x = op.operands[graph_.constant(op.operands[0]) ? 1 : 0];
  const double most = sizes_->of(x).bound();
  double sum = 0; // of any output
  if (op.kind == OpKind::Conv || op.kind == OpKind::MatMul) {
    const Tensor<float> &w = *graph_.constant(op.operands[x == op.operands[0] ? 1 : 0]);
    const bool rows = op.kind == OpKind::Conv || x != op.operands[0];
    const std::int64_t outputs = w.shape[rows ? 0 : 1];
    std::vector<double> sums(outputs, 0);
    for (std::int64_t i = 0; i < w.size(); ++i)
      sums[rows ? i / (w.size() / outputs) : i % outputs] += std::abs(w.data[i]);
    sum = *std::ranges::max_element(sums);
  } else {
    for (const float v : values)
      sum = std::max(sum, std::abs(static_cast<double>(v)));
  }
  if (sum * most < std::ldexp(0.5, -s_)) {
    context_.warnings.push_back(fmt::format("{}: its weights all round to zero and are dropped: they move no result by "
                                            "half a unit of 2^-{}",
                                            describe(op), s_));
    return;
  }
  context_.vanished = true;
  complaints_.add(op, "its constants all round to zero at scale 2^{}{}", scale,
                  std::isfinite(most) ? "" : ", and without --input-range LO,HI nothing shows that they don't matter");
}

// The errors of rounding the column and of rounding its weights, as far as they depend on the column's scale. How large
// it is, only its weights tell: they are small where it is large.
std::vector<std::size_t> Quantizer::copiesFor(const Tensor<float> &weights, std::span<const int> scales,
                                              int productScale) const {
  const std::int64_t outputs = weights.shape[1];
  std::vector<std::size_t> chosen(weights.shape[0], 0);
  if (scales.size() == 1) return chosen;
  for (std::int64_t k = 0; k < weights.shape[0]; ++k) {
    double square = 0;
    for (std::int64_t m = 0; m < outputs; ++m)
      square += std::pow(weights.data[k * outputs + m], 2) / static_cast<double>(outputs);
    if (square == 0) continue;
    // The column times its weights is about 1; and it does not exceed what the coarsest scale is made for.
    const double column = std::min(1 / std::sqrt(square), std::ldexp(1.0, s_ - scales[0] + 2));
    const auto error = [&](std::size_t c) {
      return square * std::ldexp(1.0, -2 * scales[c]) + std::pow(std::ldexp(column, scales[c] - productScale), 2);
    };
    for (std::size_t c = 1; c < scales.size(); ++c)
      if (error(c) < error(chosen[k])) chosen[k] = c;
  }
  return chosen;
}

// One product of all copies, joined: those of coarser scales stand for x / 2^n at the finest, and their weights are 2^n
// times as large.
void Quantizer::lowerColumns(const Op &op, std::span<const ValueId> copies) {
  std::vector<int> scales;
  for (auto copy : copies)
    scales.push_back(scaleOf(copy));
  const int finest = scales.back(), product = scales[0] + weightScaleFor(op, scales[0]);
  std::vector<ValueId> parts;
  for (auto copy : copies)
    parts.push_back(scaleOf(copy) == finest ? copy
                                            : append(op, OpKind::ShareRescale, {copy},
                                                     {{Attr::Shift, std::int64_t{finest - scaleOf(copy)}}}));
  const std::int64_t axis = std::ssize(module_.type(op.operands[0]).shape) - 1;
  const ValueId x = append(op, OpKind::ShareConcat, std::move(parts), {{Attr::Axis, axis}});

  ValueId &stored = columnWeights_.try_emplace(op.operands[1], kNoValue).first->second;
  if (stored == kNoValue) {
    const Tensor<float> &w = *graph_.constant(op.operands[1]);
    const std::int64_t columns = w.shape[0], outputs = w.shape[1];
    const auto chosen = copiesFor(w, scales, product);
    Tensor<float> all({columns * std::ssize(copies), outputs}, 0.0F);
    for (std::int64_t i = 0; i < w.size(); ++i) {
      const auto copy = static_cast<std::int64_t>(chosen[i / outputs]);
      all.data[copy * w.size() + i] = std::ldexp(w.data[i], finest - scales[copy]);
    }
    noteRounding(op, all, product - finest, 1);
    context_.coarse.back().scale = product - scales[0];
    stored = weights(op, all, product - finest, true);
  }
  std::vector<ValueId> operands{x, stored};
  if (op.operands.size() > 2) operands.push_back(sharedWeights(op, op.operands[2], product));
  define(op, truncated(op, append(op, OpKind::ShareMatMul, std::move(operands)), s_));
}

} // namespace sd
