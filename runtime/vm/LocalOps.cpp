#include "runtime/vm/LocalOps.h"

#include <algorithm>

#include "ir/core/LinearPacking.h"
#include "ir/core/OpFamilies.h"
#include "runtime/kernels/Convolution.h"
#include "runtime/kernels/Elementwise.h"
#include "runtime/kernels/Layout.h"
#include "runtime/kernels/MatMul.h"
#include "runtime/kernels/Pooling.h"

namespace sd {

namespace {

template <RingWord R>
using ConstSpan = std::span<const R>;

template <RingWord R>
const Type &operandType(const LocalOp<R> &op, std::size_t i) {
  return op.program.slots[op.instruction.operands[i]];
}
template <RingWord R>
const Type &resultType(const LocalOp<R> &op) {
  return op.program.slots[op.instruction.result];
}

Shape spatial(const Shape &shape) { return Shape(shape.begin() + 2, shape.end()); }

Window windowOf(const Attrs &attrs, Shape kernel) {
  const auto &pads = attrs.ints(Attr::Pads);
  const auto middle = pads.begin() + static_cast<std::ptrdiff_t>(kernel.size());
  return {std::move(kernel), attrs.ints(Attr::Strides), attrs.ints(Attr::Dilations), Shape(pads.begin(), middle),
          Shape(middle, pads.end())};
}

template <RingWord R>
ConvShape convShape(const LocalOp<R> &op) {
  const Shape &x = operandType(op, 0).shape, &w = operandType(op, 1).shape;
  return {.batch = x[0],
          .groups = op.instruction.attrs.i(Attr::Group),
          .inChannels = x[1],
          .outChannels = w[0],
          .input = spatial(x),
          .window = windowOf(op.instruction.attrs, spatial(w))};
}

template <RingWord R>
MatMulShape matMulShape(const LocalOp<R> &op) {
  const Shape &w = operandType(op, 1).shape;
  return {.m = elementCount(operandType(op, 0).shape) / w[0], .n = w[1], .k = w[0]};
}

template <RingWord R>
void runMatMul(ThreadPool &pool, const LocalOp<R> &op, ConstSpan<R> bias) {
  matMul<R>(pool, matMulShape(op), op.operands[0], op.operands[1], op.result);
  if (!bias.empty()) addToRows<R>(bias, op.result);
}

template <RingWord R>
void runScale(const LocalOp<R> &op, ConstSpan<R> bias) {
  const Shape &shape = operandType(op, 0).shape;
  multiplyBroadcast<R>(shape, op.operands[0], operandType(op, 1).shape, op.operands[1], op.result);
  if (!bias.empty()) addBroadcast<R>(shape, op.result, operandType(op, 2).shape, bias, op.result);
}

template <RingWord R>
void runSumPool(ThreadPool &pool, const LocalOp<R> &op) {
  const Shape &x = operandType(op, 0).shape;
  sumPool<R>(pool,
             {.planes = x[0] * x[1],
              .input = spatial(x),
              .output = spatial(resultType(op).shape),
              .window = windowOf(op.instruction.attrs, op.instruction.attrs.ints(Attr::Kernel))},
             op.operands[0], op.result);
}

template <RingWord R>
void runConcat(const LocalOp<R> &op) {
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < op.operands.size(); ++i)
    shapes.push_back(operandType(op, i).shape);
  concat<R>(shapes, op.operands, static_cast<std::size_t>(op.instruction.attrs.i(Attr::Axis)), op.result);
}

template <RingWord R>
void runPad(const LocalOp<R> &op, R fill) {
  const Shape &x = operandType(op, 0).shape;
  const auto &pads = op.instruction.attrs.ints(Attr::Pads);
  pad<R>(x, std::span(pads).first(x.size()), fill, op.operands[0], resultType(op).shape, op.result);
}

// Weights and public summands are added to X alone: with `masks`, to nothing.
template <RingWord R>
void run(ThreadPool &pool, const LocalOp<R> &op, bool masks) {
  const Attrs &attrs = op.instruction.attrs;
  const ConstSpan<R> x = op.operands[0], bias = op.operands.size() > 2 ? op.operands[2] : ConstSpan<R>{};
  const auto copy = [&] { std::copy(x.begin(), x.end(), op.result.begin()); };
  switch (op.instruction.op) {
  case OpKind::ShareConv:
    return convolve<R>(pool, convShape(op), x, op.operands[1], bias, op.result);
  case OpKind::ShareMatMul:
    return runMatMul<R>(pool, op, bias);
  case OpKind::ShareScale:
    return runScale<R>(op, bias);
  case OpKind::ShareAddW:
    if (masks) return copy();
    return addBroadcast<R>(operandType(op, 0).shape, x, operandType(op, 1).shape, op.operands[1], op.result);
  case OpKind::ShareAddC: {
    if (masks) return copy();
    const R addend[] = {static_cast<R>(attrs.i(Attr::Addend))};
    return addBroadcast<R>(operandType(op, 0).shape, x, {}, addend, op.result);
  }
  case OpKind::ShareAdd:
    return add<R>(x, op.operands[1], op.result);
  case OpKind::ShareSub:
    return subtract<R>(x, op.operands[1], op.result);
  case OpKind::ShareMulC:
    return multiplyBy<R>(x, static_cast<R>(attrs.i(Attr::Factor)), op.result);
  case OpKind::ShareRescale:
  case OpKind::ShareReshape:
    return copy();
  case OpKind::ShareSumPool:
    return runSumPool(pool, op);
  case OpKind::ShareTranspose:
    return transpose<R>(operandType(op, 0).shape, attrs.ints(Attr::Perm), x, op.result);
  case OpKind::ShareConcat:
    return runConcat(op);
  case OpKind::SharePad:
    return runPad<R>(op, masks ? R{0} : static_cast<R>(attrs.i(Attr::IntFill)));
  case OpKind::ShareGather:
    return gather<R>(operandType(op, 0).shape, static_cast<std::size_t>(attrs.i(Attr::Axis)), attrs.ints(Attr::Indices),
                     x, op.result);
  case OpKind::ShareConstant: // not local: weights, and what needs the peer
  case OpKind::ShareInput:
  case SD_SHARE_COMPARISONS:
  case SD_SHARE_PRODUCTS:
  case OpKind::ShareOutput:
#include "ir/core/NnCases.def"
    break;
  }
  assert(false && "not a local op");
}

} // namespace

bool isLocal(OpKind op) {
  return info(op).level == Level::Share && !info(op).isInteractive() && op != OpKind::ShareConstant;
}

template <RingWord R>
void runOnValue(ThreadPool &pool, const LocalOp<R> &op) {
  run(pool, op, false);
}

template <RingWord R>
void runOnMask(ThreadPool &pool, const LocalOp<R> &op) {
  assert(!isPacked(op.instruction.op));
  run(pool, op, true);
}

template <RingWord R>
void applyLinear(ThreadPool &pool, const LocalOp<R> &op, std::span<const R> weights, std::span<const R> x,
                 std::span<R> y) {
  assert(isPacked(op.instruction.op));
  runOnValue(pool, LocalOp<R>{op.program, op.instruction, {x, weights}, y});
}

#define SD_LOCAL_OPS(R)                                                                                                \
  template void runOnValue(ThreadPool &, const LocalOp<R> &);                                                          \
  template void runOnMask(ThreadPool &, const LocalOp<R> &);                                                           \
  template void applyLinear(ThreadPool &, const LocalOp<R> &, std::span<const R>, std::span<const R>, std::span<R>);
SD_LOCAL_OPS(Ring32)
SD_LOCAL_OPS(Ring64)
#undef SD_LOCAL_OPS

} // namespace sd
