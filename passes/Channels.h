// Which elements of which values may be multiplied by a common positive factor without the program's form changing:
// that only the weights around them change. Decided by ops and shapes alone, never by a constant's values.
#pragma once

#include "passes/Compact.h"
#include "passes/Partition.h"

namespace sd {

// A class of elements that must have the same factor; kReal is that of factor 1.
using ChannelId = std::size_t;
inline constexpr ChannelId kReal = 0;

class Channels {
public:
  Channels(const Graph &graph, const std::vector<Place> &places);

  // Whether the elements of a value have classes at all: those of private values.
  bool has(ValueId value) const { return ids_[value].has_value(); }
  // For each element, its class; compact.
  Compact of(ValueId value) const;
  // Along the axis that a linear op takes or gives; they vary along no other.
  std::vector<ChannelId> along(ValueId value, std::size_t axis) const;
  std::size_t count() const { return parent_.size(); }
  // Whether every element of the value has factor 1.
  bool isReal(ValueId value) const;
  bool isFree(ValueId value) const;                             // none has
  std::int64_t linearOutputs() const { return linearOutputs_; } // elements that layers with weights give, in all

private:
  void visit(const Op &op);
  void visitLinear(const Op &op);
  void visitSum(const Op &op);
  void visitProduct(const Op &op);
  void visitMove(const Op &op);
  void keep(const Op &op) { ids_[op.result] = ids_[op.operands[0]]; }
  void fresh(const Op &op, std::size_t axis);
  void pin(ValueId value);
  void pinAll(const Op &op);
  bool varies(ValueId value, std::size_t onlyAxis) const; // along other axes than this

  ChannelId find(ChannelId id) const;
  void unite(ChannelId a, ChannelId b);

  const Graph &graph_;
  std::vector<std::optional<Compact>> ids_; // by value; numbers as doubles, exact below 2^53
  mutable std::vector<ChannelId> parent_{kReal};
  std::int64_t linearOutputs_ = 0;
};

// A product or quotient by a constant that leaves x's shape as it is.
bool isFactor(const Graph &graph, const Op &op);

// max(x, 0) and a leaky ReLU: f(d x) = d f(x) for d > 0.
bool isHomogeneous(const Op &op);

// The axis that channels run along: 1, or the last of a matrix.
inline std::size_t channelAxis(const Shape &shape) {
  return shape.size() >= 3 ? 1 : shape.empty() ? 0 : shape.size() - 1;
}

} // namespace sd
