#include <gtest/gtest.h>

#include <random>

#include "ir/Run.h"
#include "ir/core/ReferenceError.h"

using namespace sd;

namespace {

using Ints = std::vector<std::int64_t>;

std::mt19937 random(11);

Tensor<std::int64_t> small(Shape shape) {
  Tensor<std::int64_t> tensor(std::move(shape));
  for (auto &v : tensor.data)
    v = static_cast<int>(random() % 41) - 20;
  return tensor;
}

template <RingWord R>
double dot(const Tensor<float> &a, const Tensor<R> &b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.data.size(); ++i)
    sum += double{a.data[i]} * static_cast<double>(static_cast<SignedOf<R>>(b.data[i]));
  return sum;
}

// <g, f(x + d) - f(x)> = <pullBack(g), d>: what must hold of a transpose. The op's share operands get x, its weights w.
template <RingWord R>
void expectTransposeIn(OpKind kind, const std::vector<Shape> &shares, const std::vector<Shape> &weights,
                       const Attrs &attrs) {
  SCOPED_TRACE(fmt::format("{} of {} bits", info(kind).mnemonic, kBitsOf<R>));
  Builder b("m", kBitsOf<R>);
  std::vector<ValueId> operands;
  std::vector<Tensor<R>> x, moved;
  const std::size_t count = shares.size();
  for (auto &shape : shares) {
    const Type type = Type::share(shape, 0);
    auto input = b.create(OpKind::Input, {}, {{Attr::Name, fmt::format("x{}", x.size())}, {Attr::Dims, shape}});
    operands.push_back(*b.add({OpKind::ShareInput, {input}, kNoValue, {}, ""}, &type));
    x.push_back(toRing<R>(small(shape)));
  }
  for (auto &shape : weights) {
    const auto w = small(shape);
    operands.push_back(b.weights(w, 0));
    x.push_back(toRing<R>(w));
  }
  b.create(kind, operands, attrs);
  const Module module = b.take();
  const ProgramView view = viewOf(module);
  const OpView &op = view.ops.back();

  moved = x;
  std::vector<Tensor<R>> d(x.size());
  for (std::size_t k = 0; k < count; ++k) {
    d[k] = toRing<R>(small(x[k].shape));
    for (std::size_t i = 0; i < d[k].data.size(); ++i)
      moved[k].data[i] += d[k].data[i];
  }
  auto evaluate = [&](const std::vector<Tensor<R>> &values) {
    std::vector<const Tensor<R> *> pointers;
    for (auto &each : values)
      pointers.push_back(&each);
    Rounding rounding = Rounding::nearest();
    return *evaluateShare<R>(kind, pointers, attrs, rounding);
  };
  Tensor<R> difference = evaluate(moved);
  const Tensor<R> before = evaluate(x);
  for (std::size_t i = 0; i < before.data.size(); ++i)
    difference.data[i] -= before.data[i];

  reference::Trace<R> trace{view, std::vector<const Tensor<R> *>(view.types.size())};
  for (std::size_t k = 0; k < x.size(); ++k)
    trace.values[operands[k]] = &x[k];
  Tensor<float> g(before.shape);
  for (auto &v : g.data)
    v = static_cast<float>(static_cast<int>(random() % 9) - 4);
  std::vector<Tensor<float>> gradients(view.types.size());
  reference::pullBack(trace, op, g, gradients);
  double back = 0;
  for (std::size_t k = 0; k < count; ++k) {
    ASSERT_EQ(gradients[operands[k]].shape, x[k].shape);
    back += dot(gradients[operands[k]], d[k]);
  }
  EXPECT_EQ(back, dot(g, difference));
}

void expectTranspose(OpKind kind, const std::vector<Shape> &shares, const std::vector<Shape> &weights,
                     const Attrs &attrs) {
  expectTransposeIn<Ring32>(kind, shares, weights, attrs);
  expectTransposeIn<Ring64>(kind, shares, weights, attrs);
}

TEST(Adjoint, IsTheTransposeOfEachLinearOp) {
  const Attrs conv = {{Attr::Strides, Ints{2, 1}},
                      {Attr::Pads, Ints{1, 0, 2, 3}},
                      {Attr::Dilations, Ints{1, 2}},
                      {Attr::Group, std::int64_t{2}}};
  expectTranspose(OpKind::ShareConv, {{2, 4, 6, 7}}, {{6, 2, 3, 2}, {6}}, conv);
  const Attrs line = {
      {Attr::Strides, Ints{3}}, {Attr::Pads, Ints{1, 2}}, {Attr::Dilations, Ints{2}}, {Attr::Group, std::int64_t{1}}};
  expectTranspose(OpKind::ShareConv, {{1, 3, 11}}, {{2, 3, 3}}, line);
  const Attrs pool = {{Attr::Kernel, Ints{2, 3}},
                      {Attr::Strides, Ints{2, 2}},
                      {Attr::Pads, Ints{1, 1, 0, 1}},
                      {Attr::Dilations, Ints{1, 1}},
                      {Attr::CeilMode, std::int64_t{1}}};
  expectTranspose(OpKind::ShareSumPool, {{2, 3, 5, 6}}, {}, pool);
  expectTranspose(OpKind::ShareMatMul, {{2, 3, 5}}, {{5, 4}, {4}}, {});
  expectTranspose(OpKind::ShareScale, {{2, 3, 4}}, {{3, 1}, {4}}, {});
  expectTranspose(OpKind::ShareAddW, {{2, 3, 4}}, {{3, 1}}, {});
  expectTranspose(OpKind::ShareAdd, {{2, 3}, {2, 3}}, {}, {});
  expectTranspose(OpKind::ShareSub, {{2, 3}, {2, 3}}, {}, {});
  expectTranspose(OpKind::ShareMulC, {{2, 3}}, {}, {{Attr::Factor, std::int64_t{-3}}});
  expectTranspose(OpKind::ShareAddC, {{2, 3}}, {}, {{Attr::Addend, std::int64_t{5}}});
  expectTranspose(OpKind::ShareRescale, {{2, 3}}, {}, {{Attr::Shift, std::int64_t{3}}});
}

TEST(Adjoint, IsTheTransposeOfEachLayoutOp) {
  expectTranspose(OpKind::ShareReshape, {{2, 3}}, {}, {{Attr::Dims, Ints{3, 2}}});
  expectTranspose(OpKind::ShareTranspose, {{2, 3, 4}}, {}, {{Attr::Perm, Ints{2, 0, 1}}});
  expectTranspose(OpKind::ShareConcat, {{2, 3}, {2, 1}, {2, 2}}, {}, {{Attr::Axis, std::int64_t{1}}});
  expectTranspose(OpKind::SharePad, {{2, 3}}, {}, {{Attr::Pads, Ints{1, 0, 0, 2}}, {Attr::IntFill, std::int64_t{7}}});
  expectTranspose(OpKind::ShareGather, {{2, 3}}, {}, {{Attr::Axis, std::int64_t{1}}, {Attr::Indices, Ints{2, 0, 2}}});
}

} // namespace
