#include "runtime/vm/LocalOps.h"

#include <algorithm>

#include "runtime/kernels/Convolution.h"
#include "runtime/kernels/Elementwise.h"
#include "runtime/kernels/Layout.h"
#include "runtime/kernels/MatMul.h"
#include "runtime/kernels/Pooling.h"

namespace sd {

namespace {

using ConstSpan = std::span<const Ring>;

const Type &operandType(const LocalOp &op, std::size_t i) { return op.program.slots[op.instruction.operands[i]]; }
const Type &resultType(const LocalOp &op) { return op.program.slots[op.instruction.result]; }

Shape spatial(const Shape &shape) { return Shape(shape.begin() + 2, shape.end()); }

Window windowOf(const Attrs &attrs, Shape kernel) {
  const auto &pads = attrs.ints(Attr::Pads);
  const auto middle = pads.begin() + static_cast<std::ptrdiff_t>(kernel.size());
  return {std::move(kernel), attrs.ints(Attr::Strides), attrs.ints(Attr::Dilations), Shape(pads.begin(), middle),
          Shape(middle, pads.end())};
}

ConvShape convShape(const LocalOp &op) {
  const Shape &x = operandType(op, 0).shape, &w = operandType(op, 1).shape;
  return {.batch = x[0],
          .groups = op.instruction.attrs.i(Attr::Group),
          .inChannels = x[1],
          .outChannels = w[0],
          .input = spatial(x),
          .window = windowOf(op.instruction.attrs, spatial(w))};
}

MatMulShape matMulShape(const LocalOp &op) {
  const Shape &w = operandType(op, 1).shape;
  return {.m = elementCount(operandType(op, 0).shape) / w[0], .n = w[1], .k = w[0]};
}

void runLinear(ThreadPool &pool, const LocalOp &op, ConstSpan w, ConstSpan x, ConstSpan bias, std::span<Ring> y) {
  switch (op.instruction.op) {
  case OpKind::ShareConv:
    return convolve(pool, convShape(op), x, w, bias, y);
  case OpKind::ShareMatMul:
    matMul(pool, matMulShape(op), x, w, y);
    if (!bias.empty()) addToRows(bias, y);
    return;
  default:
    assert(op.instruction.op == OpKind::ShareScale);
    multiplyBroadcast(operandType(op, 0).shape, x, operandType(op, 1).shape, w, y);
    if (!bias.empty()) addBroadcast<Ring>(operandType(op, 0).shape, y, operandType(op, 2).shape, bias, y);
  }
}

void runSumPool(ThreadPool &pool, const LocalOp &op) {
  const Shape &x = operandType(op, 0).shape;
  sumPool(pool,
          {.planes = x[0] * x[1],
           .input = spatial(x),
           .output = spatial(resultType(op).shape),
           .window = windowOf(op.instruction.attrs, op.instruction.attrs.ints(Attr::Kernel))},
          op.operands[0], op.result);
}

void runConcat(const LocalOp &op) {
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < op.operands.size(); ++i)
    shapes.push_back(operandType(op, i).shape);
  concat<Ring>(shapes, op.operands, static_cast<std::size_t>(op.instruction.attrs.i(Attr::Axis)), op.result);
}

void runPad(const LocalOp &op, Ring fill) {
  const Shape &x = operandType(op, 0).shape;
  const auto &pads = op.instruction.attrs.ints(Attr::Pads);
  pad<Ring>(x, std::span(pads).first(x.size()), fill, op.operands[0], resultType(op).shape, op.result);
}

// The ops that are linear without weights: the same on X and on r.
void runCommon(ThreadPool &pool, const LocalOp &op) {
  const Attrs &attrs = op.instruction.attrs;
  const ConstSpan x = op.operands[0];
  switch (op.instruction.op) {
  case OpKind::ShareAdd:
    return add(x, op.operands[1], op.result);
  case OpKind::ShareSub:
    return subtract(x, op.operands[1], op.result);
  case OpKind::ShareMulC:
    return multiplyBy(x, static_cast<Ring>(attrs.i(Attr::Factor)), op.result);
  case OpKind::ShareRescale:
  case OpKind::ShareReshape:
    std::copy(x.begin(), x.end(), op.result.begin());
    return;
  case OpKind::ShareSumPool:
    return runSumPool(pool, op);
  case OpKind::ShareTranspose:
    return transpose<Ring>(operandType(op, 0).shape, attrs.ints(Attr::Perm), x, op.result);
  case OpKind::ShareConcat:
    return runConcat(op);
  case OpKind::ShareGather:
    return gather<Ring>(operandType(op, 0).shape, static_cast<std::size_t>(attrs.i(Attr::Axis)),
                        attrs.ints(Attr::Indices), x, op.result);
  default:
    assert(false && "not a local op");
  }
}

} // namespace

bool isLinear(OpKind op) { return op == OpKind::ShareConv || op == OpKind::ShareMatMul || op == OpKind::ShareScale; }

bool isLocal(OpKind op) {
  return info(op).level == Level::Share && !info(op).isInteractive() && op != OpKind::ShareConstant;
}

void runOnValue(ThreadPool &pool, const LocalOp &op) {
  const auto &in = op.operands;
  switch (op.instruction.op) {
  case OpKind::ShareConv:
  case OpKind::ShareMatMul:
  case OpKind::ShareScale:
    return runLinear(pool, op, in[1], in[0], in.size() > 2 ? in[2] : ConstSpan{}, op.result);
  case OpKind::ShareAddW:
    return addBroadcast(operandType(op, 0).shape, in[0], operandType(op, 1).shape, in[1], op.result);
  case OpKind::ShareAddC: {
    const Ring addend[] = {static_cast<Ring>(op.instruction.attrs.i(Attr::Addend))};
    return addBroadcast<Ring>(operandType(op, 0).shape, in[0], {}, addend, op.result);
  }
  case OpKind::SharePad:
    return runPad(op, static_cast<Ring>(op.instruction.attrs.i(Attr::IntFill)));
  default:
    return runCommon(pool, op);
  }
}

void runOnMask(ThreadPool &pool, const LocalOp &op) {
  assert(!isLinear(op.instruction.op));
  switch (op.instruction.op) {
  case OpKind::ShareAddW:
  case OpKind::ShareAddC:
    std::copy(op.operands[0].begin(), op.operands[0].end(), op.result.begin());
    return;
  case OpKind::SharePad:
    return runPad(op, 0);
  default:
    return runCommon(pool, op);
  }
}

void applyLinear(ThreadPool &pool, const LocalOp &op, std::span<const Ring> weights, std::span<const Ring> x,
                 std::span<Ring> y) {
  runLinear(pool, op, weights, x, {}, y);
}

} // namespace sd
