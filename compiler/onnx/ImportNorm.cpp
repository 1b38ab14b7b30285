// Normalisations whose divisor depends on the data: layernorm and rmsnorm of rows that hold the axes in question.
#include "compiler/onnx/Handlers.h"

#include <algorithm>
#include <cmath>

#include "compiler/onnx/Norm.h"
#include "compiler/onnx/Smooth.h"
#include "ir/core/Functions.h"

namespace sd {
namespace {

constexpr double kEpsilon = 1e-5;

Expected<double> epsilonOf(Node &node) {
  SD_ASSIGN(const double epsilon, node.real("epsilon", kEpsilon));
  if (!(epsilon >= 0 && std::isfinite(epsilon))) return fail("its epsilon is {:g}; it must not be negative", epsilon);
  return epsilon;
}

// From `first` to the last axis.
std::vector<std::int64_t> axesFrom(std::int64_t first, std::int64_t rank) {
  std::vector<std::int64_t> axes;
  for (std::int64_t axis = first; axis < rank; ++axis)
    axes.push_back(axis);
  return axes;
}

// y scale + bias, with one of each a channel or as they broadcast; bias may be none.
Expected<Value> affine(Emitter &emitter, Value y, const Value &scale, const Value &bias) {
  SD_ASSIGN(y, emitter.arithmetic(OpKind::Mul, y, scale));
  return bias.isNone() ? Expected<Value>(y) : emitter.arithmetic(OpKind::Add, y, bias);
}

// [C], as it broadcasts along axis 1.
Expected<Value> channels(Emitter &emitter, const Value &x, const Value &parameter) {
  Shape shape(static_cast<std::size_t>(x.rank()), 1);
  shape[1] = x.shape()[1];
  if (parameter.size() != shape[1]) return fail("has {} parameters for {} channels", parameter.size(), shape[1]);
  return emitter.reshape(parameter, shape);
}

Expected<void> expectChannels(const Value &x) {
  if (x.rank() < 3) return fail("is applied to {}; it needs channels and at least one spatial axis", describe(x));
  return {};
}

// LayerNormalization's and RMSNormalization's.
Expected<void> trailing(Node &node, Emitter &emitter, bool centred) {
  const Value &x = node.input(0);
  SD_ASSIGN(std::int64_t axis, node.integer("axis", -1));
  SD_ASSIGN(axis, normalizedAxis(axis, x.rank()));
  SD_ASSIGN(const double epsilon, epsilonOf(node));
  node.ignore("stash_type"); // the precision of the intermediate results
  for (std::size_t i = 1; i < node.outputCount(); ++i)
    if (node.isUsed(i)) return fail("its mean and deviation are used as outputs, which is not supported");
  SD_ASSIGN(const Value y, normalisedAlong(emitter, {centred, epsilon}, x, axesFrom(axis, x.rank())));
  SD_ASSIGN(Value result, affine(emitter, y, node.input(1), node.has(2) ? node.input(2) : Value()));
  if (result.shape() != x.shape()) return fail("its parameters enlarge {}", describe(x));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace

Expected<Value> normalisedAlong(Emitter &emitter, const RowFunction &function, const Value &x,
                                const std::vector<std::int64_t> &axes) {
  std::vector<std::int64_t> perm, inverse(static_cast<std::size_t>(x.rank()));
  Shape rows = {1, 1};
  for (const bool reduced : {false, true})
    for (std::int64_t axis = 0; axis < x.rank(); ++axis)
      if ((std::ranges::find(axes, axis) != axes.end()) == reduced) {
        inverse[static_cast<std::size_t>(axis)] = std::ssize(perm);
        perm.push_back(axis);
        rows[reduced ? 1 : 0] *= x.shape()[static_cast<std::size_t>(axis)];
      }
  SD_ASSIGN(const Value ordered, emitter.transpose(x, perm));
  SD_ASSIGN(const Value flat, emitter.reshape(ordered, rows));
  SD_ASSIGN(const Value y, emitter.compute(OpKind::Function, {flat}, {{Attr::Function, nameOf(function)}}));
  SD_ASSIGN(const Value shaped, emitter.reshape(y, ordered.shape()));
  return emitter.transpose(shaped, inverse);
}

Expected<void> importLayerNorm(Node &node, Emitter &emitter) { return trailing(node, emitter, true); }
Expected<void> importRmsNorm(Node &node, Emitter &emitter) { return trailing(node, emitter, false); }

Expected<void> importInstanceNorm(Node &node, Emitter &emitter) {
  const Value &x = node.input(0);
  SD_TRY(expectChannels(x));
  SD_ASSIGN(const double epsilon, epsilonOf(node));
  node.ignore("consumed_inputs"); // of opset 1
  SD_ASSIGN(const Value y, normalisedAlong(emitter, {true, epsilon}, x, axesFrom(2, x.rank())));
  SD_ASSIGN(const Value scale, channels(emitter, x, node.input(1)));
  SD_ASSIGN(const Value bias, channels(emitter, x, node.input(2)));
  SD_ASSIGN(Value result, affine(emitter, y, scale, bias));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importGroupNorm(Node &node, Emitter &emitter) {
  const Value &x = node.input(0);
  SD_TRY(expectChannels(x));
  SD_ASSIGN(const double epsilon, epsilonOf(node));
  SD_ASSIGN(const std::int64_t groups, node.integer("num_groups", 0));
  node.ignore("stash_type");
  const std::int64_t count = x.shape()[1];
  if (groups < 1 || count % groups != 0) return fail("has {} groups for {} channels", groups, count);
  SD_ASSIGN(const Value grouped, emitter.reshape(x, {x.shape()[0], groups, x.size() / x.shape()[0] / groups}));
  SD_ASSIGN(const Value rows, normalisedAlong(emitter, {true, epsilon}, grouped, {2}));
  SD_ASSIGN(const Value y, emitter.reshape(rows, x.shape()));
  Value parameters[] = {node.input(1), node.input(2)};
  for (Value &parameter : parameters) {
    if (node.opset() < 21) { // one a group
      if (parameter.size() != groups) return fail("has {} parameters for {} groups", parameter.size(), groups);
      std::vector<std::int64_t> groupOf;
      for (std::int64_t c = 0; c < count; ++c)
        groupOf.push_back(c / (count / groups));
      SD_ASSIGN(parameter, emitter.reshape(parameter, {groups}));
      SD_ASSIGN(parameter, emitter.gather(parameter, 0, std::move(groupOf)));
    }
    SD_ASSIGN(parameter, channels(emitter, x, parameter));
  }
  SD_ASSIGN(Value result, affine(emitter, y, parameters[0], parameters[1]));
  node.setOutput(0, std::move(result));
  return {};
}

// Without a variance the deviation is 1e-9, and the result 0.
Expected<void> importMeanVarianceNorm(Node &node, Emitter &emitter) {
  const Value &x = node.input(0);
  SD_ASSIGN(std::vector<std::int64_t> axes, node.integers("axes"));
  if (!node.hasAttr("axes")) axes = {0, 2, 3};
  SD_ASSIGN(axes, normalizedAxes(std::move(axes), x.rank()));
  SD_ASSIGN(Value result, normalisedAlong(emitter, {true, 0}, x, axes));
  node.setOutput(0, std::move(result));
  return {};
}

// x / (bias + alpha / size T)^beta, where T is the sum of squares over `size` neighbouring channels. The squares are of
// x sqrt(alpha / size), so that they are about as large as the bias.
Expected<void> importLrn(Node &node, Emitter &emitter) {
  const Value &x = node.input(0);
  SD_TRY(expectChannels(x));
  SD_ASSIGN(const double alpha, node.real("alpha", 1e-4));
  SD_ASSIGN(const double beta, node.real("beta", 0.75));
  SD_ASSIGN(const double bias, node.real("bias", 1.0));
  SD_ASSIGN(const std::int64_t size, node.integer("size", 0));
  if (!(alpha >= 0 && std::isfinite(alpha))) return fail("its alpha is {:g}; it must not be negative", alpha);
  if (!(bias > 0 && std::isfinite(bias))) return fail("its bias is {:g}; it must be positive", bias);
  if (!(beta >= 0 && std::isfinite(beta))) return fail("its beta is {:g}; it must not be negative", beta);
  if (size < 1 || size > 2 * x.shape()[1])
    return fail("its size is {}; it must be from 1 to twice the {} channels", size, x.shape()[1]);
  std::vector<std::int64_t> perm = {0}, inverse = {0, x.rank() - 1};
  for (std::int64_t axis = 2; axis < x.rank(); ++axis) {
    perm.push_back(axis);
    inverse.push_back(axis - 1);
  }
  perm.push_back(1);
  SD_ASSIGN(const Value small, scaledBy(emitter, x, std::sqrt(alpha / static_cast<double>(size)), 0));
  SD_ASSIGN(const Value squares, emitter.arithmetic(OpKind::Mul, small, small));
  SD_ASSIGN(const Value turned, emitter.transpose(squares, perm));
  SD_ASSIGN(const Value rows, emitter.reshape(turned, {1, x.size() / x.shape()[1], x.shape()[1]}));
  using Ints = std::vector<std::int64_t>;
  SD_ASSIGN(const Value sums, emitter.compute(OpKind::AvgPool, {rows},
                                              {{Attr::Kernel, Ints{size}},
                                               {Attr::Strides, Ints{1}},
                                               {Attr::Pads, Ints{(size - 1) / 2, size / 2}},
                                               {Attr::Dilations, Ints{1}},
                                               {Attr::CeilMode, std::int64_t{0}},
                                               {Attr::CountIncludePad, std::int64_t{0}},
                                               {Attr::Shift, std::int64_t{0}}}));
  SD_ASSIGN(const Value base, scaledBy(emitter, sums, 1, bias));
  SD_ASSIGN(const Value log, emitter.compute(OpKind::Function, {base}, {{Attr::Function, std::string("log")}}));
  SD_ASSIGN(const Value exponent, scaledBy(emitter, log, -beta, 0));
  SD_ASSIGN(Value factor, emitter.compute(OpKind::Function, {exponent}, {{Attr::Function, std::string("exp")}}));
  SD_ASSIGN(factor, emitter.reshape(factor, turned.shape()));
  SD_ASSIGN(factor, emitter.transpose(factor, inverse));
  SD_ASSIGN(Value result, emitter.arithmetic(OpKind::Mul, x, factor));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
