// Gemm, MatMul, Conv, BatchNormalization: products with constant weights, and of two computed matrices.
#include "compiler/onnx/Handlers.h"
#include "compiler/onnx/LinearMap.h"
#include "compiler/onnx/Window.h"

namespace sd {
namespace {

Expected<Value> swapLastTwo(Emitter &emitter, const Value &x) {
  std::vector<std::int64_t> perm(x.shape().size());
  for (std::size_t i = 0; i < perm.size(); ++i)
    perm[i] = static_cast<std::int64_t>(i);
  std::swap(perm[perm.size() - 2], perm[perm.size() - 1]);
  return emitter.transpose(x, std::move(perm));
}

Expected<Value> scaled(Emitter &emitter, const Value &x, double factor) {
  if (factor == 1.0) return x;
  return emitter.arithmetic(OpKind::Mul, x, Value::scalar(static_cast<float>(factor)));
}

// x [...,from,to] as [elements of `outer`,from,to], repeated where it lacks axes of `outer`.
Expected<Value> stacked(Emitter &emitter, const Value &x, Shape outer) {
  const Shape matrix(x.shape().end() - 2, x.shape().end());
  const std::int64_t count = elementCount(outer);
  outer.insert(outer.end(), matrix.begin(), matrix.end());
  SD_ASSIGN(const Value whole, emitter.broadcast(x, outer));
  return emitter.reshape(whole, {count, matrix[0], matrix[1]});
}

// a [...,M,K] or [K] times b [...,K,N] or [K]: each result is the sum of products of a row of a and a column of b.
Expected<Value> timesComputed(Emitter &emitter, const Value &a, const Value &b) {
  if (a.rank() == 0 || b.rank() == 0) return fail("multiplies {} by {}", describe(a), describe(b));
  SD_ASSIGN(Value left, emitter.reshape(a, a.rank() > 1 ? a.shape() : Shape{1, a.size()}));
  SD_ASSIGN(Value right, emitter.reshape(b, b.rank() > 1 ? b.shape() : Shape{b.size(), 1}));
  if (left.shape().back() != right.shape().end()[-2]) return fail("multiplies {} by {}", describe(a), describe(b));
  const Shape outerA(left.shape().begin(), left.shape().end() - 2),
      outerB(right.shape().begin(), right.shape().end() - 2);
  SD_ASSIGN(const Shape outer, broadcastShapes(outerA, outerB));
  SD_TRY(checkedElementCount(outer));
  SD_ASSIGN(right, swapLastTwo(emitter, right));
  SD_ASSIGN(left, stacked(emitter, left, outer));
  SD_ASSIGN(right, stacked(emitter, right, outer));
  const Shape rows = left.shape(), columns = right.shape(); // [batch,M,K], [batch,N,K]
  SD_ASSIGN(left, emitter.reshape(left, {rows[0], rows[1], 1, rows[2]}));
  SD_ASSIGN(right, emitter.reshape(right, {columns[0], 1, columns[1], columns[2]}));
  SD_ASSIGN(const Value product, emitter.compute(OpKind::VecDot, {left, right}));
  Shape result = outer;
  if (a.rank() > 1) result.push_back(rows[1]);
  if (b.rank() > 1) result.push_back(columns[1]);
  return emitter.reshape(product, std::move(result));
}

// x [...,M,K] times a batch of constant matrices w [...,K,N]: a convolution over M places with a group for each matrix.
// Leading axes of x that w lacks are the convolution's batch.
Expected<Value> timesBatch(Emitter &emitter, const Value &x, const Value &w) {
  const auto places = x.shape().end()[-2], from = w.shape().end()[-2], to = w.shape().back();
  if (x.shape().back() != from) return fail("multiplies {} by {}", describe(x), describe(w));
  Shape matrices(w.shape().begin(), w.shape().end() - 2), outer(x.shape().begin(), x.shape().end() - 2);
  while (matrices.front() == 1 && matrices.size() <= outer.size())
    matrices.erase(matrices.begin());
  const std::size_t shared = std::min(matrices.size(), outer.size());
  const Shape inner(outer.end() - static_cast<std::ptrdiff_t>(shared), outer.end());
  outer.resize(outer.size() - shared);
  const auto with = [](Shape shape, const Shape &more) {
    shape.insert(shape.end(), more.begin(), more.end());
    return shape;
  };
  SD_ASSIGN(Value weights, emitter.reshape(w, with(matrices, {from, to})));
  SD_ASSIGN(matrices, broadcastShapes(matrices, inner));
  const std::int64_t batch = elementCount(outer), groups = elementCount(matrices);
  const Shape leading = with(outer, matrices);
  SD_ASSIGN(Value value, emitter.broadcast(x, with(leading, {places, from})));
  SD_ASSIGN(value, emitter.reshape(value, {batch, groups, places, from}));
  SD_ASSIGN(value, swapLastTwo(emitter, value));
  SD_ASSIGN(value, emitter.reshape(value, {batch, groups * from, places}));
  SD_ASSIGN(weights, emitter.broadcast(weights, with(matrices, {from, to})));
  SD_ASSIGN(weights, swapLastTwo(emitter, weights));
  SD_ASSIGN(weights, emitter.reshape(weights, {groups * to, from, 1}));
  Attrs attrs = windowAttrs({.kernel = {1}, .strides = {1}, .pads = {0, 0}, .dilations = {1}});
  attrs.erase(Attr::Kernel);
  attrs.set(Attr::Group, groups);
  SD_ASSIGN(value, emitter.compute(OpKind::Conv, {value, weights}, std::move(attrs)));
  SD_ASSIGN(value, emitter.reshape(value, {batch, groups, to, places}));
  SD_ASSIGN(value, swapLastTwo(emitter, value));
  return emitter.reshape(value, with(leading, {places, to}));
}

// x [...,K] or [K] times a constant w.
Expected<Value> timesConstant(Emitter &emitter, const Value &x, const Value &w) {
  if (x.rank() == 0 || w.rank() == 0) return fail("multiplies {} by {}", describe(x), describe(w));
  Shape left = x.shape(), right = w.shape();
  if (x.rank() == 1) left.insert(left.begin(), 1);
  if (w.rank() == 1) right.push_back(1);
  const Shape matrix(right.end() - 2, right.end());
  Shape result(right.size() > left.size() ? right.size() - left.size() : 0, 1);
  result.insert(result.end(), left.begin(), left.end() - 1);
  if (x.rank() == 1) result.pop_back();
  if (w.rank() > 1) result.push_back(matrix[1]);
  SD_ASSIGN(const Value rows, emitter.reshape(x, left));
  if (elementCount(right) != elementCount(matrix)) {
    SD_ASSIGN(const Value product, timesBatch(emitter, rows, w));
    if (x.rank() > 1) return product;
    Shape squeezed = product.shape();
    squeezed.erase(squeezed.end() - 2);
    return emitter.reshape(product, squeezed);
  }
  SD_ASSIGN(const Value weights, emitter.reshape(w, matrix));
  SD_ASSIGN(const Value product, emitter.compute(OpKind::MatMul, {rows, weights}));
  return emitter.reshape(product, result);
}

// A constant a [...,M,K] or [K] times x [...,K,N] or [K]: the transposed product of transposes.
Expected<Value> constantTimes(Emitter &emitter, const Value &a, const Value &x) {
  Value weights = a, columns = x;
  if (a.rank() > 1) {
    SD_ASSIGN(weights, swapLastTwo(emitter, a));
  }
  if (x.rank() > 1) {
    SD_ASSIGN(columns, swapLastTwo(emitter, x));
  }
  SD_ASSIGN(const Value product, timesConstant(emitter, columns, weights));
  return a.rank() > 1 && x.rank() > 1 ? swapLastTwo(emitter, product) : Expected<Value>(product);
}

bool isRow(const Shape &shape, std::int64_t width) {
  if (shape.size() > 2 || (shape.size() == 2 && shape[0] != 1)) return false;
  return shape.empty() || shape.back() == 1 || shape.back() == width;
}

} // namespace

Expected<Value> product(Emitter &emitter, const Value &a, const Value &b) {
  if (!a.isConstant() && !b.isConstant()) return timesComputed(emitter, a, b);
  return b.isConstant() ? timesConstant(emitter, a, b) : constantTimes(emitter, a, b);
}

Expected<void> importMatMul(Node &node, Emitter &emitter) {
  SD_ASSIGN(Value result, product(emitter, node.input(0), node.input(1)));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importGemm(Node &node, Emitter &emitter) {
  SD_ASSIGN(const double alpha, node.real("alpha", 1.0));
  SD_ASSIGN(const double beta, node.real("beta", 1.0));
  SD_ASSIGN(const bool transA, node.integer("transA", 0));
  SD_ASSIGN(const bool transB, node.integer("transB", 0));
  if (node.opset() < 7) node.ignore("broadcast"); // of C, which its shape decides
  Value a = node.input(0), b = node.input(1);
  if (a.rank() != 2 || b.rank() != 2)
    return fail("its factors must be matrices, not of shapes {} and {}; insert a Flatten or Reshape",
                toString(a.shape()), toString(b.shape()));
  if (transA) {
    SD_ASSIGN(a, swapLastTwo(emitter, a));
  }
  if (transB) {
    SD_ASSIGN(b, swapLastTwo(emitter, b));
  }
  // Into the constant factor, if there is one.
  SD_ASSIGN((b.isConstant() ? b : a), scaled(emitter, b.isConstant() ? b : a, alpha));
  const std::int64_t width = b.shape()[1];
  Value c = node.input(2);
  if (!c.isNone()) {
    SD_ASSIGN(c, scaled(emitter, c, beta));
  }
  Value result;
  if (b.isConstant() && c.isConstant() && isRow(c.shape(), width)) {
    SD_ASSIGN(c, emitter.reshape(c, {c.size()}));
    SD_ASSIGN(c, emitter.broadcast(c, {width}));
    SD_ASSIGN(result, emitter.compute(OpKind::MatMul, {a, b, c}));
  } else {
    SD_ASSIGN(result, product(emitter, a, b));
    if (!c.isNone()) {
      SD_ASSIGN(const Shape shape, broadcastShapes(result.shape(), c.shape()));
      if (shape != result.shape())
        return fail("C of shape {} does not broadcast to the product {}", toString(c.shape()),
                    toString(result.shape()));
      SD_ASSIGN(result, emitter.arithmetic(OpKind::Add, result, c));
    }
  }
  node.setOutput(0, std::move(result));
  return {};
}

Expected<Value> convolution(Node &node, Emitter &emitter, const Value &x, const Value &w, const Value &bias) {
  if (x.rank() < 3 || w.rank() != x.rank())
    return fail("needs x [N,C,...] and weights of the same rank, not {} and {}", toString(x.shape()),
                toString(w.shape()));
  SD_ASSIGN(const std::int64_t group, node.integer("group", 1));
  SD_ASSIGN(OnnxWindow window, readWindow(node, x.shape()));
  const std::vector<std::int64_t> taps(w.shape().begin() + 2, w.shape().end());
  if (!window.kernel.empty() && window.kernel != taps)
    return fail("kernel_shape [{}] differs from its weights {}", fmt::join(window.kernel, ", "), toString(w.shape()));
  window.kernel = taps;
  SD_TRY(complete(window, x.shape()));
  Attrs attrs = windowAttrs(window);
  attrs.erase(Attr::Kernel);
  attrs.set(Attr::Group, group);
  std::vector<Value> operands = {x, w};
  if (!bias.isNone()) operands.push_back(bias);
  return emitter.compute(OpKind::Conv, operands, std::move(attrs));
}

Expected<void> importConv(Node &node, Emitter &emitter) {
  SD_TRY(node.expectConstant(1, "weight"));
  if (node.has(2)) SD_TRY(node.expectConstant(2, "bias"));
  SD_ASSIGN(Value result, convolution(node, emitter, node.input(0), node.input(1), node.input(2)));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importBatchNorm(Node &node, Emitter &emitter) {
  static constexpr std::string_view kRoles[] = {"", "scale", "bias", "mean", "variance"};
  SD_ASSIGN(const double epsilon, node.real("epsilon", 1e-5));
  SD_ASSIGN(const bool isTest, node.opset() < 7 ? node.integer("is_test", 0) : 1);
  SD_ASSIGN(const bool training, node.integer("training_mode", 0));
  SD_ASSIGN(const bool spatial, node.integer("spatial", 1));
  node.ignore("momentum");
  // Up to opset 13 it is the number of outputs that says so.
  const bool givesStatistics = node.namedOutputs() > 1;
  if (training || !isTest || givesStatistics)
    return fail("is in training mode{}; export the model for inference (model.eval())",
                givesStatistics ? " (it has more outputs than one)" : "");
  if (!spatial && node.input(0).rank() > 2) return fail("spatial = 0 is not supported; export with a newer opset");
  for (std::size_t i = 1; i < 5; ++i)
    SD_TRY(node.expectConstant(i, kRoles[i]));
  if (node.input(4).isInteger()) return fail("its variance must be floats");
  for (float variance : node.input(4).floats()->data)
    if (!(variance + epsilon > 0)) return fail("has the variance {}; repair the model", variance);
  std::vector<Value> operands;
  for (std::size_t i = 0; i < 5; ++i)
    operands.push_back(node.input(i));
  Attrs attrs;
  attrs.set(Attr::Epsilon, epsilon);
  SD_ASSIGN(Value result, emitter.compute(OpKind::BatchNorm, operands, std::move(attrs)));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
