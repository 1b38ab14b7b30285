// Elements repeated, or moved between channels and space.
#include "compiler/onnx/Handlers.h"

namespace sd {
namespace {

// x [N,C,H,W] in other shapes on the way: reshape, transpose, reshape.
Expected<Value> rearranged(Emitter &emitter, const Value &x, Shape split, std::vector<std::int64_t> perm,
                           Shape joined) {
  SD_ASSIGN(const Value blocks, emitter.reshape(x, std::move(split)));
  SD_ASSIGN(const Value moved, emitter.transpose(blocks, std::move(perm)));
  return emitter.reshape(moved, std::move(joined));
}

Expected<std::int64_t> blockSize(Node &node) {
  if (node.input(0).rank() != 4) return fail("needs an input [N,C,H,W], not {}", toString(node.input(0).shape()));
  SD_ASSIGN(const std::int64_t block, node.integer("blocksize", 0));
  if (block < 1 || block > 1024) return fail("has the blocksize {}", block);
  return block;
}

} // namespace

Expected<void> importExpand(Node &node, Emitter &emitter) {
  SD_ASSIGN(const Shape target, node.constantInts(1, "target shape"));
  SD_TRY(checkedElementCount(target));
  SD_ASSIGN(const Shape shape, broadcastShapes(node.input(0).shape(), target));
  SD_ASSIGN(Value result, emitter.broadcast(node.input(0), shape));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importTile(Node &node, Emitter &emitter) {
  SD_ASSIGN(const std::vector<std::int64_t> repeats, node.constantInts(1, "repeats"));
  Value result = node.input(0);
  if (static_cast<std::int64_t>(repeats.size()) != result.rank())
    return fail("{} repeats for {} axes", repeats.size(), result.rank());
  for (std::size_t axis = 0; axis < repeats.size(); ++axis) {
    const std::int64_t size = result.shape()[axis];
    if (repeats[axis] < 1 || size > kMaxSelected / repeats[axis])
      return fail("repeats axis {} of {} elements {} times", axis, size, repeats[axis]);
    std::vector<std::int64_t> indices;
    for (std::int64_t i = 0; i < size * repeats[axis]; ++i)
      indices.push_back(i % size);
    SD_ASSIGN(result, emitter.gather(result, static_cast<std::int64_t>(axis), std::move(indices)));
  }
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importDepthToSpace(Node &node, Emitter &emitter) {
  SD_ASSIGN(const std::int64_t b, blockSize(node));
  SD_ASSIGN(const std::string mode, node.text("mode", "DCR"));
  const Shape &x = node.input(0).shape();
  const std::int64_t n = x[0], c = x[1] / (b * b), h = x[2], w = x[3];
  if (x[1] % (b * b) != 0) return fail("{} channels are not a multiple of {}", x[1], b * b);
  if (mode != "DCR" && mode != "CRD") return fail("has the mode '{}', not DCR or CRD", printable(mode));
  const bool depthFirst = mode == "CRD";
  const Shape split = depthFirst ? Shape{n, c, b, b, h, w} : Shape{n, b, b, c, h, w};
  const std::vector<std::int64_t> perm =
      depthFirst ? std::vector<std::int64_t>{0, 1, 4, 2, 5, 3} : std::vector<std::int64_t>{0, 3, 4, 1, 5, 2};
  SD_ASSIGN(Value result, rearranged(emitter, node.input(0), split, perm, {n, c, h * b, w * b}));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importSpaceToDepth(Node &node, Emitter &emitter) {
  SD_ASSIGN(const std::int64_t b, blockSize(node));
  const Shape &x = node.input(0).shape();
  const std::int64_t n = x[0], c = x[1], h = x[2] / b, w = x[3] / b;
  if (x[2] % b != 0 || x[3] % b != 0) return fail("{} is not a multiple of {} in space", toString(x), b);
  SD_ASSIGN(Value result,
            rearranged(emitter, node.input(0), {n, c, h, b, w, b}, {0, 3, 5, 1, 2, 4}, {n, c * b * b, h, w}));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
