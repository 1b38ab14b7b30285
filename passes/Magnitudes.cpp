#include "passes/Magnitudes.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "ir/core/OpFamilies.h"
#include "passes/Channels.h"
#include "passes/Linear.h"
#include "passes/Partition.h"
#include "passes/PiecewiseLinear.h"

namespace sd {

namespace {

constexpr double kDeviations = 4;              // of what is called typical
constexpr std::int64_t kMostFactors = 1 << 24; // kept, of normalisations
constexpr double kNormalised = 8;              // bound up to which a normalised record is taken to fill it
constexpr double kContradicts = 16;            // times the variance that a normalisation's statistics give

Compact mapped(const Compact &x, auto f) { return reference::map<double>(x, f); }

// A weight of 0 asks nothing of its operand, not even of an infinite one.
double times(double a, double b) { return a == 0 || b == 0 ? 0 : a * b; }

Magnitude unknown(const Shape &shape) {
  return {uniform(shape, -HUGE_VAL), uniform(shape, HUGE_VAL), uniform(shape, 0), uniform(shape, 1)};
}

// Evenly between the bounds.
Magnitude between(const Shape &shape, double low, double high) {
  return {uniform(shape, low), uniform(shape, high), uniform(shape, (low + high) / 2),
          uniform(shape, (high - low) * (high - low) / 12)};
}

// An element's four numbers.
struct Sums {
  double low = 0, high = 0, mean = 0, variance = 0;
  void add(double w, const Sums &x) {
    low += times(w, w > 0 ? x.low : x.high);
    high += times(w, w > 0 ? x.high : x.low);
    mean += w * x.mean;
    variance += w * w * x.variance;
  }
  void include(const Sums &x) {
    low = std::min(low, x.low);
    high = std::max(high, x.high);
    mean = std::abs(x.mean) > std::abs(mean) ? x.mean : mean;
    variance = std::max(variance, x.variance);
  }
};

Magnitude magnitudeAcross(const std::vector<Sums> &sums, std::size_t rank, std::size_t axis) {
  const auto part = [&](double Sums::*member) {
    std::vector<double> values;
    for (auto &each : sums)
      values.push_back(each.*member);
    return acrossAxis(values, rank, axis);
  };
  return {part(&Sums::low), part(&Sums::high), part(&Sums::mean), part(&Sums::variance)};
}

// The hull over all axes but one, for each position along it.
std::vector<Sums> alongAxis(const Magnitude &m, const Shape &shape, std::size_t axis) {
  Shape common = *broadcastShapes(m.low.shape, m.mean.shape);
  common = *broadcastShapes(common, *broadcastShapes(m.high.shape, m.variance.shape));
  const Compact low = expandedTo(m.low, common), high = expandedTo(m.high, common), mean = expandedTo(m.mean, common),
                variance = expandedTo(m.variance, common);
  const auto split = reference::splitAt(common, static_cast<std::int64_t>(axis));
  std::vector<Sums> sums(split.length, {HUGE_VAL, -HUGE_VAL, 0, 0});
  for (std::int64_t i = 0; i < low.size(); ++i)
    sums[i / split.inner % split.length].include({low.data[i], high.data[i], mean.data[i], variance.data[i]});
  if (split.length == 1) sums.assign(shape[axis], sums[0]);
  return sums;
}

} // namespace

double Magnitude::bound() const {
  double most = 0;
  for (auto *side : {&low, &high})
    for (double v : side->data)
      most = std::max(most, std::abs(v));
  return most;
}

Magnitudes::Magnitudes(const Graph &graph)
    : graph_(graph), values_(graph.module.types.size()), records_(values_.size()), normalised_(values_.size()),
      factorsAhead_(values_.size()) {
  findRecords();
  for (auto &op : graph.module.ops) {
    if (op.result == kNoValue || op.kind == OpKind::Constant) continue;
    values_[op.result] = visit(op);
    known_ &= op.kind != OpKind::Input || op.attrs.has(Attr::Low);
  }
}

Magnitude Magnitudes::of(ValueId value) const {
  const Tensor<float> *constant = graph_.constant(value);
  if (!constant) return values_[value];
  const Compact exact(constant->shape, {constant->data.begin(), constant->data.end()});
  return {exact, exact, exact, uniform(constant->shape, 0)};
}

Compact Magnitudes::boundOf(ValueId value) const {
  const Magnitude &m = values_[value];
  return combined(m.low, m.high, [](double a, double b) { return std::max(std::abs(a), std::abs(b)); });
}

Compact Magnitudes::typicalOf(ValueId value) const {
  const Magnitude &m = values_[value];
  const Compact typical =
      combined(m.mean, m.variance, [](double a, double v) { return std::abs(a) + kDeviations * std::sqrt(v); });
  return combined(typical, boundOf(value), [](double a, double b) { return std::min(a, b); });
}

Compact Magnitudes::meanSquareOf(ValueId value) const {
  return combined(values_[value].mean, values_[value].variance, [](double m, double v) { return m * m + v; });
}

void Magnitudes::findRecords() {
  const std::vector<Op> &ops = graph_.module.ops;
  for (auto &op : ops) {
    if (op.result == kNoValue) continue;
    const bool input = op.kind == OpKind::Input, moves = isMove(op.kind);
    records_[op.result] = moves ? records_[op.operands[0]] : input && op.attrs.has(Attr::Low);
    const auto affine = affineOf(graph_, op);
    normalised_[op.result] = input || (affine ? normalised_[affine->x] : moves && normalised_[op.operands[0]]);
  }
  std::int64_t left = kMostFactors;
  for (std::size_t i = ops.size(); i-- > 0;) {
    const ValueId value = ops[i].result;
    if (value == kNoValue || !normalised_[value]) continue;
    auto &ahead = factorsAhead_[value];
    ahead = uniform(graph_.module.type(value).shape, 1);
    if (graph_.users[value].size() != 1) continue;
    const Op &user = ops[graph_.users[value][0]];
    if (const auto affine = affineOf(graph_, user)) {
      ahead = factorsAhead_[user.result];
      const Tensor<float> &f = affine->factor;
      if (ahead) ahead = combined(*ahead, Compact(f.shape, {f.data.begin(), f.data.end()}), std::multiplies<>());
    } else if (user.kind == OpKind::Identity) {
      ahead = factorsAhead_[user.result];
    } else if (isMove(user.kind)) {
      ahead.reset(); // its positions are others
    }
    if (ahead && (left -= ahead->size()) < 0) ahead.reset();
  }
}

namespace {

// Training makes up for a column's size: each adds about as much to the results as others do.
void guessColumns(const Tensor<float> &weights, std::vector<Sums> &columns) { // [K,M]
  const std::int64_t outputs = weights.shape[1];
  for (std::size_t k = 0; k < columns.size(); ++k) {
    double square = 0;
    for (std::int64_t m = 0; m < outputs; ++m)
      square += std::pow(weights.data[static_cast<std::int64_t>(k) * outputs + m], 2);
    if (square == 0) continue;
    const double variance = static_cast<double>(outputs) / square;
    if (columns[k].variance <= variance) continue;
    columns[k].variance = variance;
    columns[k].mean = 0;
  }
}

} // namespace

Magnitude Magnitudes::linear(const Op &op) const {
  const Shape &shape = graph_.module.type(op.operands[0]).shape, &result = graph_.module.type(op.result).shape;
  const Tensor<float> &weights = *graph_.constant(op.operands[1]);
  const std::vector<double> bias = biasOf(graph_, op);
  std::vector<Sums> x = alongAxis(values_[op.operands[0]], shape, inputAxis(op, shape));
  const bool columns = op.kind == OpKind::MatMul && records_[op.operands[0]];
  if (columns) guessColumns(weights, x);
  const bool conv = op.kind == OpKind::Conv;
  if (conv && std::ranges::any_of(op.attrs.ints(Attr::Pads), [](auto pad) { return pad != 0; }))
    for (auto &each : x)
      each.low = std::min(each.low, 0.0), each.high = std::max(each.high, 0.0);
  const std::int64_t outputs = std::ssize(bias), each = weights.size() / outputs;
  std::vector<Sums> sums(outputs);
  if (conv) {
    const std::int64_t inputs = weights.shape[1], perGroup = outputs / op.attrs.i(Attr::Group);
    for (std::int64_t m = 0; m < outputs; ++m)
      for (std::int64_t i = 0; i < each; ++i)
        sums[m].add(weights.data[m * each + i], x[m / perGroup * inputs + i / (each / inputs)]);
  } else {
    for (std::int64_t i = 0; i < weights.size(); ++i)
      sums[i % outputs].add(weights.data[i], x[i / outputs]);
  }
  for (std::int64_t m = 0; m < outputs; ++m) { // much of a bias on raw columns makes up for their means
    const double typical =
        columns ? std::clamp(bias[m], -std::sqrt(sums[m].variance), std::sqrt(sums[m].variance)) : bias[m];
    sums[m].add(1, {bias[m], bias[m], typical, 0});
  }
  return magnitudeAcross(sums, result.size(), outputAxis(op, result));
}

// factor x + summand
Magnitude Magnitudes::affine(const Op &op, const Compact &factor, const Compact &summand) const {
  const Magnitude &x = values_[op.operands[graph_.constant(op.operands[0]) ? 1 : 0]];
  const auto side = [&](const Compact &positive, const Compact &negative) {
    return combined(combined(combined(factor, positive, [](double f, double v) { return f > 0 ? times(f, v) : 0; }),
                             combined(factor, negative, [](double f, double v) { return f < 0 ? times(f, v) : 0; }),
                             std::plus<>()),
                    summand, std::plus<>());
  };
  return {side(x.low, x.high), side(x.high, x.low),
          combined(combined(factor, x.mean, std::multiplies<>()), summand, std::plus<>()),
          combined(factor, x.variance, [](double f, double v) { return f * f * v; })};
}

Magnitude Magnitudes::sum(const Op &op) const {
  const Magnitude a = of(op.operands[0]), b = of(op.operands[1]);
  const bool minus = op.kind == OpKind::Sub;
  const auto signedSum = [&](const Compact &x, const Compact &y) {
    return combined(x, y, [&](double p, double q) { return minus ? p - q : p + q; });
  };
  return {signedSum(a.low, minus ? b.high : b.low), signedSum(a.high, minus ? b.low : b.high),
          signedSum(a.mean, b.mean), combined(a.variance, b.variance, std::plus<>())};
}

// The moments of max(x, 0) for a normal x (erf and the density's tail); of its mirror image under a second operand,
// the hull of both.
Magnitude Magnitudes::rectified(const Op &op) const {
  const Magnitude &x = values_[op.operands[0]];
  const bool plain = isPlainRelu(op);
  Magnitude m{mapped(x.low, [&](double v) { return plain ? std::max(v, 0.0) : std::min(v, 0.0); }),
              mapped(x.high, [](double v) { return std::max(v, 0.0); }),
              {},
              {}};
  // Columns are not as independent as they are taken to be here, and no layer is trained to give nothing but zeros.
  const auto alive = [](double a, double v) { return std::max(a, -std::sqrt(v)); };
  const auto mean = [=](double centre, double v) {
    if (v <= 0) return std::max(centre, 0.0);
    const double a = alive(centre, v), z = a / std::sqrt(v);
    return a * 0.5 * std::erfc(-z / std::numbers::sqrt2) + std::sqrt(v / (2 * std::numbers::pi)) * std::exp(-z * z / 2);
  };
  const auto square = [=](double centre, double v) {
    if (v <= 0) return std::max(centre, 0.0) * std::max(centre, 0.0);
    const double a = alive(centre, v), z = a / std::sqrt(v);
    return (a * a + v) * 0.5 * std::erfc(-z / std::numbers::sqrt2) +
           a * std::sqrt(v / (2 * std::numbers::pi)) * std::exp(-z * z / 2);
  };
  if (!plain) return {m.low, m.high, x.mean, x.variance};
  m.mean = combined(x.mean, x.variance, mean);
  m.variance = combined(x.mean, x.variance,
                        [&](double a, double v) { return std::max(square(a, v) - mean(a, v) * mean(a, v), 0.0); });
  return m;
}

Magnitude Magnitudes::move(const Op &op) const {
  const auto part = [&](Compact Magnitude::*member) {
    std::vector<Compact> own;
    std::vector<const Compact *> operands;
    for (auto operand : op.operands) {
      own.push_back(of(operand).*member);
    }
    for (auto &each : own)
      operands.push_back(&each);
    return moved(graph_.module, op, operands);
  };
  return {part(&Magnitude::low), part(&Magnitude::high), part(&Magnitude::mean), part(&Magnitude::variance)};
}

Magnitude Magnitudes::visit(const Op &op) const {
  const Shape &shape = graph_.module.type(op.result).shape;
  const auto *left = op.operands.empty() ? nullptr : graph_.constant(op.operands[0]);
  const auto exactly = [](const Tensor<float> &t) { return Compact(t.shape, {t.data.begin(), t.data.end()}); };
  const auto hull = [](Magnitude m, double value) {
    for (auto &v : m.low.data)
      v = std::min(v, value);
    for (auto &v : m.high.data)
      v = std::max(v, value);
    return m;
  };
  switch (op.kind) {
  case OpKind::Input:
    return op.attrs.has(Attr::Low) ? between(shape, op.attrs.f(Attr::Low), op.attrs.f(Attr::High)) : unknown(shape);
  case OpKind::Conv:
  case OpKind::MatMul:
    return hasConstantWeights(graph_, op) ? linear(op) : unknown(shape);
  case OpKind::BatchNorm: { // its statistics say what is typical, unless what is declared is far larger: then between
    if (std::any_of(op.operands.begin() + 1, op.operands.end(), [&](ValueId v) { return !graph_.constant(v); }))
      return unknown(shape);
    std::vector<double> factor, summand, mean, variance;
    for (std::int64_t c = 0; c < shape[1]; ++c) {
      const auto at = [&](int i) { return graph_.constant(op.operands[i])->data[c]; };
      factor.push_back(at(1) / std::sqrt(at(4) + op.attrs.f(Attr::Epsilon)));
      summand.push_back(at(2) - at(3) * factor.back());
      mean.push_back(at(2));
      variance.push_back(at(1) * at(1));
    }
    Magnitude m = affine(op, acrossAxis(factor, shape.size(), 1), acrossAxis(summand, shape.size(), 1));
    const Compact own = acrossAxis(mean, shape.size(), 1), spread = acrossAxis(variance, shape.size(), 1);
    const bool columns = shape.size() == 2 && records_[op.operands[0]]; // of any size within their common range
    const Compact off = combined(combined(m.mean, own, [](double a, double b) { return (a - b) * (a - b); }),
                                 m.variance, std::plus<>());
    m.mean = own;
    m.variance = combined(spread, off, [&](double v, double o) {
      return !columns && std::isfinite(o) && o > kContradicts * v ? std::sqrt(o * v) : v;
    });
    return m;
  }
  case OpKind::Add:
  case OpKind::Sub:
    return normalised(op, sum(op));
  case OpKind::Mul:
  case OpKind::Div: {
    const auto *right = graph_.constant(op.operands[1]);
    if ((left != nullptr) == (right != nullptr) || (left && op.kind == OpKind::Div)) return unknown(shape);
    Compact factor = exactly(left ? *left : *right);
    if (op.kind == OpKind::Div) factor = mapped(factor, [](double v) { return 1 / v; });
    return normalised(op, affine(op, factor, uniform(shape, 0)));
  }
  case OpKind::Relu:
    return rectified(op);
  case OpKind::Piecewise: {
    if (isHomogeneous(op)) return hull(values_[op.operands[0]], 0);
    const double bound = values_[op.operands[0]].bound();
    const auto [low, high] = PiecewiseLinear::of(op.attrs).range(-std::min(bound, 0x1p30), std::min(bound, 0x1p30));
    return std::isfinite(bound) || high - low < 0x1p20 ? between(shape, low, high) : unknown(shape);
  }
  case OpKind::Function: {
    if (!isNorm(op)) return unknown(shape);
    const double most = std::sqrt(static_cast<double>(shape.back()));
    return {uniform(shape, -most), uniform(shape, most), uniform(shape, 0), uniform(shape, 1)};
  }
  case OpKind::AtMost:
    return between(shape, 0, 1);
  case OpKind::MaxPool:
    return alongAxisOnly(op);
  case OpKind::AvgPool:
    return hull(alongAxisOnly(op), 0);
  case OpKind::Identity:
  case OpKind::Reshape:
  case OpKind::Transpose:
  case OpKind::Concat:
  case OpKind::Gather:
    return move(op);
  case OpKind::Pad: {
    const Magnitude &m = values_[op.operands[0]];
    const Compact *parts[] = {&m.low, &m.high, &m.mean, &m.variance};
    const auto &pads = op.attrs.ints(Attr::Pads);
    bool uniformThere = true; // along each axis that is padded
    for (std::size_t axis = 0; axis < shape.size(); ++axis)
      uniformThere &= (pads[axis] == 0 && pads[axis + shape.size()] == 0) ||
                      std::ranges::all_of(parts, [&](auto *part) { return part->shape[axis] == 1; });
    if (uniformThere) return hull(m, op.attrs.f(Attr::Fill));
    const auto most = [&](const Compact &x) { return uniform(shape, *std::ranges::max_element(x.data)); };
    return hull({uniform(shape, *std::ranges::min_element(m.low.data)), most(m.high), most(m.mean), most(m.variance)},
                op.attrs.f(Attr::Fill));
  }
  case OpKind::Constant: // nothing is known
  case OpKind::Return:
  case OpKind::VecDot:
  case SD_NN_SMOOTH:
  case SD_NN_FINAL:
#include "ir/core/ShareCases.def"
    break;
  }
  return unknown(shape);
}

// A record behind sums and products with constants: a normalisation, which leaves numbers of about 1 whatever the range
// that its columns have in common. That holds behind the last of them: before a factor f, numbers are of about 1 / f.
Magnitude Magnitudes::normalised(const Op &op, Magnitude m) const {
  const auto &ahead = factorsAhead_[op.result];
  if (!ahead) return m;
  const Compact &factor = *ahead;
  const Compact bound = combined(m.low, m.high, [](double a, double b) { return std::max(std::abs(a), std::abs(b)); });
  const Compact reach = combined(factor, bound, [](double f, double b) { return std::abs(times(f, b)); });
  if (*std::ranges::max_element(reach.data) <= kNormalised) return m;
  m.mean = uniform(graph_.module.type(op.result).shape, 0);
  m.variance = mapped(factor, [](double f) { return f == 0 ? 0 : 1 / (f * f); });
  return m;
}

// Of windows: what varies by channel alone.
Magnitude Magnitudes::alongAxisOnly(const Op &op) const {
  const Shape &shape = graph_.module.type(op.operands[0]).shape;
  return magnitudeAcross(alongAxis(values_[op.operands[0]], shape, 1), shape.size(), 1);
}

} // namespace sd
