// Intervals of each op's result from those of its operands; between the files of the analysis.
#pragma once

#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <span>

#include "passes/Intervals.h"
#include "passes/PiecewiseLinear.h"

namespace sd::intervals {

// What doubles may have lost of a value, and of the few operations that made it: nothing below 2^52.
inline double slackOf(double value) { return std::abs(value) < 0x1p52 ? 0 : std::abs(value) * 0x1p-48; }

struct Case {
  const Module &module;
  const Op &op;
  std::span<const Interval *const> in;      // of the share operands, in order
  std::span<const Integers *const> weights; // the weight operands, in order
  bool weightsUnknown;
};

// A share op, not share.input or share.output; rounded outwards where doubles are not exact.
Interval shareOp(const Case &);

// Values that are a piecewise linear function of an earlier one: their interval is that function's range.
class Functions {
public:
  explicit Functions(const Module &module) : functions_(module.types.size()) {}

  // The interval of an op's result, if it is such a value.
  std::optional<Interval> follow(const Case &);
  void drop(ValueId value) { functions_[value].reset(); }

private:
  struct Function {
    ValueId base = kNoValue;
    std::shared_ptr<const Interval> of; // the base's
    PiecewiseLinear f;
  };
  std::optional<Function> functionOf(const Case &, std::size_t operand) const; // at least of itself
  std::optional<Function> resultOf(const Case &) const;

  std::vector<std::optional<Function>> functions_; // by value
};

// Values x + w (y - x), where w is a value too: their interval is the hull of those of x and y, if w is from 0 to 1.
class Mixtures {
public:
  explicit Mixtures(const Module &module) : parts_(module.types.size()) {}

  // The interval of an op's result, if it is such a value.
  std::optional<Interval> follow(const Case &);
  void drop(ValueId value) { parts_[value].reset(); }

private:
  struct Part { // factor z (y - x) / 2^bits
    ValueId x = kNoValue;
    std::shared_ptr<const Interval> from, to; // x's and y's
    std::shared_ptr<const Interval> z;        // null: not there yet
    int bits = 0;
    double factor = 1;
  };
  std::optional<Part> partOf(const Case &) const;

  std::vector<std::optional<Part>> parts_; // by value
};

// Products c r, where r is a function of a sum of squares of c: normalised values.
class Norms {
public:
  explicit Norms(const Module &module);
  ~Norms();

  // The interval of an op's result, if it is such a product.
  std::optional<Interval> follow(const Case &);

private:
  enum class Stage : std::uint8_t;
  struct Part;
  std::unique_ptr<Part> squaresOf(const Case &) const;
  std::unique_ptr<Part> sumOf(const Case &, const Part &x) const;
  std::unique_ptr<Part> functionOf(const Case &, const Part &x);
  std::unique_ptr<Part> partOf(const Case &);
  double evaluate(ValueId value, ValueId sum, double t, std::map<ValueId, double> &known) const;

  const Module &module_;
  std::vector<std::unique_ptr<Part>> parts_; // by value
  std::vector<std::size_t> makers_;          // likewise: the op
  std::map<ValueId, double> sums_;           // the largest that they may be
};

// Conv, matmul, scale, addw with known weights.
Interval linearOp(const Case &);

// A clear op before share.input; nothing if the analysis does not know the op or the input's range.
std::optional<Interval> clearOp(const Module &module, const Op &op, std::span<const Interval *const> in,
                                const ColumnRanges &columns);

// Elementwise f, monotone in a, and in b (downwards if `falling`), over broadcast operands.
template <class F>
Interval combine(const Interval &a, const Interval &b, F f, bool falling = false);

// Copies of x with its bounds written out for `shape`.
Interval expanded(const Interval &x, const Shape &shape);

// One interval for each position along axis 1 of `shape`: [1,C,1,...], the hull of the others.
Interval perChannel(const Interval &x, const Shape &shape);

} // namespace sd::intervals

#include "ir/core/ReferenceLinear.h"

namespace sd::intervals {

template <class F>
Interval combine(const Interval &a, const Interval &b, F f, bool falling) {
  const auto shape = broadcastShapes(a.low.shape, b.low.shape);
  assert(shape);
  Interval result{Tensor<double>(*shape), Tensor<double>(*shape)};
  reference::forEachBroadcast(*shape, a.low.shape, b.low.shape, [&](auto i, auto ia, auto ib) {
    result.low.data[i] = f(a.low.data[ia], (falling ? b.high : b.low).data[ib]);
    result.high.data[i] = f(a.high.data[ia], (falling ? b.low : b.high).data[ib]);
  });
  return result;
}

} // namespace sd::intervals
