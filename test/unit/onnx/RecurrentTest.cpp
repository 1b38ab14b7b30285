// LSTM, GRU and RNN against the formulas of the operators' text, one element at a time.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "ModelTesting.h"

namespace sd::testing {
namespace {

constexpr std::int64_t kSteps = 3, kBatch = 2, kFeatures = 3, kHidden = 2;

enum class Given { Nothing, Zeros, Constant, Input };

struct Spec {
  std::string op, direction = "forward";
  bool batchFirst = false, resetsLast = false, bias = true, peepholes = false;
  Given h = Given::Nothing, c = Given::Nothing;
  std::string more = {}; // further attributes
  std::function<double(double)> gate = [](double x) { return 1 / (1 + std::exp(-x)); };
  std::function<double(double)> candidate = [](double x) { return std::tanh(x); };
};

// Numbers between -1 and 1 without a pattern that a wrong order would keep.
Tensor<float> numbers(Shape shape, std::uint32_t seed) {
  Tensor<float> tensor(std::move(shape));
  for (float &v : tensor.data) {
    seed = seed * 1664525u + 1013904223u;
    v = static_cast<float>(static_cast<double>(seed >> 8) / 0x1p23 - 1);
  }
  return tensor;
}

std::size_t position(const Shape &shape, std::initializer_list<std::int64_t> indices) {
  std::int64_t at = 0;
  auto extent = shape.begin();
  for (std::int64_t i : indices)
    at = at * *extent++ + i;
  return static_cast<std::size_t>(at);
}
double get(const Tensor<float> &x, std::initializer_list<std::int64_t> indices) {
  return static_cast<double>(x.data[position(x.shape, indices)]);
}
void set(Tensor<float> &x, std::initializer_list<std::int64_t> indices, double value) {
  x.data[position(x.shape, indices)] = static_cast<float>(value);
}

Tensor<float> swapped(const Tensor<float> &x, std::size_t axis) { // with the axis before it
  Tensor<float> out = x;
  std::swap(out.shape[axis - 1], out.shape[axis]);
  const std::int64_t first = x.shape[axis - 1], second = x.shape[axis];
  const auto at = x.shape.begin() + static_cast<std::ptrdiff_t>(axis);
  const std::int64_t outer = elementCount(Shape(x.shape.begin(), at - 1)),
                     inner = elementCount(Shape(at + 1, x.shape.end()));
  const Shape from{outer, first, second, inner}, to{outer, second, first, inner};
  for (std::int64_t o = 0; o < outer; ++o)
    for (std::int64_t i = 0; i < first; ++i)
      for (std::int64_t j = 0; j < second; ++j)
        for (std::int64_t k = 0; k < inner; ++k)
          out.data[position(to, {o, j, i, k})] = x.data[position(from, {o, i, j, k})];
  return out;
}

struct Model {
  std::int64_t gates, directions;
  Tensor<float> x, w, r, b, p, h, c; // in layout 0
};

Model modelOf(const Spec &spec) {
  Model m{spec.op == "LSTM"  ? 4
          : spec.op == "GRU" ? 3
                             : 1,
          spec.direction == "bidirectional" ? 2 : 1,
          {},
          {},
          {},
          {},
          {},
          {},
          {}};
  const std::int64_t rows = m.gates * kHidden;
  m.x = numbers({kSteps, kBatch, kFeatures}, 1);
  m.w = numbers({m.directions, rows, kFeatures}, 2);
  m.r = numbers({m.directions, rows, kHidden}, 3);
  m.b = spec.bias ? numbers({m.directions, 2 * rows}, 4) : Tensor<float>({m.directions, 2 * rows}, 0.0f);
  m.p = spec.peepholes ? numbers({m.directions, 3 * kHidden}, 5) : Tensor<float>({m.directions, 3 * kHidden}, 0.0f);
  const auto state = [&](Given given, std::uint32_t seed) {
    const Shape shape{m.directions, kBatch, kHidden};
    return given == Given::Constant || given == Given::Input ? numbers(shape, seed) : Tensor<float>(shape, 0.0f);
  };
  m.h = state(spec.h, 6);
  m.c = state(spec.c, 7);
  return m;
}

using Vector = std::vector<double>;

// What one direction does with one record of the batch.
class Cell {
public:
  Cell(const Spec &spec, const Model &model, std::int64_t direction, std::int64_t record)
      : spec_(spec), m_(model), d_(direction), n_(record) {
    for (std::int64_t j = 0; j < kHidden; ++j) {
      h.push_back(get(m_.h, {d_, n_, j}));
      c.push_back(get(m_.c, {d_, n_, j}));
    }
  }

  void step(std::int64_t t) {
    Vector next(kHidden), cell(kHidden);
    for (std::int64_t j = 0; j < kHidden; ++j) {
      const auto at = static_cast<std::size_t>(j);
      const auto sum = [&](std::int64_t gate) { return ofInput(t, gate, j) + ofState(gate, j, h); };
      const auto seen = [&](std::int64_t gate, double of) { return get(m_.p, {d_, gate * kHidden + j}) * of; };
      if (spec_.op == "RNN") {
        next[at] = spec_.candidate(sum(0));
      } else if (spec_.op == "GRU") {
        const double z = spec_.gate(sum(0));
        const double state = spec_.resetsLast ? resetGates(t)[at] * ofState(2, j, h) : ofState(2, j, resetState(t));
        next[at] = (1 - z) * spec_.candidate(ofInput(t, 2, j) + state) + z * h[at];
      } else {
        const double in = spec_.gate(sum(0) + seen(0, c[at])), forget = spec_.gate(sum(2) + seen(2, c[at]));
        cell[at] = forget * c[at] + in * spec_.candidate(sum(3));
        next[at] = spec_.gate(sum(1) + seen(1, cell[at])) * std::tanh(cell[at]);
      }
    }
    h = next;
    c = cell;
  }

  Vector h, c;

private:
  double ofInput(std::int64_t t, std::int64_t gate, std::int64_t j) const { // W x + Wb
    const std::int64_t row = gate * kHidden + j;
    double sum = get(m_.b, {d_, row});
    for (std::int64_t k = 0; k < kFeatures; ++k)
      sum += get(m_.w, {d_, row, k}) * get(m_.x, {t, n_, k});
    return sum;
  }
  double ofState(std::int64_t gate, std::int64_t j, const Vector &state) const { // R state + Rb
    const std::int64_t row = gate * kHidden + j;
    double sum = get(m_.b, {d_, m_.gates * kHidden + row});
    for (std::int64_t k = 0; k < kHidden; ++k)
      sum += get(m_.r, {d_, row, k}) * state[static_cast<std::size_t>(k)];
    return sum;
  }
  Vector resetGates(std::int64_t t) const {
    Vector r;
    for (std::int64_t j = 0; j < kHidden; ++j)
      r.push_back(spec_.gate(ofInput(t, 1, j) + ofState(1, j, h)));
    return r;
  }
  Vector resetState(std::int64_t t) const {
    Vector kept = resetGates(t);
    std::ranges::transform(kept, h, kept.begin(), std::multiplies<>());
    return kept;
  }

  const Spec &spec_;
  const Model &m_;
  std::int64_t d_, n_;
};

// Y, Y_h and Y_c in layout 0.
std::vector<Tensor<float>> expected(const Spec &spec, const Model &m) {
  Tensor<float> y({kSteps, m.directions, kBatch, kHidden}), last({m.directions, kBatch, kHidden}), cells(last.shape);
  for (std::int64_t d = 0; d < m.directions; ++d)
    for (std::int64_t n = 0; n < kBatch; ++n) {
      Cell cell(spec, m, d, n);
      for (std::int64_t i = 0; i < kSteps; ++i) {
        const std::int64_t t = spec.direction == "reverse" || d == 1 ? kSteps - 1 - i : i;
        cell.step(t);
        for (std::int64_t j = 0; j < kHidden; ++j)
          set(y, {t, d, n, j}, cell.h[static_cast<std::size_t>(j)]);
      }
      for (std::int64_t j = 0; j < kHidden; ++j) {
        set(last, {d, n, j}, cell.h[static_cast<std::size_t>(j)]);
        set(cells, {d, n, j}, cell.c[static_cast<std::size_t>(j)]);
      }
    }
  return {y, last, cells};
}

std::string constant(const std::string &name, const Tensor<float> &tensor) {
  return fmt::format("{} = Constant <value = float[{}] {{{:.9f}}}> () ", name, fmt::join(tensor.shape, ", "),
                     fmt::join(tensor.data, ", "));
}

struct Written {
  std::string text;
  std::vector<Tensor<float>> inputs;
};

Written write(const Spec &spec, const Model &m) {
  Written out;
  const bool isLstm = spec.op == "LSTM";
  const auto laidOut = [&](const Tensor<float> &tensor) { return spec.batchFirst ? swapped(tensor, 1) : tensor; };
  std::string inputs, body = constant("w", m.w) + constant("r", m.r);
  const auto input = [&](const std::string &name, const Tensor<float> &tensor) {
    inputs += fmt::format("{}float[{}] {}", inputs.empty() ? "" : ", ", fmt::join(tensor.shape, ", "), name);
    out.inputs.push_back(tensor);
  };
  input("x", laidOut(m.x));
  const auto state = [&](const std::string &name, Given given, const Tensor<float> &tensor) -> std::string {
    if (given == Given::Nothing) return "";
    if (given == Given::Input)
      input(name, laidOut(tensor));
    else
      body += constant(name, laidOut(tensor));
    return name;
  };
  std::string operands = "x, w, r";
  if (spec.bias) body += constant("b", m.b);
  if (spec.peepholes) body += constant("p", m.p);
  body += fmt::format("lengths = Constant <value = int32[{}] {{{}, {}}}> () ", kBatch, kSteps, kSteps);
  operands += fmt::format(", {}, lengths, {}", spec.bias ? "b" : "", state("h", spec.h, m.h));
  if (isLstm) operands += fmt::format(", {}, {}", state("c", spec.c, m.c), spec.peepholes ? "p" : "");
  body += fmt::format("y, yh{} = {} <hidden_size = {}, direction = \"{}\"{}{}{}> ({})", isLstm ? ", yc" : "", spec.op,
                      kHidden, spec.direction, spec.batchFirst ? ", layout = 1" : "",
                      spec.resetsLast ? ", linear_before_reset = 1" : "", spec.more, operands);
  out.text = fmt::format("<ir_version: 8, opset_import: [\"\" : 14]> net ({}) => (float[1] y, float[1] yh{}) {{ {} }}",
                         inputs, isLstm ? ", float[1] yc" : "", body);
  return out;
}

void expectMatch(const Spec &spec) {
  const Model model = modelOf(spec);
  const Written written = write(spec, model);
  SCOPED_TRACE(written.text);
  std::vector<ImportProblem> problems;
  const auto module = importOnnxText(written.text, {}, problems);
  ASSERT_TRUE(module) << joined(problems);
  const auto outputs = evaluate(*module, written.inputs);
  ASSERT_TRUE(outputs) << outputs.error().message;
  std::vector<Tensor<float>> wanted = expected(spec, model);
  if (spec.batchFirst) { // Y is [batch, steps, directions, hidden] then
    wanted[0] = swapped(swapped(wanted[0], 2), 1);
    wanted[1] = swapped(wanted[1], 1);
    wanted[2] = swapped(wanted[2], 1);
  }
  ASSERT_EQ(outputs->size(), spec.op == "LSTM" ? 3u : 2u);
  for (std::size_t i = 0; i < outputs->size(); ++i)
    EXPECT_LE(distance((*outputs)[i], wanted[i]), 1e-6) << "output " << i;
}

TEST(Recurrent, DirectionsAndLayouts) {
  for (const char *op : {"LSTM", "GRU", "RNN"})
    for (const char *direction : {"forward", "reverse", "bidirectional"})
      for (const bool batchFirst : {false, true})
        for (const Given given : {Given::Nothing, Given::Input}) {
          Spec spec{op, direction};
          spec.batchFirst = batchFirst;
          spec.h = spec.c = given;
          expectMatch(spec);
        }
}

TEST(Recurrent, StatesGivenOrNot) {
  for (const Given h : {Given::Nothing, Given::Zeros, Given::Constant, Given::Input})
    for (const Given c : {Given::Nothing, Given::Zeros, Given::Constant, Given::Input})
      for (const bool peepholes : {false, true})
        for (const bool bias : {false, true}) {
          Spec spec{"LSTM", "bidirectional"};
          spec.h = h;
          spec.c = c;
          spec.peepholes = peepholes;
          spec.bias = bias;
          expectMatch(spec);
        }
}

TEST(Recurrent, TheResetGateBeforeAndBehindTheProduct) {
  for (const Given h : {Given::Nothing, Given::Constant, Given::Input})
    for (const bool resetsLast : {false, true})
      for (const bool bias : {false, true}) {
        Spec spec{"GRU", "reverse"};
        spec.h = h;
        spec.resetsLast = resetsLast;
        spec.bias = bias;
        expectMatch(spec);
      }
}

TEST(Recurrent, OtherActivations) {
  Spec rnn{"RNN"};
  rnn.more = R"(, activations = ["Relu"])";
  rnn.candidate = [](double x) { return std::max(x, 0.0); };
  expectMatch(rnn);
  rnn.more = R"(, activations = ["Softsign"])";
  rnn.candidate = [](double x) { return x / (1 + std::abs(x)); };
  expectMatch(rnn);
  rnn.more = R"(, activations = ["LeakyRelu"], activation_alpha = [0.25])";
  rnn.candidate = [](double x) { return x < 0 ? x / 4 : x; };
  expectMatch(rnn);
  Spec gru{"GRU"}; // each parameter goes to the next activation that takes one
  gru.more = R"(, activations = ["HardSigmoid", "Elu"], activation_alpha = [0.25, 0.5], activation_beta = [0.375])";
  gru.gate = [](double x) { return std::clamp(x / 4 + 0.375, 0.0, 1.0); };
  gru.candidate = [](double x) { return x < 0 ? (std::exp(x) - 1) / 2 : x; };
  expectMatch(gru);
  gru.more = R"(, activations = ["HardSigmoid", "Softplus"])";
  gru.gate = [](double x) { return std::clamp(x / 5 + 0.5, 0.0, 1.0); };
  gru.candidate = [](double x) { return std::log1p(std::exp(x)); };
  expectMatch(gru);
}

TEST(Recurrent, OneProductForTheInputAndOneSetOfWeightsForAllSteps) {
  for (const auto &[op, products, gates] :
       {std::tuple("LSTM", 3, 3), std::tuple("GRU", 5, 3), std::tuple("RNN", 3, 0)}) {
    const Spec spec{op};
    std::vector<ImportProblem> problems;
    const auto module = importOnnxText(write(spec, modelOf(spec)).text, {}, problems);
    ASSERT_TRUE(module) << joined(problems);
    std::set<ValueId> weights;
    const auto count = [&](OpKind kind) {
      return std::ranges::count_if(module->ops, [&](const Op &each) { return each.kind == kind; });
    };
    for (const Op &each : module->ops)
      if (each.kind == OpKind::MatMul) weights.insert(each.operands[1]);
    EXPECT_EQ(count(OpKind::MatMul), products) << op; // the first step has no state
    EXPECT_EQ(weights.size(), op == std::string("GRU") ? 3u : 2u) << op;
    EXPECT_EQ(count(OpKind::Sigmoid), gates) << op; // the gates of a step are one op
  }
}

} // namespace
} // namespace sd::testing
