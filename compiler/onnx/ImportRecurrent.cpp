// LSTM, GRU and RNN, step by step: the sequence's length is known. What the input adds to the gates of all steps is one
// product; each step then takes the product with the hidden state, and gates of one function share an op.
#include <algorithm>

#include "compiler/onnx/Handlers.h"
#include "compiler/onnx/Smooth.h"

namespace sd {
namespace {

// Steps of a node, in both directions together: each is some two hundred ops of the program and ten round trips.
constexpr std::int64_t kMaxSteps = 2048;

struct Activation {
  std::string name;
  double alpha = 0, beta = 0;
};

struct Known { // with parameters: how many, and the defaults of ONNX
  std::string_view name;
  OpKind op; // of those without
  int parameters = 0;
  double alpha = 0, beta = 0;
};
constexpr Known kKnown[] = {
    {"Sigmoid", OpKind::Sigmoid},
    {"Tanh", OpKind::Tanh},
    {"Relu", OpKind::Relu},
    {"Softsign", OpKind::Softsign},
    {"Softplus", OpKind::Softplus},
    {"Elu", OpKind::Elu, 1, 1.0},
    {"LeakyRelu", OpKind::Piecewise, 1, 0.01},
    {"HardSigmoid", OpKind::Piecewise, 2, 0.2, 0.5},
};

const Known *known(std::string_view name) {
  const auto *found = std::ranges::find(kKnown, name, &Known::name);
  return found == std::end(kKnown) ? nullptr : found;
}

Expected<Value> apply(Emitter &emitter, const Activation &f, const Value &x) {
  if (f.name == "Elu") return elu(emitter, x, f.alpha);
  if (f.name == "LeakyRelu") return leakyRelu(emitter, x, f.alpha);
  if (f.name == "HardSigmoid") return hardSigmoid(emitter, x, f.alpha, f.beta);
  return emitter.compute(known(f.name)->op, {x});
}

// What is the same for all directions and steps.
struct Layer {
  std::int64_t gates; // blocks of the weights
  std::int64_t steps, batch, features, hidden, directions;
  bool reverse, batchFirst;
  bool resetsLast = false; // of GRU: linear_before_reset
  std::vector<Activation> activations;

  std::size_t perDirection() const { return activations.size() / static_cast<std::size_t>(directions); }
};

struct Direction {
  const Layer &layer;
  std::span<const Activation> activations;
  Value fromInput;              // [steps, batch, gates * hidden], or [batch, steps, ...]
  Value recurrent;              // [hidden, gates * hidden]
  Value added;                  // what of the bias goes with that product, or none
  Value last;                   // of GRU without linear_before_reset: the last block, which `recurrent` then lacks
  std::vector<Value> peepholes; // [hidden] of i, o, f; or empty
};

struct State { // [batch, hidden]; none: zeros
  Value h, c;
};

// Blocks of `hidden` elements along the last axis.
Expected<Value> blocks(Emitter &emitter, const Layer &layer, const Value &x, std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < count * layer.hidden; ++i)
    indices.push_back(first * layer.hidden + i);
  return emitter.gather(x, x.rank() - 1, std::move(indices));
}

Expected<Value> plus(Emitter &emitter, const Value &x, const Value &y) {
  return y.isNone() ? x : emitter.arithmetic(OpKind::Add, x, y);
}

// h R^T and a bias; none if both are.
Expected<Value> fromState(Emitter &emitter, const Value &h, const Value &weights, const Value &bias) {
  if (h.isNone()) return bias;
  if (bias.isNone()) return emitter.compute(OpKind::MatMul, {h, weights});
  return emitter.compute(OpKind::MatMul, {h, weights, bias});
}

using Step = Expected<State> (*)(Emitter &, const Direction &, const Value &, const State &);

Expected<State> rnnStep(Emitter &emitter, const Direction &own, const Value &input, const State &before) {
  SD_ASSIGN(const Value recurrent, fromState(emitter, before.h, own.recurrent, Value()));
  SD_ASSIGN(const Value sum, plus(emitter, input, recurrent));
  SD_ASSIGN(Value h, apply(emitter, own.activations[0], sum));
  return State{std::move(h), Value()};
}

// Blocks z, r, h. h = n + z (h - n), of which n depends on r.
Expected<State> gruStep(Emitter &emitter, const Direction &own, const Value &input, const State &before) {
  const Layer &layer = own.layer;
  const auto part = [&](const Value &x, std::int64_t first, std::int64_t count) {
    return x.isNone() ? x : blocks(emitter, layer, x, first, count);
  };
  // What the state adds to z and r, and with linear_before_reset to n.
  SD_ASSIGN(const Value recurrent, fromState(emitter, before.h, own.recurrent, own.added));
  const bool resets = !recurrent.isNone(); // else r has nothing to reset
  SD_ASSIGN(const Value gatesInput, part(input, 0, resets ? 2 : 1));
  SD_ASSIGN(const Value gatesState, part(recurrent, 0, 2));
  SD_ASSIGN(const Value gatesSum, plus(emitter, gatesInput, gatesState));
  SD_ASSIGN(const Value gates, apply(emitter, own.activations[0], gatesSum));
  SD_ASSIGN(const Value z, part(gates, 0, 1));
  SD_ASSIGN(Value n, part(input, 2, 1));
  if (resets) {
    SD_ASSIGN(const Value r, part(gates, 1, 1));
    SD_ASSIGN(const Value kept, layer.resetsLast ? part(recurrent, 2, 1) : Expected<Value>(before.h));
    SD_ASSIGN(Value state, emitter.arithmetic(OpKind::Mul, r, kept));
    if (!layer.resetsLast) {
      SD_ASSIGN(state, emitter.compute(OpKind::MatMul, {state, own.last}));
    }
    SD_ASSIGN(n, plus(emitter, n, state));
  }
  SD_ASSIGN(n, apply(emitter, own.activations[1], n));
  if (before.h.isNone()) {
    SD_ASSIGN(const Value lost, emitter.arithmetic(OpKind::Mul, z, n));
    SD_ASSIGN(Value h, emitter.arithmetic(OpKind::Sub, n, lost));
    return State{std::move(h), Value()};
  }
  SD_ASSIGN(const Value difference, emitter.arithmetic(OpKind::Sub, before.h, n));
  SD_ASSIGN(const Value moved, emitter.arithmetic(OpKind::Mul, z, difference));
  SD_ASSIGN(Value h, emitter.arithmetic(OpKind::Add, n, moved));
  return State{std::move(h), Value()};
}

// Blocks i, o, f, c; of the peepholes i, o, f.
Expected<State> lstmStep(Emitter &emitter, const Direction &own, const Value &input, const State &before) {
  const auto part = [&](const Value &x, std::int64_t first, std::int64_t count) {
    return blocks(emitter, own.layer, x, first, count);
  };
  const bool keeps = !before.c.isNone(); // else the forget gate has nothing to forget
  SD_ASSIGN(const Value recurrent, fromState(emitter, before.h, own.recurrent, Value()));
  SD_ASSIGN(const Value sum, plus(emitter, input, recurrent));
  // A gate that the cell's state c is shown to.
  const auto gate = [&](std::int64_t block, const Value &c) -> Expected<Value> {
    SD_ASSIGN(Value x, part(sum, block, 1));
    if (!c.isNone()) {
      SD_ASSIGN(const Value seen, emitter.arithmetic(OpKind::Mul, c, own.peepholes[static_cast<std::size_t>(block)]));
      SD_ASSIGN(x, plus(emitter, x, seen));
    }
    return apply(emitter, own.activations[0], x);
  };
  Value in, out, forget;
  if (own.peepholes.empty()) {
    SD_ASSIGN(Value gates, part(sum, 0, keeps ? 3 : 2));
    SD_ASSIGN(gates, apply(emitter, own.activations[0], gates));
    SD_ASSIGN(in, part(gates, 0, 1));
    SD_ASSIGN(out, part(gates, 1, 1));
    if (keeps) {
      SD_ASSIGN(forget, part(gates, 2, 1));
    }
  } else {
    SD_ASSIGN(in, gate(0, before.c));
    if (keeps) {
      SD_ASSIGN(forget, gate(2, before.c));
    }
  }
  SD_ASSIGN(Value candidate, part(sum, 3, 1));
  SD_ASSIGN(candidate, apply(emitter, own.activations[1], candidate));
  SD_ASSIGN(Value c, emitter.arithmetic(OpKind::Mul, in, candidate));
  if (keeps) {
    SD_ASSIGN(const Value kept, emitter.arithmetic(OpKind::Mul, forget, before.c));
    SD_ASSIGN(c, plus(emitter, kept, c));
  }
  if (!own.peepholes.empty()) {
    SD_ASSIGN(out, gate(1, c));
  }
  SD_ASSIGN(const Value shown, apply(emitter, own.activations[2], c));
  SD_ASSIGN(Value h, emitter.arithmetic(OpKind::Mul, out, shown));
  return State{std::move(h), std::move(c)};
}

Expected<std::vector<Activation>> readActivations(Node &node, std::int64_t directions,
                                                  std::initializer_list<std::string_view> usual) {
  SD_ASSIGN(std::vector<std::string> names, node.texts("activations"));
  SD_ASSIGN(const std::vector<double> alphas, node.reals("activation_alpha"));
  SD_ASSIGN(const std::vector<double> betas, node.reals("activation_beta"));
  if (names.empty())
    for (std::int64_t i = 0; i < directions; ++i)
      names.insert(names.end(), usual.begin(), usual.end());
  const std::size_t count = static_cast<std::size_t>(directions) * usual.size();
  if (names.size() != count) return fail("names {} activations, not {}", names.size(), count);
  // Those that take a parameter take the next of the list.
  auto alpha = alphas.begin(), beta = betas.begin();
  std::vector<Activation> activations;
  for (std::string &name : names) {
    const Known *about = known(name);
    if (!about) {
      std::vector<std::string_view> all;
      for (const Known &each : kKnown)
        all.push_back(each.name);
      return fail("its activation '{}' is not supported; use {}", printable(name), fmt::join(all, ", "));
    }
    Activation f{std::move(name), about->alpha, about->beta};
    if (about->parameters > 0 && alpha != alphas.end()) f.alpha = *alpha++;
    if (about->parameters > 1 && beta != betas.end()) f.beta = *beta++;
    activations.push_back(std::move(f));
  }
  if (alpha != alphas.end() || beta != betas.end())
    return fail("has more activation_alpha or activation_beta than its activations take");
  return activations;
}

Expected<void> refuseVariants(Node &node) {
  if (node.hasAttr("clip")) {
    SD_ASSIGN(const double clip, node.real("clip", 0));
    return fail("clips what its gates are given to {:g}, which is not supported; export it without clip", clip);
  }
  if (node.op() == "LSTM") {
    SD_ASSIGN(const std::int64_t coupled, node.integer("input_forget", 0));
    if (coupled)
      return fail("couples its input and forget gates, which is not supported; train it without input_forget");
  }
  return {};
}

Expected<Layer> readLayer(Node &node, std::int64_t gates, std::initializer_list<std::string_view> activations) {
  SD_TRY(refuseVariants(node));
  Layer layer{};
  layer.gates = gates;
  auto direction = node.text("direction", "forward");
  if (!direction) return tl::unexpected(direction.error());
  if (*direction != "forward" && *direction != "reverse" && *direction != "bidirectional")
    return fail("its direction '{}' is not known", printable(*direction));
  layer.reverse = *direction == "reverse";
  layer.directions = *direction == "bidirectional" ? 2 : 1;
  if (!node.hasAttr("hidden_size")) return fail("the attribute 'hidden_size' is missing");
  SD_ASSIGN(layer.hidden, node.integer("hidden_size", 0));
  if (layer.hidden < 1 || layer.hidden > kMaxSelected)
    return fail("its hidden_size is {}; it must be from 1 to {}", layer.hidden, kMaxSelected);
  SD_ASSIGN(const std::int64_t layout, node.opset() < 14 ? 0 : node.integer("layout", 0));
  if (layout != 0 && layout != 1) return fail("its layout is {}, neither 0 nor 1", layout);
  layer.batchFirst = layout == 1;
  if (node.op() == "GRU") {
    SD_ASSIGN(layer.resetsLast, node.integer("linear_before_reset", 0));
  }
  const Value &x = node.input(0);
  if (x.rank() != 3)
    return fail("needs x [{}], not of shape {}", layer.batchFirst ? "batch,steps,features" : "steps,batch,features",
                toString(x.shape()));
  if (x.size() == 0) return fail("is given x of shape {}, without elements", toString(x.shape()));
  layer.steps = x.shape()[layer.batchFirst ? 1 : 0];
  layer.batch = x.shape()[layer.batchFirst ? 0 : 1];
  layer.features = x.shape()[2];
  if (layer.steps * layer.directions > kMaxSteps)
    return fail("runs over {} steps{}, each some ten round trips; {} are the most; "
                "shorten the sequence, for example by a convolution with strides before it",
                layer.steps, layer.directions == 2 ? " twice" : "", kMaxSteps);
  if (layer.steps * layer.directions * gates * layer.hidden > kMaxSelected)
    return fail("computes {} times {} gates, too many to write them out", layer.steps * layer.directions,
                gates * layer.hidden);
  SD_ASSIGN(layer.activations, readActivations(node, layer.directions, activations));
  return layer;
}

Expected<void> expectShape(const Node &node, std::size_t i, std::string_view what, const Shape &shape) {
  const Value &x = node.input(i);
  if (x.isInteger()) return fail("its {} must be floats, not {}", what, describe(x));
  if (x.shape() == shape) return {};
  return fail("its {} must be of shape {}, not {}", what, toString(shape), toString(x.shape()));
}

Expected<void> checkInputs(const Node &node, const Layer &layer) {
  const std::int64_t rows = layer.gates * layer.hidden;
  const Shape state = layer.batchFirst ? Shape{layer.batch, layer.directions, layer.hidden}
                                       : Shape{layer.directions, layer.batch, layer.hidden};
  const struct {
    std::size_t at;
    std::string_view what;
    Shape shape;
    bool isConstant;
  } inputs[] = {
      {1, "W", {layer.directions, rows, layer.features}, true},
      {2, "R", {layer.directions, rows, layer.hidden}, true},
      {3, "B", {layer.directions, 2 * rows}, true},
      {5, "initial_h", state, false},
      {6, "initial_c", state, false},
      {7, "P", {layer.directions, 3 * layer.hidden}, true},
  };
  for (const auto &input : inputs) {
    if (!node.has(input.at) && input.at > 2) continue;
    if (input.isConstant) SD_TRY(node.expectConstant(input.at, input.what));
    SD_TRY(expectShape(node, input.at, input.what, input.shape));
  }
  if (!node.has(4)) return {};
  SD_ASSIGN(const std::vector<std::int64_t> lengths, node.constantInts(4, "sequence_lens"));
  if (static_cast<std::int64_t>(lengths.size()) != layer.batch)
    return fail("has {} sequence_lens for a batch of {}", lengths.size(), layer.batch);
  for (std::int64_t length : lengths)
    if (length != layer.steps)
      return fail("its sequence_lens hold {}, x has {} steps; only sequences of full length are supported", length,
                  layer.steps);
  return {};
}

// Of a constant [directions, rows, columns] one direction's matrix, transposed.
Expected<Value> weightsOf(Emitter &emitter, const Value &all, std::int64_t direction) {
  SD_ASSIGN(const Value one, emitter.gather(all, 0, {direction}));
  SD_ASSIGN(const Value matrix, emitter.reshape(one, {all.shape()[1], all.shape()[2]}));
  return emitter.transpose(matrix, {1, 0});
}

bool isZero(const Value &x) {
  return x.isConstant() && std::ranges::all_of(x.floats()->data, [](float v) { return v == 0; });
}

// One direction's part along an axis; none if it is zero or not there.
Expected<Value> partOf(Emitter &emitter, const Value &all, std::int64_t axis, std::int64_t direction) {
  if (all.isNone()) return Value();
  SD_ASSIGN(Value one, emitter.gather(all, axis, {direction}));
  Shape shape = one.shape();
  shape.erase(shape.begin() + axis);
  SD_ASSIGN(one, emitter.reshape(one, std::move(shape)));
  return isZero(one) ? Value() : one;
}

Expected<Direction> readDirection(Node &node, Emitter &emitter, const Layer &layer, std::int64_t direction) {
  const std::size_t count = layer.perDirection();
  const auto activations = std::span(layer.activations).subspan(static_cast<std::size_t>(direction) * count, count);
  Direction own{layer, activations, {}, {}, {}, {}, {}};
  SD_ASSIGN(const Value weights, weightsOf(emitter, node.input(1), direction));
  SD_ASSIGN(own.recurrent, weightsOf(emitter, node.input(2), direction));
  if (node.op() == "GRU" && !layer.resetsLast) {
    SD_ASSIGN(own.last, blocks(emitter, layer, own.recurrent, 2, 1));
    SD_ASSIGN(own.recurrent, blocks(emitter, layer, own.recurrent, 0, 2));
  }
  SD_ASSIGN(const Value peepholes, partOf(emitter, node.input(7), 0, direction));
  for (std::int64_t i = 0; i < 3 && !peepholes.isNone(); ++i) {
    SD_ASSIGN(Value one, blocks(emitter, layer, peepholes, i, 1));
    own.peepholes.push_back(std::move(one));
  }
  SD_ASSIGN(const Value both, partOf(emitter, node.input(3), 0, direction));
  std::vector<Value> operands = {node.input(0), weights};
  if (!both.isNone()) {
    SD_ASSIGN(const Value ofInput, blocks(emitter, layer, both, 0, layer.gates));
    SD_ASSIGN(Value ofState, blocks(emitter, layer, both, layer.gates, layer.gates));
    if (layer.resetsLast) { // the last block's stays inside the product with r
      Tensor<float> early = *ofState.floats(), last = early;
      const auto from = static_cast<std::ptrdiff_t>(2 * layer.hidden);
      std::fill(early.data.begin() + from, early.data.end(), 0.0f);
      std::fill(last.data.begin(), last.data.begin() + from, 0.0f);
      ofState = Value::of(std::move(early));
      if (Value added = Value::of(std::move(last)); !isZero(added)) own.added = std::move(added);
    }
    SD_ASSIGN(Value bias, emitter.arithmetic(OpKind::Add, ofInput, ofState));
    operands.push_back(std::move(bias));
  }
  SD_ASSIGN(own.fromInput, emitter.compute(OpKind::MatMul, operands));
  return own;
}

// The states of all directions, [batch, hidden] each, those of one step together.
Expected<Value> stacked(Emitter &emitter, const Layer &layer, std::vector<Value> states, bool hasSteps) {
  SD_ASSIGN(const Value rows, emitter.concat(std::move(states), 0));
  if (hasSteps) {
    SD_ASSIGN(const Value all, emitter.reshape(rows, {layer.steps, layer.directions, layer.batch, layer.hidden}));
    return layer.batchFirst ? emitter.transpose(all, {2, 0, 1, 3}) : Expected<Value>(all);
  }
  SD_ASSIGN(const Value all, emitter.reshape(rows, {layer.directions, layer.batch, layer.hidden}));
  return layer.batchFirst ? emitter.transpose(all, {1, 0, 2}) : Expected<Value>(all);
}

Expected<void> unroll(Node &node, Emitter &emitter, const Layer &layer, Step step) {
  SD_TRY(checkInputs(node, layer));
  std::vector<Value> each(static_cast<std::size_t>(layer.steps * layer.directions)), last, lastCell;
  for (std::int64_t d = 0; d < layer.directions; ++d) {
    SD_ASSIGN(const Direction own, readDirection(node, emitter, layer, d));
    State state;
    SD_ASSIGN(state.h, partOf(emitter, node.input(5), layer.batchFirst ? 1 : 0, d));
    SD_ASSIGN(state.c, partOf(emitter, node.input(6), layer.batchFirst ? 1 : 0, d));
    for (std::int64_t i = 0; i < layer.steps; ++i) {
      const std::int64_t at = layer.reverse || d == 1 ? layer.steps - 1 - i : i;
      SD_ASSIGN(const Value sums, emitter.gather(own.fromInput, layer.batchFirst ? 1 : 0, {at}));
      SD_ASSIGN(const Value input, emitter.reshape(sums, {layer.batch, layer.gates * layer.hidden}));
      SD_ASSIGN(state, step(emitter, own, input, state));
      each[static_cast<std::size_t>(at * layer.directions + d)] = state.h;
    }
    last.push_back(state.h);
    lastCell.push_back(state.c);
  }
  const std::vector<Value> *states[] = {&each, &last, &lastCell};
  for (std::size_t i = 0; i < std::size(states); ++i)
    if (node.isUsed(i) && (i < 2 || node.op() == "LSTM")) {
      SD_ASSIGN(Value output, stacked(emitter, layer, *states[i], i == 0));
      node.setOutput(i, std::move(output));
    }
  return {};
}

} // namespace

Expected<void> importRnn(Node &node, Emitter &emitter) {
  SD_ASSIGN(const Layer layer, readLayer(node, 1, {"Tanh"}));
  return unroll(node, emitter, layer, rnnStep);
}

Expected<void> importGru(Node &node, Emitter &emitter) {
  SD_ASSIGN(const Layer layer, readLayer(node, 3, {"Sigmoid", "Tanh"}));
  return unroll(node, emitter, layer, gruStep);
}

Expected<void> importLstm(Node &node, Emitter &emitter) {
  SD_ASSIGN(const Layer layer, readLayer(node, 4, {"Sigmoid", "Tanh", "Tanh"}));
  return unroll(node, emitter, layer, lstmStep);
}

} // namespace sd
