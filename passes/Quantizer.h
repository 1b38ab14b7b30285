// The translation of one nn module to the share level, between the files of the quantize pass.
#pragma once

#include <map>

#include "passes/Magnitudes.h"
#include "passes/Partition.h"
#include "passes/Pass.h"
#include "passes/QuantizeDot.h"
#include "passes/Scales.h"

namespace sd {

struct InverseRoot;

class Quantizer {
public:
  Quantizer(const Module &module, PassContext &context)
      : module_(module), graph_(module), rewriter_(module), context_(context), s_(context.options.scaleBits),
        k_(boundBitsOf(module, context.options)), places_(partition(graph_, context.options.privateNormalization)),
        channels_(graph_, places_), shares_(module.types.size(), kNoValue), opened_(module.types.size(), kNoValue) {}

  Expected<Module> run();

private:
  // What can't be lowered, by op.
  void check(const Op &op, Place place);
  void checkTail(const Op &op);
  void checkPrivate(const Op &op);

  void lower(const Op &op);
  void lowerClear(const Op &op);
  void lowerRelu(const Op &op);
  void lowerPiecewise(const Op &op);
  void lowerConv(const Op &op);
  void lowerMatMul(const Op &op);
  void lowerBatchNorm(const Op &op);
  void lowerNorm(const Op &op);
  struct NormRows;
  ValueId centred(const Op &op, const NormRows &rows);
  std::pair<ValueId, int> squaresOf(const Op &op, ValueId c, const NormRows &rows);
  ValueId inverseRoot(const Op &op, ValueId t, const InverseRoot &f, int scale);
  ValueId summed(const Op &op, ValueId x, std::int64_t window); // of [1, rows, n] along the last axis
  ValueId rescaled(const Op &op, ValueId x, int shift);
  ValueId dropped(const Op &op, ValueId x, int bits);
  void lowerVecDot(const Op &op);
  ValueId reshaped(const Op &op, ValueId value, const Shape &shape);
  ValueId permutedAxes(const Op &op, ValueId value, const std::vector<std::int64_t> &perm);
  ValueId productOfMatrices(const Op &op, const DotAxes &axes);
  // One operand as [batch, its own axes, length]; `shape`: the operand's, of full rank.
  ValueId matrixOf(const Op &op, ValueId value, const Shape &shape, std::span<const std::int64_t> own,
                   const DotAxes &axes);
  void lowerSum(const Op &op);
  void lowerSumWithConstant(const Op &op, ValueId x, const Tensor<float> &constant);
  void lowerProduct(const Op &op);
  void lowerMaxPool(const Op &op);
  void lowerAtMost(const Op &op);
  void lowerDecided(const Op &op, ValueId x);
  bool isDecided(ValueId value) const; // sums of what nn.atmost gives: integers at scale 0
  void lowerAvgPool(const Op &op);
  void lowerConcat(const Op &op);
  void lowerMove(const Op &op, OpKind to);
  void lowerPad(const Op &op);

  // The share of an nn value; enters an input, once.
  ValueId share(ValueId value);
  ValueId entered(ValueId value, ValueId clear, int scale, int bound); // `clear`: what the hospital enters for it
  // A record's share at each of enteredScales(), coarsest first; the only one of other values.
  std::vector<ValueId> shares(ValueId value);
  // The clear value of an nn value; opens a share, once.
  ValueId clear(ValueId value);

  int scaleOf(ValueId value) const { return rewriter_.builder.type(value).scale; }
  const Shape &shapeOf(ValueId value) const { return rewriter_.builder.type(value).shape; }
  ValueId append(const Op &op, OpKind kind, std::vector<ValueId> operands, Attrs attrs = {}) {
    return rewriter_.builder.create(kind, std::move(operands), std::move(attrs), op.source);
  }
  // Weights at a scale; on overflow complains and goes on with zeros. As a factor they may not vanish (noteZeros).
  ValueId weights(const Op &op, const Tensor<float> &tensor, int scale, bool factor = false);
  Integers fixed(const Op &op, const Tensor<float> &tensor, int scale, bool factor);
  // A constant of the nn module, once for all linear layers that take it: the steps of a recurrent one do.
  ValueId sharedWeights(const Op &op, ValueId constant, int scale, bool factor = false);
  int weightScaleFor(const Op &op, int xScale) const;
  // For each row of weights [K,M] of a record entered at several scales, which of them suits it.
  std::vector<std::size_t> copiesFor(const Tensor<float> &weights, std::span<const int> scales, int productScale) const;
  void lowerColumns(const Op &op, std::span<const ValueId> copies);
  // Notes how far the rounded weights of each output are from the constant's, along `axis`; all as one for no axis.
  void noteRounding(const Op &op, const Tensor<float> &exact, int scale, std::optional<std::size_t> axis);
  void noteZeros(const Op &op, std::span<const float> values, int scale);
  // A record's share that nn.atmost takes, one of its own, as fine as comparisons can be.
  struct Compared {
    ValueId share = kNoValue;
    std::vector<int> scales; // of its columns, or one of all
    double low, high;        // of its integers
  };
  const Compared &compared(ValueId value);
  std::vector<std::pair<double, double>> realRanges(ValueId value);
  int comparedScale(double low, double high) const;
  ValueId limits(const Op &op, const Tensor<float> &b, const Compared &x, auto columnOf, bool turned);
  int bitsOf(const Op &op, ValueId y, int bits) const; // or what the op's bound says, if that is less
  // 1 where y >= 0, else 0, for -2^bits <= y < 2^bits.
  ValueId notNegative(const Op &op, ValueId y, int bits);
  // Down to a scale, if it is above.
  ValueId truncated(const Op &op, ValueId value, int scale);
  // The scale of an op's result: s, or less before an average.
  int resultScale(const Op &op) const;
  // The same real at a larger scale, by a public factor.
  ValueId raised(const Op &op, ValueId value, int scale);
  ValueId broadcast(const Op &op, ValueId value, const Shape &shape);
  // y = x times the weight (broadcast) plus the bias, truncated.
  void scaled(const Op &op, ValueId x, const Tensor<float> &factor, const Tensor<float> *bias);
  void define(const Op &op, ValueId value) { shares_[op.result] = value; }

  const Module &module_;
  Graph graph_;
  Rewriter rewriter_;
  PassContext &context_;
  int s_;
  int k_; // the bound of what nothing is known of
  std::vector<Place> places_;
  Channels channels_;
  std::vector<int> raw_ = rawBitsOf(graph_);                 // by value
  std::vector<ValueId> shares_;                              // by value of the nn module
  std::map<ValueId, std::vector<ValueId>> copies_;           // likewise, of records entered at several scales
  std::map<ValueId, Compared> compared_;                     // by value of the nn module
  std::vector<ValueId> opened_;                              // likewise, of the new module
  std::map<std::pair<ValueId, int>, ValueId> sharedWeights_; // by constant and scale
  std::map<ValueId, ValueId> columnWeights_;                 // of records at several scales, by constant
  std::optional<Magnitudes> sizes_;                          // once asked for
  Complaints complaints_;
};

struct PoolTarget {
  int ringBits = 0, boundBits = 0; // differences are promised to be below 2^boundBits
  const NetworkProfile &network;
};

// max over the windows of share x [N,C,...] as a tournament: gathers, and maxima of pairs, along each spatial axis in
// turn or with what is left of all axes together. Wide windows that overlap share maxima of 2, 4, ... elements. A
// window over the border is covered by elements inside it alone. Fewer levels or fewer comparisons: as the network asks
// for.
ValueId appendMaxPool(Builder &builder, ValueId x, const Op &pool, const PoolTarget &target);

} // namespace sd
