// Attention by its parts, and the rotation of positions that goes with it.
#include <algorithm>
#include <cmath>

#include "compiler/onnx/Handlers.h"
#include "compiler/onnx/LinearMap.h"
#include "compiler/onnx/MaskedSoftmax.h"
#include "compiler/onnx/OpTable.h"

namespace sd {
namespace {

// [B,L,H*D] as [B,H,L,D]; what has that rank already stays.
Expected<Value> inHeads(Emitter &emitter, const Value &x, std::int64_t heads) {
  if (x.rank() == 4) return x;
  if (heads < 1 || x.shape()[2] % heads != 0)
    return fail("{} does not divide into {} heads", toString(x.shape()), heads);
  SD_ASSIGN(const Value split, emitter.reshape(x, {x.shape()[0], x.shape()[1], heads, x.shape()[2] / heads}));
  return emitter.transpose(split, {0, 2, 1, 3});
}

// What is added to the scores, one number for each of `shape`; -infinity where a position takes no part.
Expected<Tensor<float>> maskOf(const Node &node, Emitter &emitter, const Shape &shape, bool causal) {
  SD_TRY(emitter.takeBudget(shape));
  Tensor<float> mask(shape, 0.0f);
  if (node.has(3)) {
    SD_TRY(node.expectConstant(3, "attn_mask"));
    Value given = node.input(3);
    const bool isTruth = given.isInteger();
    if (isTruth) {
      Tensor<float> added(given.shape());
      std::ranges::transform(given.ints()->data, added.data.begin(),
                             [](std::int64_t v) { return v ? 0.0f : -INFINITY; });
      given = Value::of(std::move(added));
    }
    if (given.rank() > 0 && given.shape().back() < shape.back()) { // the positions behind take no part
      Shape wide = given.shape();
      wide.back() = shape.back();
      Tensor<float> padded(wide, -INFINITY);
      const auto from = static_cast<std::size_t>(given.shape().back()), to = static_cast<std::size_t>(wide.back());
      for (std::size_t row = 0; row < given.floats()->data.size() / from; ++row)
        std::copy_n(given.floats()->data.begin() + static_cast<std::ptrdiff_t>(row * from), from,
                    padded.data.begin() + static_cast<std::ptrdiff_t>(row * to));
      given = Value::of(std::move(padded));
    }
    SD_ASSIGN(const Value spread, emitter.broadcast(given, shape));
    mask = *spread.floats();
  }
  const std::int64_t rows = shape[2], columns = shape[3];
  for (std::int64_t i = 0; causal && i < mask.size(); ++i)
    if (i % columns > i / columns % rows) mask.data[static_cast<std::size_t>(i)] = -INFINITY;
  return mask;
}

Expected<Value> capped(Emitter &emitter, const Value &scores, double cap) { // cap tanh(scores / cap)
  SD_ASSIGN(const Value narrow, emitter.arithmetic(OpKind::Mul, scores, Value::scalar(static_cast<float>(1 / cap))));
  SD_ASSIGN(const Value bent, emitter.compute(OpKind::Tanh, {narrow}));
  return emitter.arithmetic(OpKind::Mul, bent, Value::scalar(static_cast<float>(cap)));
}

Expected<Value> withPast(Emitter &emitter, const Node &node, std::size_t past, const Value &now) {
  if (!node.has(past)) return now;
  return emitter.concat({node.input(past), now}, 2);
}

struct AttentionAttrs {
  std::int64_t queryHeads = 0, keyHeads = 0, shown = 0;
  bool causal = false;
  double scale = 0, cap = 0;
};

Expected<AttentionAttrs> readAttention(Node &node) {
  AttentionAttrs out;
  SD_ASSIGN(out.queryHeads, node.integer("q_num_heads", 0));
  SD_ASSIGN(out.keyHeads, node.integer("kv_num_heads", 0));
  SD_ASSIGN(out.shown, node.integer("qk_matmul_output_mode", 0));
  SD_ASSIGN(out.causal, node.integer("is_causal", 0));
  SD_ASSIGN(out.scale, node.real("scale", 0));
  SD_ASSIGN(out.cap, node.real("softcap", 0));
  node.ignore("softmax_precision"); // the program computes in fixed point
  if (node.has(6)) return fail("has nonpad_kv_seqlen, which is not supported; give all positions, or a mask");
  if (out.causal && node.has(4)) return fail("is causal and has past keys, which is not supported; give a mask");
  if (out.cap < 0) return fail("has the softcap {:g}", out.cap);
  return out;
}

} // namespace

Expected<void> importAttention(Node &node, Emitter &emitter) {
  SD_ASSIGN(const AttentionAttrs attrs, readAttention(node));
  for (std::size_t i = 0; i < 3; ++i)
    if ((node.input(i).rank() != 3 && node.input(i).rank() != 4) || node.input(i).rank() != node.input(0).rank())
      return fail("needs queries, keys and values of three or of four axes, not {}", toString(node.input(i).shape()));
  SD_ASSIGN(const Value q, inHeads(emitter, node.input(0), attrs.queryHeads));
  SD_ASSIGN(Value k, inHeads(emitter, node.input(1), attrs.keyHeads));
  SD_ASSIGN(Value v, inHeads(emitter, node.input(2), attrs.keyHeads));
  SD_ASSIGN(k, withPast(emitter, node, 4, k));
  SD_ASSIGN(v, withPast(emitter, node, 5, v));
  if (node.isUsed(1)) node.setOutput(1, k);
  if (node.isUsed(2)) node.setOutput(2, v);
  // ONNX's releases differ in which of the queries' heads share a head of the keys'.
  if (k.shape()[1] != q.shape()[1] || v.shape()[1] != q.shape()[1])
    return fail(
        "has {} heads of queries and {} of keys, whose meaning ONNX's releases do not agree on; repeat the keys "
        "and values in the model",
        q.shape()[1], k.shape()[1]);
  const double scale = attrs.scale != 0 ? attrs.scale : 1 / std::sqrt(static_cast<double>(q.shape()[3]));
  SD_ASSIGN(const Value scaled, emitter.arithmetic(OpKind::Mul, q, Value::scalar(static_cast<float>(scale))));
  SD_ASSIGN(const Value turned, emitter.transpose(k, {0, 1, 3, 2}));
  SD_ASSIGN(Value scores, product(emitter, scaled, turned));
  if (attrs.shown == 0 && node.isUsed(3)) node.setOutput(3, scores);
  SD_ASSIGN(const Tensor<float> mask, maskOf(node, emitter, scores.shape(), attrs.causal));
  if (attrs.cap > 0) {
    SD_ASSIGN(scores, capped(emitter, scores, attrs.cap));
  }
  if (attrs.shown != 0 && attrs.shown != 3 && node.isUsed(3))
    return fail("gives scores between the product and the softmax, which is not supported; leave that output out");
  SD_ASSIGN(const Value weights, maskedSoftmax(emitter, scores, mask));
  if (attrs.shown == 3 && node.isUsed(3)) node.setOutput(3, weights);
  SD_ASSIGN(Value y, product(emitter, weights, v));
  if (node.input(0).rank() == 3) {
    SD_ASSIGN(y, emitter.transpose(y, {0, 2, 1, 3}));
    SD_ASSIGN(y, emitter.reshape(y, {y.shape()[0], y.shape()[1], y.shape()[2] * y.shape()[3]}));
  }
  node.setOutput(0, std::move(y));
  return {};
}

namespace {

// Of a RotaryEmbedding: x as [B,S,H,D], of which `rotated` elements of each head turn.
struct Rotation {
  std::int64_t rotated = 0;
  bool interleaved = false;
  std::int64_t partner(std::int64_t d) const {
    return interleaved ? d ^ 1 : d < rotated / 2 ? d + rotated / 2 : d - rotated / 2;
  }
  bool isFirst(std::int64_t d) const { return interleaved ? d % 2 == 0 : d < rotated / 2; }
  std::int64_t pair(std::int64_t d) const { return interleaved ? d / 2 : d % (rotated / 2); }
};

// Cosines or sines by batch, position and pair: from the cache by position, or as they are given.
Expected<Tensor<float>> angles(const Node &node, Emitter &emitter, std::size_t at, const Shape &x,
                               const Rotation &rotation) {
  SD_TRY(node.expectConstant(at, at == 1 ? "cos_cache" : "sin_cache"));
  const Value &cache = node.input(at);
  const std::int64_t pairs = rotation.rotated / 2;
  const Shape shape = {x[0], x[1], pairs};
  std::vector<std::int64_t> first;
  for (std::int64_t i = 0; i < pairs; ++i)
    first.push_back(i);
  if (cache.isInteger() || cache.rank() < 2 || cache.shape().back() < pairs)
    return fail("has angles {} for {} pairs", describe(cache), pairs);
  if (!node.has(3)) {
    SD_ASSIGN(const Value used, emitter.gather(cache, cache.rank() - 1, first));
    SD_ASSIGN(const Value spread, emitter.broadcast(used, shape));
    return *spread.floats();
  }
  SD_TRY(node.expectConstant(3, "position_ids"));
  if (!node.input(3).isInteger()) return fail("has positions {}", describe(node.input(3)));
  const std::vector<std::int64_t> &positions = node.input(3).ints()->data;
  if (static_cast<std::int64_t>(positions.size()) != x[0] * x[1] || cache.rank() != 2)
    return fail("has {} positions for {} records of {}", positions.size(), x[0], x[1]);
  for (const std::int64_t position : positions)
    if (position < 0 || position >= cache.shape()[0]) return fail("has position {} of {}", position, cache.shape()[0]);
  SD_ASSIGN(const Value used, emitter.gather(cache, 1, first));
  SD_ASSIGN(const Value rows, emitter.gather(used, 0, positions));
  return Tensor<float>(shape, rows.floats()->data);
}

} // namespace

// x cos + (its partner, with a sign) sin: two linear ops by constants.
Expected<void> importRotaryEmbedding(Node &node, Emitter &emitter) {
  Value x = node.input(0);
  Rotation rotation;
  SD_ASSIGN(rotation.interleaved, node.integer("interleaved", 0));
  SD_ASSIGN(rotation.rotated, node.integer("rotary_embedding_dim", 0));
  SD_ASSIGN(const std::int64_t heads, node.integer("num_heads", 0));
  const bool flat = x.rank() == 3;
  if (flat) {
    SD_ASSIGN(x, inHeads(emitter, x, heads));
  }
  if (x.rank() != 4) return fail("needs three or four axes, not {}", toString(x.shape()));
  SD_ASSIGN(x, emitter.transpose(x, {0, 2, 1, 3})); // [B,S,H,D]
  const std::int64_t width = x.shape()[3];
  if (rotation.rotated == 0) rotation.rotated = width;
  if (rotation.rotated < 2 || rotation.rotated > width || rotation.rotated % 2 != 0)
    return fail("turns {} of {} elements", rotation.rotated, width);
  SD_ASSIGN(const Tensor<float> cosines, angles(node, emitter, 1, x.shape(), rotation));
  SD_ASSIGN(const Tensor<float> sines, angles(node, emitter, 2, x.shape(), rotation));
  const Shape shape = {x.shape()[0], x.shape()[1], 1, width};
  Tensor<float> own(shape, 1.0f), others(shape, 0.0f);
  std::vector<std::int64_t> partners;
  for (std::int64_t d = 0; d < width; ++d) {
    const bool turns = d < rotation.rotated;
    partners.push_back(turns ? rotation.partner(d) : d);
    for (std::int64_t row = 0; turns && row < shape[0] * shape[1]; ++row) {
      const auto from = static_cast<std::size_t>(row * (rotation.rotated / 2) + rotation.pair(d));
      const auto to = static_cast<std::size_t>(row * width + d);
      own.data[to] = cosines.data[from];
      others.data[to] = rotation.isFirst(d) ? -sines.data[from] : sines.data[from];
    }
  }
  SD_ASSIGN(const Value partner, emitter.gather(x, 3, std::move(partners)));
  SD_ASSIGN(const Value left, emitter.arithmetic(OpKind::Mul, x, Value::of(std::move(own))));
  SD_ASSIGN(const Value right, emitter.arithmetic(OpKind::Mul, partner, Value::of(std::move(others))));
  SD_ASSIGN(Value result, emitter.arithmetic(OpKind::Add, left, right));
  if (flat) {
    SD_ASSIGN(result, emitter.reshape(result, node.input(0).shape()));
  } else {
    SD_ASSIGN(result, emitter.transpose(result, {0, 2, 1, 3}));
  }
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
