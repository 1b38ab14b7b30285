// Products of two computed values that are summed along their last axis: as products of matrices where their axes allow
// it and it costs fewer bytes, else element by element.
#include "passes/QuantizeDot.h"

#include "ir/core/ProtocolCost.h"
#include "passes/Quantizer.h"

namespace sd {
namespace {

std::uint64_t bytesOf(const ProtocolCost &cost, std::uint64_t elements) {
  return cost.onlineBytes(elements) + elements * cost.offlineBits() / 8;
}

// Axes in the order of the lists, one list after another.
std::vector<std::int64_t> joined(std::initializer_list<std::span<const std::int64_t>> lists) {
  std::vector<std::int64_t> all;
  for (const auto &list : lists)
    all.insert(all.end(), list.begin(), list.end());
  return all;
}

Shape withRank(const Shape &shape, std::size_t rank) {
  Shape padded(rank - shape.size(), 1);
  padded.insert(padded.end(), shape.begin(), shape.end());
  return padded;
}

Shape permuted(const Shape &shape, std::span<const std::int64_t> axes) {
  Shape result;
  for (const std::int64_t axis : axes)
    result.push_back(shape[static_cast<std::size_t>(axis)]);
  return result;
}

std::int64_t sizeOf(const Shape &shape, std::span<const std::int64_t> axes) {
  return elementCount(permuted(shape, axes));
}

} // namespace

std::optional<DotAxes> dotAxes(const Shape &x, const Shape &y, int ringBits) {
  const std::size_t rank = std::max(x.size(), y.size());
  DotAxes axes{withRank(x, rank), withRank(y, rank), {}, {}, {}, {}};
  if (axes.left.back() != axes.right.back()) return std::nullopt; // one factor for all of a row: no product of matrices
  for (std::size_t i = 0; i + 1 < rank; ++i) {
    const std::int64_t a = axes.left[i], b = axes.right[i];
    auto &list = a == b ? axes.batch : b == 1 ? axes.rows : axes.columns;
    list.push_back(static_cast<std::int64_t>(i));
  }
  axes.shape = {sizeOf(axes.left, axes.batch), sizeOf(axes.left, axes.rows), sizeOf(axes.right, axes.columns),
                axes.left.back(), ringBits};
  const PackingCost packing = dotPackingCost(chooseDotPacking(axes.shape));
  const std::uint64_t matrices = bytesOf(dotCost(axes.shape), static_cast<std::uint64_t>(axes.shape.result())) +
                                 static_cast<std::uint64_t>(packing.bytesUp + packing.bytesDown);
  const auto products = static_cast<std::uint64_t>(axes.shape.multiplyAdds());
  if (matrices >= bytesOf(productCost(ringBits), products)) return std::nullopt;
  return axes;
}

ValueId Quantizer::reshaped(const Op &op, ValueId value, const Shape &shape) {
  if (shapeOf(value) == shape) return value;
  return append(op, OpKind::ShareReshape, {value}, {{Attr::Dims, shape}});
}

ValueId Quantizer::permutedAxes(const Op &op, ValueId value, const std::vector<std::int64_t> &perm) {
  // Where axes of size 1 alone move, the elements stay in their order.
  const Shape &shape = shapeOf(value);
  const auto isLong = [&](std::int64_t axis) { return shape[static_cast<std::size_t>(axis)] > 1; };
  std::vector<std::int64_t> order;
  std::ranges::copy_if(perm, std::back_inserter(order), isLong);
  if (std::ranges::is_sorted(order)) return value;
  return append(op, OpKind::ShareTranspose, {value}, {{Attr::Perm, perm}});
}

ValueId Quantizer::matrixOf(const Op &op, ValueId value, const Shape &shape, std::span<const std::int64_t> own,
                            const DotAxes &axes) {
  const auto last = static_cast<std::int64_t>(shape.size()) - 1;
  std::vector<std::int64_t> perm = joined({axes.batch, own});
  for (std::int64_t i = 0; i < last; ++i) // the other operand's, of size 1 here
    if (std::ranges::find(perm, i) == perm.end()) perm.push_back(i);
  perm.push_back(last);
  value = permutedAxes(op, reshaped(op, value, shape), perm);
  return reshaped(op, value, {axes.shape.batch, sizeOf(shape, own), axes.shape.length});
}

ValueId Quantizer::productOfMatrices(const Op &op, const DotAxes &axes) {
  const ValueId product = append(op, OpKind::ShareDot,
                                 {matrixOf(op, share(op.operands[0]), axes.left, axes.rows, axes),
                                  matrixOf(op, share(op.operands[1]), axes.right, axes.columns, axes)});
  const std::vector<std::int64_t> order = joined({axes.batch, axes.rows, axes.columns});
  std::vector<std::int64_t> back(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    back[static_cast<std::size_t>(order[i])] = static_cast<std::int64_t>(i);
  const ValueId full = reshaped(op, product, permuted(*broadcastShapes(axes.left, axes.right), order));
  return reshaped(op, permutedAxes(op, full, back), module_.type(op.result).shape);
}

// The products are summed before the truncation, as in a linear op: one rounding, and one message, for each sum.
void Quantizer::lowerVecDot(const Op &op) {
  const Shape &left = module_.type(op.operands[0]).shape, &right = module_.type(op.operands[1]).shape;
  if (const auto axes = dotAxes(left, right, module_.ringBits))
    return define(op, truncated(op, productOfMatrices(op, *axes), s_));
  const Shape &result = module_.type(op.result).shape;
  const Shape shape = *broadcastShapes(left, right);
  const ValueId a = broadcast(op, share(op.operands[0]), shape), b = broadcast(op, share(op.operands[1]), shape);
  const std::int64_t length = shape.back();
  ValueId y = append(op, OpKind::ShareMul, {a, b});
  y = append(op, OpKind::ShareReshape, {y}, {{Attr::Dims, Shape{1, elementCount(result), length}}});
  y = append(op, OpKind::ShareSumPool, {y},
             {{Attr::Kernel, std::vector<std::int64_t>{length}},
              {Attr::Strides, std::vector<std::int64_t>{1}},
              {Attr::Pads, std::vector<std::int64_t>{0, 0}},
              {Attr::Dilations, std::vector<std::int64_t>{1}},
              {Attr::CeilMode, std::int64_t{0}}});
  y = append(op, OpKind::ShareReshape, {y}, {{Attr::Dims, result}});
  define(op, truncated(op, y, s_));
}

} // namespace sd
