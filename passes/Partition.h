// Who computes what: the hospital prepares the record and finishes the result in the clear, the rest is private.
#pragma once

#include "ir/core/Functions.h"
#include "passes/Rewrite.h"

namespace sd {

enum class Place : std::uint8_t {
  Constant, // depends on constants alone
  Prefix,   // clear, before share.input: the record, moved about, and its public normalisation
  Private,  // on shares
  Tail,     // clear, after share.output: softmax and the like as the last op, and what moves its result about
};

// The place of each op of an nn module (nn.return is Tail). The normalisation is a leading chain of sums, differences,
// products and quotients with constants; `privateNormalization` leaves only moves and range scaling in the prefix. A
// chain that reaches the result without meeting any other op is no normalisation but the model, and private.
std::vector<Place> partition(const Graph &graph, bool privateNormalization);

// Whether the op is the public part of a record's scaling by its columns' declared ranges (fold-normalization).
bool isRangeScaling(const Graph &graph, const Op &op);

// Ops that move elements about and change none.
inline bool isMove(OpKind kind) {
  return kind == OpKind::Identity || kind == OpKind::Reshape || kind == OpKind::Transpose || kind == OpKind::Gather;
}
// Functions of rows, which are computed on shares.
inline bool isNorm(const Op &op) {
  return op.kind == OpKind::Function && rowFunction(op.attrs.str(Attr::Function)).has_value();
}
// Ops that the hospital does on the opened result.
inline bool isFinal(const Op &op) {
  const OpKind kind = op.kind;
  if (isNorm(op)) return false;
  return kind == OpKind::Softmax || kind == OpKind::LogSoftmax || kind == OpKind::Sigmoid || kind == OpKind::ArgMax ||
         kind == OpKind::TopK || kind == OpKind::ArgTopK || kind == OpKind::Function || kind == OpKind::ReduceSum;
}

} // namespace sd
