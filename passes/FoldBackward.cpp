#include "passes/FoldBackward.h"

#include <map>

namespace sd {

namespace {

// `chain`, then `next`.
void compose(OutputAffine &chain, const OutputAffine &next) {
  chain.summand.resize(next.summand.size());
  for (std::size_t i = 0; i < next.summand.size(); ++i)
    chain.summand[i] = chain.summand[i] * (next.factor.empty() ? 1 : next.factor[i]) + next.summand[i];
  if (next.factor.empty()) return;
  chain.factor.resize(next.factor.size(), 1);
  for (std::size_t i = 0; i < next.factor.size(); ++i)
    chain.factor[i] *= next.factor[i];
}

// The linear op with the chain in its constants; weights that stay are shared, not copied.
ValueId append(const Graph &graph, Rewriter &rewriter, const Op &linear, const OutputAffine &chain) {
  const Op &constant = graph.definition(linear.operands[1]);
  std::vector<float> bias(chain.summand.begin(), chain.summand.end());
  if (linear.operands.size() > 2) {
    const auto &own = graph.constant(linear.operands[2])->data;
    for (std::size_t i = 0; i < bias.size(); ++i)
      bias[i] = static_cast<float>(own[i] * (chain.factor.empty() ? 1 : chain.factor[i]) + chain.summand[i]);
  }
  const ValueId weights =
      chain.factor.empty() ? rewriter.builder.create(OpKind::Constant, {}, constant.attrs, linear.source)
                           : rewriter.builder.constant(
                                 scaleOutputs(linear, constant.attrs.floats(Attr::Value), chain.factor), linear.source);
  const ValueId b = rewriter.builder.constant({{static_cast<std::int64_t>(bias.size())}, bias}, linear.source);
  return rewriter.builder.create(linear.kind, {rewriter[linear.operands[0]], weights, b}, linear.attrs, linear.source);
}

} // namespace

Module foldBackward(const Graph &graph, const OutputAffineReader &read,
                    const std::function<void(Rewriter &, const Op &)> &otherwise) {
  const auto &ops = graph.module.ops;
  std::vector<const Op *> linear(graph.module.types.size()); // by value: the one whose outputs it holds
  std::vector<std::optional<OutputAffine>> affines(ops.size());
  const LinearBehind behind = [&](ValueId x) { return graph.hasOneUser(x) ? linear[x] : nullptr; };
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (hasConstantWeights(graph, ops[i])) {
      linear[ops[i].result] = &ops[i];
    } else if ((affines[i] = read(ops[i], behind))) {
      linear[ops[i].result] = linear[affines[i]->x];
    }
  }

  Rewriter rewriter(graph.module);
  std::map<ValueId, OutputAffine> chains; // that go on, by their last value
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (!affines[i]) {
      otherwise(rewriter, ops[i]);
      continue;
    }
    OutputAffine chain;
    if (const auto before = chains.extract(affines[i]->x)) chain = std::move(before.mapped());
    compose(chain, *affines[i]);
    const ValueId result = ops[i].result;
    if (graph.hasOneUser(result) && affines[graph.users[result][0]])
      chains.emplace(result, std::move(chain));
    else
      rewriter.map(result, append(graph, rewriter, *linear[result], chain));
  }
  return rewriter.finish();
}

} // namespace sd
