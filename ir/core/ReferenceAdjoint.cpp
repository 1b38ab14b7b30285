// The chain rule through the share ops.
#include <cmath>
#include <numeric>

#include "ir/core/ReferenceError.h"
#include "ir/core/ReferenceLinear.h"

namespace sd::reference {

namespace {

template <RingWord R>
float real(R value) {
  return static_cast<float>(static_cast<SignedOf<R>>(value));
}

Tensor<float> scaled(const Tensor<float> &g, float factor) {
  return map<float>(g, [=](float v) { return v * factor; });
}

// Where each element of a layout op's result comes from: the op itself, on the positions.
void scatter(const ProgramView &program, const OpView &op, const Tensor<float> &g,
             std::vector<Tensor<float>> &gradients) {
  std::vector<Tensor<double>> positions;
  std::vector<const Tensor<double> *> pointers;
  double first = 0;
  for (auto id : op.operands) {
    Tensor<double> &each = positions.emplace_back(program.types[id].shape);
    std::iota(each.data.begin(), each.data.end(), first);
    first += static_cast<double>(each.size());
  }
  for (auto &each : positions)
    pointers.push_back(&each);
  const auto from = evaluateLayout<double>(op.kind, pointers, *op.attrs, g.shape, -1);
  std::vector<float> all(static_cast<std::size_t>(first));
  for (std::int64_t i = 0; i < g.size(); ++i)
    if (from.data[i] >= 0) all[static_cast<std::size_t>(from.data[i])] += g.data[i];
  auto next = all.begin();
  for (std::size_t k = 0; k < op.operands.size(); ++k) {
    Tensor<float> &to = gradients[op.operands[k]];
    if (to.data.empty()) to = Tensor<float>(positions[k].shape);
    for (auto &v : to.data)
      v += *next++;
  }
}

void add(Tensor<float> &to, Tensor<float> brought) {
  if (to.data.empty()) {
    to = std::move(brought);
    return;
  }
  for (std::size_t i = 0; i < to.data.size(); ++i)
    to.data[i] += brought.data[i];
}

template <RingWord R>
Tensor<float> matMulBack(const Tensor<float> &g, const Tensor<R> &w, const Shape &x) {
  Tensor<float> result(x);
  const std::int64_t inner = w.shape[0], columns = w.shape[1];
  for (std::int64_t i = 0; i < result.size(); ++i) {
    const float *row = g.data.data() + i / inner * columns;
    const R *weights = w.data.data() + i % inner * columns;
    for (std::int64_t m = 0; m < columns; ++m)
      result.data[i] += row[m] * real(weights[m]);
  }
  return result;
}

// g times the elements of `factor`, which broadcasts to it.
template <RingWord R>
Tensor<float> times(const Tensor<float> &g, const Tensor<R> &factor) {
  Tensor<float> result(g.shape);
  forEachBroadcast(g.shape, g.shape, factor.shape,
                   [&](auto i, auto, auto k) { result.data[i] = g.data[i] * real(factor.data[k]); });
  return result;
}

} // namespace

template <RingWord R>
void maskRelu(const Trace<R> &trace, const OpView &op, Tensor<float> &g) {
  const Tensor<R> &y = *trace.values[op.operands[0]];
  // Values this far below zero, in units of the result, are not carried above it by the errors before them.
  constexpr float kMargin = 16;
  const float unit = std::ldexp(1.0F, static_cast<int>(op.attrs->i(Attr::Bits)));
  if (op.operands.size() == 1) {
    for (std::size_t i = 0; i < g.data.size(); ++i)
      if (real(y.data[i]) < -kMargin * unit) g.data[i] = 0;
    return;
  }
  const Tensor<R> &turned = *trace.values[op.operands[1]];
  forEachBroadcast(g.shape, g.shape, turned.shape, [&](auto i, auto, auto t) {
    if ((turned.data[t] ? -1 : 1) * real(y.data[i]) < -kMargin * unit) g.data[i] = 0;
  });
}

template <RingWord R>
void pullBack(const Trace<R> &trace, const OpView &op, const Tensor<float> &g, std::vector<Tensor<float>> &gradients) {
  if (isLayout(op.kind)) return scatter(trace.program, op, g, gradients);
  auto value = [&](std::size_t i) -> const Tensor<R> & { return *trace.values[op.operands[i]]; };
  auto bring = [&](std::size_t i, Tensor<float> brought) { add(gradients[op.operands[i]], std::move(brought)); };
  const Shape &x = trace.program.types[op.operands[0]].shape;
  switch (op.kind) {
  case OpKind::ShareConv:
    return bring(0, convolveBack(g, map<float>(value(1), real<R>), *op.attrs, x));
  case OpKind::ShareSumPool:
    return bring(0, sumPoolBack(g, *op.attrs, x));
  case OpKind::ShareMatMul:
    return bring(0, matMulBack(g, value(1), x));
  case OpKind::ShareScale:
    return bring(0, times(g, value(1)));
  case OpKind::ShareAdd:
    bring(0, g);
    return bring(1, g);
  case OpKind::ShareSub:
    bring(0, g);
    return bring(1, scaled(g, -1));
  case OpKind::ShareMul:
    bring(0, times(g, value(1)));
    return bring(1, times(g, value(0)));
  case OpKind::ShareMulC:
    return bring(0, scaled(g, static_cast<float>(op.attrs->i(Attr::Factor))));
  case OpKind::ShareTruncate:
  case OpKind::ShareRelu: {
    Tensor<float> back = scaled(g, std::ldexp(1.0F, -static_cast<int>(op.attrs->i(Attr::Bits))));
    if (op.kind == OpKind::ShareRelu) maskRelu(trace, op, back);
    return bring(0, std::move(back));
  }
  case OpKind::ShareMax: { // the larger operand's
    Tensor<float> a = g, b = g;
    for (std::size_t i = 0; i < g.data.size(); ++i)
      (real<R>(value(0).data[i] - value(1).data[i]) > 0 ? b : a).data[i] = 0;
    bring(0, std::move(a));
    return bring(1, std::move(b));
  }
  default:
    assert(op.kind == OpKind::ShareAddW || op.kind == OpKind::ShareAddC || op.kind == OpKind::ShareRescale);
    return bring(0, g);
  }
}

#define SD_INSTANTIATE(R)                                                                                              \
  template void maskRelu(const Trace<R> &, const OpView &, Tensor<float> &);                                           \
  template void pullBack(const Trace<R> &, const OpView &, const Tensor<float> &, std::vector<Tensor<float>> &);
SD_INSTANTIATE(Ring32)
SD_INSTANTIATE(Ring64)
#undef SD_INSTANTIATE

} // namespace sd::reference
