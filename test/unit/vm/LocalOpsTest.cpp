#include "runtime/vm/LocalOps.h"

#include "ir/core/LinearPacking.h"
#include "ir/core/Reference.h"
#include "test/unit/vm/Programs.h"

namespace sd {
namespace {

using Ints = std::vector<std::int64_t>;

// One local op on shares and weights of those shapes, all of scale 0.
struct Case {
  OpKind op;
  std::vector<Shape> shares, weights;
  Attrs attrs;
};

std::vector<Case> cases() {
  Attrs conv = test::square(2, 1);
  conv.set(Attr::Group, std::int64_t{2});
  Attrs conv1{
      {Attr::Strides, Ints{1}}, {Attr::Pads, Ints{1, 2}}, {Attr::Dilations, Ints{2}}, {Attr::Group, std::int64_t{1}}};
  Attrs pool = test::square(2, 1);
  pool.set(Attr::Kernel, Ints{3, 2}), pool.set(Attr::CeilMode, std::int64_t{1});
  return {
      {OpKind::ShareConv, {{2, 4, 7, 7}}, {{6, 2, 3, 3}, {6}}, conv},
      {OpKind::ShareConv, {{1, 3, 11}}, {{5, 3, 4}}, conv1},
      {OpKind::ShareMatMul, {{2, 3, 5}}, {{5, 4}, {4}}, {}},
      {OpKind::ShareMatMul, {{1, 9}}, {{9, 2}}, {}},
      {OpKind::ShareMatMul, {{9}}, {{9, 2}, {2}}, {}},
      {OpKind::ShareScale, {{2, 3, 4}}, {{3, 1}, {4}}, {}},
      {OpKind::ShareScale, {{2, 3, 4}}, {{}}, {}},
      {OpKind::ShareAddW, {{2, 3, 4}}, {{3, 1}}, {}},
      {OpKind::ShareAdd, {{5}, {5}}, {}, {}},
      {OpKind::ShareSub, {{5}, {5}}, {}, {}},
      {OpKind::ShareMulC, {{5}}, {}, {{Attr::Factor, std::int64_t{-3}}}},
      {OpKind::ShareAddC, {{5}}, {}, {{Attr::Addend, std::int64_t{-7}}}},
      {OpKind::ShareRescale, {{5}}, {}, {{Attr::Shift, std::int64_t{3}}}},
      {OpKind::ShareSumPool, {{1, 2, 6, 6}}, {}, pool},
      {OpKind::ShareReshape, {{2, 6}}, {}, {{Attr::Dims, Ints{3, 4}}}},
      {OpKind::ShareTranspose, {{2, 3, 4}}, {}, {{Attr::Perm, Ints{2, 0, 1}}}},
      {OpKind::ShareConcat, {{2, 1}, {2, 3}, {2, 2}}, {}, {{Attr::Axis, std::int64_t{1}}}},
      {OpKind::SharePad, {{2, 3}}, {}, {{Attr::Pads, Ints{1, 0, 0, 2}}, {Attr::IntFill, std::int64_t{-7}}}},
      {OpKind::ShareGather, {{3, 4}}, {}, {{Attr::Axis, std::int64_t{1}}, {Attr::Indices, Ints{3, 0, 3}}}},
  };
}

template <RingWord R>
Tensor<R> random(const Shape &shape, std::mt19937_64 &rng) {
  Tensor<R> tensor(shape);
  for (R &v : tensor.data)
    v = static_cast<R>(rng());
  return tensor;
}

template <class R>
class LocalOpRings : public testing::Test {};
TYPED_TEST_SUITE(LocalOpRings, test::ProgramRings);

// The parts of the result add up to the op on the sum of the parts.
TYPED_TEST(LocalOpRings, PartsAddUpToTheReference) {
  using R = TypeParam;
  std::mt19937_64 rng(11);
  ThreadPool pool(2);
  for (const Case &c : cases()) {
    SCOPED_TRACE(info(c.op).mnemonic);
    test::ProgramBuilder<R> builder;
    std::vector<SlotId> operands;
    std::vector<Tensor<R>> value, mask, sum;
    for (const Shape &shape : c.shares) {
      operands.push_back(builder.add(OpKind::ShareInput, {builder.input("x", shape)}, {}, Type::share(shape, 0)));
      value.push_back(random<R>(shape, rng)), mask.push_back(random<R>(shape, rng));
      sum.push_back(value.back());
      for (std::size_t i = 0; i < sum.back().data.size(); ++i)
        sum.back().data[i] += mask.back().data[i];
    }
    for (const Shape &shape : c.weights) {
      operands.push_back(builder.weights(shape, 0, static_cast<std::uint32_t>(rng())));
      value.push_back(toRing<R>(builder.weightSet().tensors.back()));
      sum.push_back(value.back());
    }
    const SlotId result = builder.add(c.op, operands, c.attrs);
    const Program &program = builder.program();
    const std::size_t size = static_cast<std::size_t>(elementCount(program.slots[result].shape));

    LocalOp<R> op{program, program.instructions.back(), {}, {}};
    for (const Tensor<R> &tensor : value)
      op.operands.push_back(tensor.data);
    std::vector<R> x(size, 1), r(size, 2);
    op.result = x;
    runOnValue(pool, op);
    if (isPacked(c.op)) {
      applyLinear<R>(pool, op, value[1].data, mask[0].data, r);
    } else {
      op.operands.assign(operands.size(), {});
      for (std::size_t i = 0; i < mask.size(); ++i)
        op.operands[i] = mask[i].data;
      op.result = r;
      runOnMask(pool, op);
    }

    std::vector<const Tensor<R> *> pointers;
    for (const Tensor<R> &tensor : sum)
      pointers.push_back(&tensor);
    const auto expected = evaluateShare<R>(c.op, pointers, c.attrs);
    ASSERT_TRUE(expected) << expected.error().message;
    for (std::size_t i = 0; i < size; ++i)
      ASSERT_EQ(x[i] + r[i], expected->data[i]) << i;
  }
}

TEST(LocalOps, EveryLocalOpIsTested) {
  for (const OpInfo &op : allOps()) {
    if (!isLocal(op.kind)) continue;
    bool found = false;
    for (const Case &c : cases())
      found = found || c.op == op.kind;
    EXPECT_TRUE(found) << op.mnemonic;
  }
}

} // namespace
} // namespace sd
