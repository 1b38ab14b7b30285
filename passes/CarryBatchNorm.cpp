// relu(g x + b) = g [g x + b > 0] (x + b/g): the sum goes before the ReLU, where it is local, and the factor into the
// weights of the linear ops behind. For negative g the bracket is [x + b/g < 0], a ReLU that is turned over. Which
// channels are turned stays P0's secret, and so the decision to rewrite depends on the ops alone, never on their
// constants.
#include <algorithm>
#include <cmath>
#include <map>

#include "passes/Linear.h"
#include "passes/Magnitudes.h"
#include "passes/Partition.h"
#include "passes/Pass.h"
#include "passes/Scales.h"

namespace sd {

namespace {

// The constants of one normalisation: g [..] (x + shift) + rest, by channel.
struct Carried {
  std::vector<double> factor, rest;
  std::vector<float> shift, turned;
};

constexpr double kBeyond = 16; // times what is typical of x: what it does not come near

// Where |b / g| is above the limit, which no x comes near, the sign is that of b: shift and rest then share b.
Carried carry(const Graph &graph, const Op &op, double least, const std::vector<double> &typical) {
  const Tensor<float> *parameters[4]; // scale, bias, mean, var
  for (int i = 0; i < 4; ++i)
    parameters[i] = graph.constant(op.operands[i + 1]);
  Carried carried;
  for (std::int64_t c = 0; c < parameters[0]->size(); ++c) {
    const double g = parameters[0]->data[c] / std::sqrt(parameters[3]->data[c] + op.attrs.f(Attr::Epsilon));
    const double b = parameters[1]->data[c] - parameters[2]->data[c] * g;
    const double limit = std::max(least, kBeyond * typical[c]);
    const bool fits = std::abs(b) <= limit * std::abs(g) && g != 0;
    carried.factor.push_back(g);
    carried.turned.push_back(g < 0 ? 1.0f : 0.0f);
    carried.shift.push_back(static_cast<float>(fits ? b / g : (b < 0) == (g < 0) ? limit : -limit));
    carried.rest.push_back(fits || b < 0 ? 0 : b - std::abs(g) * limit);
  }
  return carried;
}

bool isZero(const std::vector<std::int64_t> &values) {
  return std::ranges::all_of(values, [](auto v) { return v == 0; });
}

// The linear ops at the end of all paths from `value`, whose channels stand on `axis`; false if some path ends
// elsewhere, or pads: the rest of a channel is not zero there.
bool collectLinearOps(const Graph &graph, ValueId value, std::size_t axis, std::vector<std::size_t> &found) {
  std::vector<ValueId> values{value}; // their channels all on `axis`
  while (!values.empty()) {
    value = values.back();
    values.pop_back();
    if (graph.users[value].empty()) return false;
    const Shape &shape = graph.module.type(value).shape;
    for (auto user : graph.users[value]) {
      const Op &op = graph.module.ops[user];
      if (hasConstantWeights(graph, op) && op.operands[0] == value) {
        if (inputAxis(op, shape) != axis || (op.kind == OpKind::Conv && !isZero(op.attrs.ints(Attr::Pads))))
          return false;
        found.push_back(user);
        continue;
      }
      bool keeps = false;
      if (op.kind == OpKind::AvgPool)
        keeps = isZero(op.attrs.ints(Attr::Pads)) && !op.attrs.i(Attr::CeilMode) && !op.attrs.has(Attr::Shift);
      if (op.kind == OpKind::Reshape) {
        const Shape &flat = graph.module.type(op.result).shape;
        keeps = flat.size() == 2 && flat[0] == shape[0] && flat[1] == shape[axis] && axis == 1;
      }
      if (!keeps) return false;
      values.push_back(op.result);
    }
  }
  return true;
}

// The ReLU behind a normalisation that can be carried, and the linear ops behind it.
struct Match {
  std::size_t relu = 0;
  std::vector<std::size_t> linearOps;
};

std::optional<Match> match(const Graph &graph, const Op &op, int scaleBits, int boundBits) {
  if (op.kind != OpKind::BatchNorm || !graph.hasOneUser(op.result) || graph.constant(op.operands[0]))
    return std::nullopt;
  // Columns of a record beyond the scale's own range may need several scales, which a product gives them.
  if (enteredScale(graph, op.operands[0], scaleBits, boundBits) < scaleBits) return std::nullopt;
  for (int i = 1; i < 5; ++i)
    if (!graph.constant(op.operands[i])) return std::nullopt;
  Match found{graph.users[op.result][0], {}};
  const Op &relu = graph.module.ops[found.relu];
  if (!isPlainRelu(relu) || !collectLinearOps(graph, relu.result, 1, found.linearOps)) return std::nullopt;
  return found;
}

// The op with weights W g and bias + W rest.
void scaleLinear(LinearParts &parts, const Carried &carried) {
  const std::int64_t outputs = static_cast<std::int64_t>(parts.bias.size());
  const Tensor<float> rest = scaleInputs(*parts.op, parts.weights, carried.rest);
  const std::int64_t each = rest.size() / outputs;
  for (std::int64_t i = 0; i < rest.size(); ++i)
    parts.bias[parts.op->kind == OpKind::Conv ? i / each : i % outputs] += rest.data[i];
  parts.weights = scaleInputs(*parts.op, parts.weights, carried.factor);
}

} // namespace

Expected<Module> carryBatchNorm(const Module &module, PassContext &context) {
  const Graph graph(module);
  std::optional<Magnitudes> sizes; // asked for by few modules
  const double limit =
      std::ldexp(1.0, turnedSummandBits(boundBitsOf(module, context.options), context.options.scaleBits));
  Rewriter rewriter(module);
  std::map<std::size_t, Carried> relus;             // by the ReLU's index
  std::map<std::size_t, const Carried *> linearOps; // by the linear op's
  for (std::size_t i = 0; i < module.ops.size(); ++i) {
    const Op &op = module.ops[i];
    auto perChannel = [&](const std::vector<float> &values) {
      Shape shape(module.type(op.result).shape.size(), 1);
      shape[1] = static_cast<std::int64_t>(values.size());
      return rewriter.builder.constant({shape, values}, op.source);
    };
    if (const auto found = match(graph, op, context.options.scaleBits, boundBitsOf(module, context.options))) {
      const ValueId x = op.operands[0];
      if (!sizes) sizes.emplace(graph);
      const Compact typical = hullAlongAxis(sizes->typicalOf(x), 1);
      const auto sizesOfX = along(typical, module.type(x).shape, 1);
      const Carried &carried = relus.emplace(found->relu, carry(graph, op, limit, *sizesOfX)).first->second;
      for (auto linear : found->linearOps)
        linearOps[linear] = &carried;
      rewriter.replace(op, OpKind::Add, {rewriter[op.operands[0]], perChannel(carried.shift)});
    } else if (const auto relu = relus.find(i); relu != relus.end()) {
      rewriter.replace(op, OpKind::Relu, {rewriter[op.operands[0]], perChannel(relu->second.turned)});
    } else if (const auto linear = linearOps.find(i); linear != linearOps.end()) {
      LinearParts parts = partsOf(graph, op);
      scaleLinear(parts, *linear->second);
      rewriter.map(op.result, emit(rewriter, std::move(parts), rewriter[op.operands[0]]));
    } else {
      rewriter.clone(op);
    }
  }
  return rewriter.finish();
}

} // namespace sd
