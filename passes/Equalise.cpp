// Factors between neighbouring layers, so that each channel's weights and values use the room that their public scales
// have. What commutes with positive factors carries them (Channels). Only the service's constants change, by powers of
// two, exactly: the program's form depends on ops and shapes alone.
//
// Nagel et al. 2019 (Data-Free Quantization Through Weight Equalization and Bias Correction, section 4.1) make the
// ranges of a channel's weights in both layers equal. Here the activations have a scale, too, so the factor d of a
// channel makes the sum of three errors least, as seen by the layers that take it:
//   c (A^2 + B^2) / d^2 + C^2 d^2
// where c is the square of the weights that take the channel; A the rounding of its values; B that of the weights that
// make it; C that of the weights that take it.
//
// The flood must hide the weights as they are then (ir/core/LinearHiding.h). Where they are too large for it, their
// squares, as often as replies send them, weigh in with the errors, the more until they fit.
#include <algorithm>
#include <cmath>
#include <map>

#include "ir/core/LinearHiding.h"
#include "ir/core/LinearTransfer.h"
#include "passes/Linear.h"
#include "passes/Magnitudes.h"
#include "passes/Scales.h"

namespace sd {

namespace {

constexpr double kProofMargin = 0.9;      // of a limit, which roundings may not use up
constexpr double kLeastProved = 0.5;      // typical size down to which a proof is worth the precision it costs
constexpr double kMostBits = 12;          // of a factor, either way: weights must fit into the ring, too
constexpr double kWorkOfIterations = 4e8; // weights looked at
constexpr double kFloodShare = 0.5;       // of what the flood hides: scales are rounded, packings chosen later
constexpr double kFirstPrice = 1e-3;      // of the squares' sum, when it first weighs in, by the sum of errors
constexpr double kDearer = 8;             // it is then
constexpr int kMostPrices = 16;

// A product of values by weights.
struct Layer {
  const Op *op = nullptr;
  std::vector<ChannelId> in, out;
  std::vector<double> inSquare;           // E[x^2] by input
  const Tensor<float> *weights = nullptr; // [M,C/group,...], [K,M], or of a factor for each channel [C]
  Tensor<float> diagonal;
  std::int64_t taps = 1;
  int xScale = 0, weightScale = 0;
  std::vector<double> sent; // by output: replyCounts() of its weights; empty if no reply has them

  bool isDiagonal() const { return op->kind != OpKind::Conv && op->kind != OpKind::MatMul; }
  int productScale() const { return xScale + weightScale; }
  template <class F>
  void forEachWeight(F f) const { // f(weight, input, output)
    const std::int64_t outputs = std::ssize(out);
    if (isDiagonal()) {
      for (std::int64_t i = 0; i < weights->size(); ++i)
        f(weights->data[i], i, i);
    } else if (op->kind == OpKind::MatMul) {
      for (std::int64_t i = 0; i < weights->size(); ++i)
        f(weights->data[i], i / outputs, i % outputs);
    } else {
      const std::int64_t inputs = weights->shape[1], perGroup = outputs / op->attrs.i(Attr::Group);
      for (std::int64_t i = 0; i < weights->size(); ++i) {
        const std::int64_t m = i / (inputs * taps);
        f(weights->data[i], m / perGroup * inputs + i / taps % inputs, m);
      }
    }
  }
};

double square(double v) { return v * v; }

class Equaliser {
public:
  Equaliser(const Module &module, const PassContext &context)
      : module_(module), options_(context.options), graph_(module),
        places_(partition(graph_, context.options.privateNormalization)), channels_(graph_, places_), sizes_(graph_),
        bound_(boundBitsOf(module, options_)), scales_(module.types.size(), 0), layerOf_(module.types.size(), 0),
        typical_(channels_.count(), 0), bounds_(channels_.count(), 0), constants_(channels_.count(), 0),
        caps_(channels_.count(), HUGE_VAL), factors_(channels_.count(), 1) {}

  Module run() {
    for (std::size_t i = 0; i < module_.ops.size(); ++i) {
      const Op &op = module_.ops[i];
      if (op.result == kNoValue) continue;
      scales_[op.result] = scaleOf(op, places_[i]);
      if (places_[i] != Place::Private) continue;
      measure(op);
      if (!isProduct(op)) continue;
      layerOf_[op.result] = layers_.size();
      layers_.push_back(makeLayer(op));
    }
    for (auto &layer : layers_)
      layer.weights = layer.isDiagonal() ? &layer.diagonal : graph_.constant(layer.op->operands[1]);
    countReplies();
    limit();
    solve();
    return rewritten();
  }

private:
  // Products whose constants can take a factor: both sides' classes known, and not all 1.
  bool isProduct(const Op &op) const {
    if (op.kind == OpKind::Conv || op.kind == OpKind::MatMul) return hasConstantWeights(graph_, op);
    if (op.kind == OpKind::BatchNorm)
      return std::ranges::all_of(std::span(op.operands).subspan(1), [&](ValueId v) { return graph_.constant(v); });
    return isFactor(graph_, op);
  }

  // A factor by channel; of a constant that varies otherwise, the largest.
  Tensor<float> diagonalOf(const Op &op, std::size_t channels, std::size_t axis) const {
    std::vector<float> factors(channels, 0);
    if (op.kind == OpKind::BatchNorm) {
      for (std::size_t c = 0; c < channels; ++c)
        factors[c] =
            static_cast<float>(graph_.constant(op.operands[1])->data[c] /
                               std::sqrt(graph_.constant(op.operands[4])->data[c] + op.attrs.f(Attr::Epsilon)));
    } else {
      const Tensor<float> full = broadcastTo(affineOf(graph_, op)->factor, module_.type(op.result).shape);
      const auto split = reference::splitAt(full.shape, static_cast<std::int64_t>(axis));
      for (std::int64_t i = 0; i < full.size(); ++i)
        if (float &f = factors[i / split.inner % split.length]; std::abs(full.data[i]) > std::abs(f)) f = full.data[i];
    }
    return {{static_cast<std::int64_t>(channels)}, factors};
  }

  Layer makeLayer(const Op &op) const {
    const ValueId x = op.operands[graph_.constant(op.operands[0]) ? 1 : 0];
    const Shape &shape = module_.type(x).shape, &result = module_.type(op.result).shape;
    Layer layer;
    layer.op = &op;
    const bool diagonal = layer.isDiagonal();
    const std::size_t inAxis = diagonal ? channelAxisOf(op) : inputAxis(op, shape);
    const std::size_t outAxis = diagonal ? inAxis : outputAxis(op, result);
    layer.in = idsAlong(x, inAxis);
    layer.out = channels_.along(op.result, outAxis);
    layer.inSquare = hullAlong(sizes_.meanSquareOf(x), shape, inAxis);
    if (diagonal) layer.diagonal = diagonalOf(op, layer.out.size(), outAxis);
    if (op.kind == OpKind::Conv) {
      const Shape &w = module_.type(op.operands[1]).shape;
      layer.taps = elementCount(w) / (w[0] * w[1]);
    }
    ProductShape product = productShapeOf(graph_, channels_, op, scales_[x]);
    product.rawBits = raw_[x];
    layer.xScale = product.xScale;
    layer.weightScale = weightScale(product, options_, module_.ringBits);
    return layer;
  }

  std::size_t channelAxisOf(const Op &op) const {
    return op.kind == OpKind::BatchNorm ? 1 : channelAxis(module_.type(op.result).shape);
  }

  // Of a factor's operand the classes may vary along other axes too; then those of the first positions.
  std::vector<ChannelId> idsAlong(ValueId x, std::size_t axis) const {
    const auto values = hullAlong(channels_.of(x), module_.type(x).shape, axis);
    return {values.begin(), values.end()};
  }
  static std::vector<double> hullAlong(const Compact &x, const Shape &shape, std::size_t axis) {
    return *along(hullAlongAxis(x, axis), shape, axis);
  }

  // About the scale that quantize will give a value.
  int scaleOf(const Op &op, Place place) const {
    if (place != Place::Private) return enteredScale(graph_, op.result, options_.scaleBits, bound_);
    if (op.kind == OpKind::AvgPool) return scales_[op.operands[0]] + static_cast<int>(op.attrs.i(Attr::Shift, 0)) / 2;
    const bool keeps =
        isMove(op.kind) || op.kind == OpKind::MaxPool || op.kind == OpKind::Relu || op.kind == OpKind::Pad;
    return keeps ? scales_[op.operands[0]] : options_.scaleBits;
  }

  static Compact exactly(const Tensor<float> &t) { return {t.shape, {t.data.begin(), t.data.end()}}; }
  static Compact absolute(const Compact &x) {
    return reference::map<double>(x, [](double v) { return std::abs(v); });
  }
  Compact biasOf(const Op &op) const {
    const Compact bias = exactly(*graph_.constant(op.operands[2]));
    const Shape &shape = module_.type(op.result).shape;
    return acrossAxis(bias.data, shape.size(), outputAxis(op, shape));
  }

  // How large each class gets anywhere.
  void measure(const Op &op) {
    const Compact ids = channels_.of(op.result);
    const auto note = [&](const Compact &sizes, std::vector<double> &most) {
      const Shape shape = *broadcastShapes(ids.shape, sizes.shape);
      reference::forEachBroadcast(shape, ids.shape, sizes.shape, [&](auto, auto id, auto size) {
        double &place = most[static_cast<ChannelId>(ids.data[id])];
        place = std::max(place, sizes.data[size]);
      });
    };
    note(sizes_.typicalOf(op.result), typical_);
    note(sizes_.boundOf(op.result), bounds_);
    if (op.operands.size() > 2 && isLinear(op.kind) && graph_.constant(op.operands[2]))
      note(absolute(biasOf(op)), constants_);
    if (op.kind != OpKind::Add && op.kind != OpKind::Sub) return;
    const auto affine = affineOf(graph_, op);
    const auto &users = graph_.users[op.result];
    if (affine) note(absolute(exactly(affine->summand)), constants_);
    if (!affine || users.size() != 1 || module_.ops[users[0]].kind != OpKind::Relu ||
        isPlainRelu(module_.ops[users[0]]))
      return;
    const double most = std::ldexp(1.0, turnedSummandBits(bound_, options_.scaleBits));
    const Shape shape = *broadcastShapes(ids.shape, affine->summand.shape);
    reference::forEachBroadcast(shape, ids.shape, affine->summand.shape, [&](auto, auto id, auto at) {
      double &cap = caps_[static_cast<ChannelId>(ids.data[id])];
      cap = std::min(cap, most / std::abs(static_cast<double>(affine->summand.data[at])));
    });
  }

  // The largest factor of each class: a product's result stays below its limit, surely where that costs little, else
  // with kRoomBits to spare for what is typical.
  void limit() {
    for (auto &layer : layers_) {
      const double most = std::ldexp(1.0, bound_ - layer.productScale()), spare = std::ldexp(most, -kRoomBits);
      double largest = 0;
      for (auto id : layer.out)
        largest = std::max(largest, typical_[id]);
      for (auto id : layer.out) {
        if (constants_[id] > 0) // fits where it joins the product
          caps_[id] = std::min(caps_[id], std::ldexp(1 / constants_[id], module_.ringBits - 2 - layer.productScale()));
        const double typical = typical_[id];
        if (!(typical > 0)) continue;
        const double proved = kProofMargin * most / bounds_[id];
        double cap = typical * proved >= kLeastProved ? proved : spare / typical;
        if (!sizes_.known()) // the largest channel has the room that real numbers would have
          cap = largest / typical * std::ldexp(1.0, 2 * options_.scaleBits - layer.productScale());
        caps_[id] = std::min(caps_[id], cap);
      }
    }
  }

  void countReplies() {
    std::vector<Layer *> layers;
    std::vector<LinearGeometry> geometries;
    for (auto &layer : layers_) {
      const Op &op = *layer.op;
      std::int64_t elements = elementCount(module_.type(op.result).shape);
      for (auto operand : op.operands)
        elements = std::max(elements, elementCount(module_.type(operand).shape));
      if (elements > kMostPackedElements) continue;
      layers.push_back(&layer);
      geometries.push_back(geometryOf(layer));
    }
    const std::vector<TransferCost> transfers = chooseTransfers(geometries);
    for (std::size_t i = 0; i < layers.size(); ++i)
      if (!transfers[i]) layers[i]->sent = replyCounts(geometries[i], choosePacking(geometries[i]));
  }

  LinearGeometry geometryOf(const Layer &layer) const {
    const Op &op = *layer.op;
    const Shape &x = module_.type(op.operands[graph_.constant(op.operands[0]) ? 1 : 0]).shape,
                &result = module_.type(op.result).shape;
    Shape weights = layer.weights->shape;
    OpKind kind = op.kind == OpKind::Conv ? OpKind::ShareConv : OpKind::ShareMatMul;
    if (layer.isDiagonal()) {
      kind = OpKind::ShareScale;
      weights.assign(result.size(), 1);
      weights[channelAxisOf(op)] = std::ssize(layer.out);
    }
    const Type operands[] = {Type::share(x, 0), Type::weight(weights, 0)};
    return linearGeometry(kind, operands, op.attrs, Type::share(result, 0), module_.ringBits);
  }

  void solve() {
    double weights = 1;
    for (auto &layer : layers_)
      weights += static_cast<double>(layer.weights->size());
    for (std::size_t id = kReal + 1; id < factors_.size(); ++id)
      if (std::isfinite(caps_[id]) && caps_[id] > 0) factors_[id] = caps_[id];
    const int iterations = static_cast<int>(std::clamp(kWorkOfIterations / weights, 3.0, 30.0));
    double price = 0; // of the squares that the flood hides
    for (int trial = 0; trial < kMostPrices; ++trial) {
      double errors = 0;
      for (int i = 0; i < iterations; ++i)
        errors = improve(price);
      const std::vector<double> exact = factors_;
      for (std::size_t id = kReal + 1; id < factors_.size(); ++id) {
        const double exponent = std::log2(factors_[id]), most = std::floor(std::log2(caps_[id]));
        factors_[id] = std::exp2(std::clamp(std::min(std::round(exponent), most), -kMostBits, kMostBits));
      }
      const double squares = floodedSquares();
      if (squares <= kFloodShare * maxReplySquares(module_.ringBits)) break;
      price = price > 0 ? kDearer * price : kFirstPrice * errors / squares;
      if (trial + 1 < kMostPrices) factors_ = exact;
    }
  }

  double floodedSquares() const {
    double sum = 0;
    for (auto &layer : layers_) {
      if (layer.sent.empty()) continue;
      double own = 0;
      layer.forEachWeight([&](double w, std::int64_t k, std::int64_t m) {
        own += layer.sent[m] * square(w * factors_[layer.out[m]] / factors_[layer.in[k]]);
      });
      sum += std::ldexp(own, 2 * layer.weightScale);
    }
    return sum;
  }

  // Each factor halfway, in its logarithm, to the best for the others as they are. The sum of the errors.
  double improve(double price) {
    std::vector<double> taken(factors_.size(), 0), rounding(factors_.size(), std::ldexp(1.0, -2 * options_.scaleBits)),
        own(factors_.size(), 0), sentBy(factors_.size(), 0), sentTo(factors_.size(), 0); // squares of replies
    for (auto &layer : layers_) {
      const double each = layer.sent.empty() ? 0 : std::ldexp(price, 2 * layer.weightScale);
      layer.forEachWeight([&](double w, std::int64_t k, std::int64_t m) {
        const double grown = square(w * factors_[layer.out[m]]);
        taken[layer.in[k]] += grown;
        if (each == 0) return;
        sentTo[layer.in[k]] += each * layer.sent[m] * grown;
        sentBy[layer.out[m]] += each * layer.sent[m] * square(w / factors_[layer.in[k]]);
      });
      const double unit = std::ldexp(1.0, -2 * layer.weightScale);
      double input = 0;
      for (std::size_t k = 0; k < layer.in.size(); ++k)
        input += layer.inSquare[k] * square(factors_[layer.in[k]]);
      const double outputs = layer.isDiagonal() ? 1 : static_cast<double>(layer.out.size() * layer.taps);
      for (auto id : layer.out)
        rounding[id] = std::max(rounding[id], unit * input * static_cast<double>(layer.taps));
      for (std::size_t k = 0; k < layer.in.size(); ++k)
        own[layer.in[k]] += unit * outputs * layer.inSquare[k];
    }
    double errors = 0;
    for (std::size_t id = kReal + 1; id < factors_.size(); ++id) {
      if (!(taken[id] > 0) || !(own[id] > 0)) continue;
      errors += taken[id] * rounding[id] / square(factors_[id]) + own[id] * square(factors_[id]);
      const double best = std::pow((taken[id] * rounding[id] + sentTo[id]) / (own[id] + sentBy[id]), 0.25);
      if (!std::isfinite(best) || best <= 0) continue;
      factors_[id] = std::min(std::sqrt(factors_[id] * best), caps_[id]);
    }
    return errors;
  }

  Compact factorsOf(ValueId value) const {
    return reference::map<double>(channels_.of(value), [&](double id) { return factors_[static_cast<ChannelId>(id)]; });
  }

  // By ops and classes alone, whatever the factors are.
  Module rewritten() {
    Rewriter rewriter(module_);
    for (std::size_t i = 0; i < module_.ops.size(); ++i) {
      const Op &op = module_.ops[i];
      if (places_[i] != Place::Private || !rewrite(op, rewriter)) rewriter.clone(op);
    }
    return rewriter.finish();
  }

  bool rewrite(const Op &op, Rewriter &rewriter) {
    const auto real = [&](ValueId v) { return !channels_.has(v) || channels_.isReal(v); };
    if (real(op.result) && std::ranges::all_of(op.operands, real)) return false;
    if ((op.kind == OpKind::Conv || op.kind == OpKind::MatMul) && isProduct(op)) {
      const Layer *layer = &layers_[layerOf_[op.result]];
      Tensor<float> weights(layer->weights->shape), bias({std::ssize(layer->out)}, 0.0F);
      std::size_t next = 0;
      layer->forEachWeight([&](double w, std::int64_t k, std::int64_t m) {
        weights.data[next++] = static_cast<float>(w * factors_[layer->out[m]] / factors_[layer->in[k]]);
      });
      if (op.operands.size() > 2)
        for (std::int64_t m = 0; m < bias.size(); ++m)
          bias.data[m] = static_cast<float>(graph_.constant(op.operands[2])->data[m] * factors_[layer->out[m]]);
      const ValueId w = rewriter.builder.constant(std::move(weights), op.source),
                    b = rewriter.builder.constant(std::move(bias), op.source);
      rewriter.replace(op, op.kind, {rewriter[op.operands[0]], w, b}, op.attrs);
      return true;
    }
    const auto scaledConstant = [&](const Tensor<float> &constant, const Compact &factors) {
      const Compact product = combined(exactly(constant), factors, std::multiplies<>());
      return rewriter.builder.constant({product.shape, {product.data.begin(), product.data.end()}}, op.source);
    };
    if (op.kind == OpKind::BatchNorm && isProduct(op)) {
      const Layer *layer = &layers_[layerOf_[op.result]];
      std::vector<ValueId> operands{rewriter[op.operands[0]]};
      for (std::size_t p = 1; p < op.operands.size(); ++p) {
        Tensor<float> values = *graph_.constant(op.operands[p]);
        for (std::size_t c = 0; c < layer->out.size(); ++c) {
          const double in = factors_[layer->in[c]], out = factors_[layer->out[c]];
          const double by[] = {out / in, out, in, 1}; // scale, bias, mean, var
          values.data[c] = static_cast<float>(values.data[c] * by[p - 1]);
        }
        operands.push_back(rewriter.builder.constant(std::move(values), op.source));
      }
      rewriter.replace(op, op.kind, std::move(operands), op.attrs);
      return true;
    }
    if (const auto affine = affineOf(graph_, op)) {
      const std::size_t at = graph_.constant(op.operands[0]) ? 0 : 1;
      Compact factors = factorsOf(op.result);
      if (isProduct(op))
        factors = combined(factors, factorsOf(affine->x), [](double out, double in) { return out / in; });
      if (op.kind == OpKind::Div)
        for (auto &f : factors.data)
          f = 1 / f;
      std::vector<ValueId> operands{rewriter[affine->x], rewriter[affine->x]};
      operands[at] = scaledConstant(*graph_.constant(op.operands[at]), factors);
      rewriter.replace(op, op.kind, std::move(operands), op.attrs);
      return true;
    }
    return false;
  }

  const Module &module_;
  const PassOptions &options_;
  Graph graph_;
  std::vector<Place> places_;
  Channels channels_;
  std::vector<int> raw_ = rawBitsOf(graph_); // by value
  Magnitudes sizes_;
  int bound_;
  std::vector<int> scales_;          // by value
  std::vector<std::size_t> layerOf_; // by value: of the product that makes it
  std::vector<Layer> layers_;
  std::vector<double> typical_, bounds_, constants_, caps_, factors_; // by class
};

} // namespace

Expected<Module> equalise(const Module &module, PassContext &context) { return Equaliser(module, context).run(); }

} // namespace sd
