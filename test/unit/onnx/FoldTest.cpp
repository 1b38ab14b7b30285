// Constant parts of a model never become ops: shape arithmetic, weights behind other nodes, ops without effect.
#include <gmock/gmock.h>

#include "ModelTesting.h"
#include "ir/Printer.h"

using testing::ElementsAre;

namespace sd::testing {
namespace {

Module import(const std::string &body, const std::string &inputs = "float[1, 4] x", int opset = 13,
              ImportOptions options = {}) {
  std::vector<ImportProblem> problems;
  auto module =
      importOnnxText(fmt::format(R"(<ir_version: 8, opset_import: ["" : {}]> net ({}) => (float[1, 4] y) {{ {} }})",
                                 opset, inputs, body),
                     options, problems);
  EXPECT_TRUE(module) << joined(problems);
  return module ? *std::move(module) : Module();
}

std::vector<OpKind> kinds(const Module &module) {
  std::vector<OpKind> out;
  for (const Op &op : module.ops)
    out.push_back(op.kind);
  return out;
}

// The constant c of y = x + c, which the body makes of constants.
std::vector<float> folded(const std::string &body, std::int64_t size, int opset = 13) {
  const Module module = import(body + " y = Add(x, c)", fmt::format("float[{}] x", size), opset);
  EXPECT_THAT(kinds(module), ElementsAre(OpKind::Input, OpKind::Constant, OpKind::Add, OpKind::Return));
  return module.ops.size() == 4 ? module.ops[1].attrs.floats(Attr::Value).data : std::vector<float>();
}

TEST(Fold, ViewOfADynamicBatch) {
  const Module module = import(R"(s = Shape(x) zero = Constant <value = int64 {0}> () n = Gather(s, zero)
    axes = Constant <value = int64[1] {0}> () n1 = Unsqueeze(n, axes) rest = Constant <value = int64[1] {-1}> ()
    target = Concat <axis = 0> (n1, rest) y = Reshape(x, target))",
                               "float[N, 2, 3] x", 13, {.batch = 5, .inputRange = {}});
  EXPECT_THAT(kinds(module), ElementsAre(OpKind::Input, OpKind::Reshape, OpKind::Return));
  EXPECT_EQ(module.type(module.ops[1].result).shape, (Shape{5, 6}));
}

TEST(Fold, ArithmeticOfIntegers) {
  EXPECT_THAT(folded(R"(a = Constant <value = int64[3] {7, -7, 6}> () b = Constant <value = int64[3] {2, 2, -1}> ()
                        q = Div(a, b) s = Sub(q, a) c = Cast <to = 1> (s))",
                     3),
              ElementsAre(-4, 4, -12));
}

TEST(Fold, ArithmeticOfFloatsWithBroadcasting) {
  EXPECT_THAT(folded(R"(a = Constant <value = float[2, 1] {1, 2}> () b = Constant <value = float[2] {10, 20}> ()
                        m = Mul(a, b) shape = Constant <value = int64[1] {-1}> () c = Reshape(m, shape))",
                     4),
              ElementsAre(10, 20, 20, 40));
}

TEST(Fold, MovesElements) {
  EXPECT_THAT(folded(R"(a = Constant <value = float[2, 3] {1, 2, 3, 4, 5, 6}> () t = Transpose(a)
                        starts = Constant <value = int64[1] {-1}> () ends = Constant <value = int64[1] {-99}> ()
                        axes = Constant <value = int64[1] {0}> () steps = Constant <value = int64[1] {-2}> ()
                        s = Slice(t, starts, ends, axes, steps) j = Concat <axis = 1> (s, s)
                        pads = Constant <value = int64[4] {0, 1, 0, -2}> () p = Pad(j, pads)
                        all = Constant <value = int64[1] {-1}> () c = Reshape(p, all))",
                     6),
              ElementsAre(0, 3, 6, 0, 1, 4));
}

TEST(Fold, ConstantsInAllForms) {
  EXPECT_THAT(folded("c = Constant <value_floats = [1.5, 2.5]> ()", 2), ElementsAre(1.5f, 2.5f));
  EXPECT_THAT(folded("c = Constant <value_float = 1.5> ()", 1), ElementsAre(1.5f));
  EXPECT_THAT(folded("i = Constant <value_int = 3> () c = Cast <to = 1> (i)", 1), ElementsAre(3));
  EXPECT_THAT(folded("n = Constant <value_ints = [2]> () c = ConstantOfShape <value = float[1] {7}> (n)", 2),
              ElementsAre(7, 7));
  EXPECT_THAT(folded(R"(a = Constant <value_int = 1> () b = Constant <value_int = 8> ()
                        d = Constant <value_int = 3> () r = Range(a, b, d) c = Cast <to = 1> (r))",
                     3),
              ElementsAre(1, 4, 7));
}

TEST(Fold, CastsRound) {
  EXPECT_THAT(folded(R"(a = Constant <value = float[3] {1.7, -1.7, 0.5}> () i = Cast <to = 7> (a)
                        c = Cast <to = 1> (i))",
                     3),
              ElementsAre(1, -1, 0));
  EXPECT_THAT(folded(R"(a = Constant <value = float[1] {1.0001}> () h = Cast <to = 10> (a) c = Cast <to = 1> (h))", 1),
              ElementsAre(1));
  EXPECT_THAT(folded("a = Constant <value = float[2] {0.0, 2.0}> () b = Cast <to = 9> (a) c = Cast <to = 1> (b)", 2),
              ElementsAre(0, 1));
}

TEST(Fold, ComputedLayersOfConstants) {
  EXPECT_THAT(folded(R"(a = Constant <value = float[1, 2] {1, -2}> () w = Constant <value = float[2, 2] {1, 2, 3, 4}> ()
                        g = Gemm(a, w) r = Relu(g) s = Constant <value = int64[1] {2}> () c = Reshape(r, s))",
                     2),
              ElementsAre(0, 0));
}

TEST(Fold, OpsWithoutEffectLeaveNothing) {
  const Module module = import(R"(a = Identity(x) b = Dropout(a) pads = Constant <value = int64[4] {0, 0, 0, 0}> ()
    p = Pad(b, pads) t = Transpose <perm = [0, 1]> (p) f = Flatten(t) s = Cast <to = 1> (f) m = Max(s) y = Relu(m))");
  EXPECT_THAT(kinds(module), ElementsAre(OpKind::Input, OpKind::Relu, OpKind::Return));
}

TEST(Fold, OneConstantForASharedWeight) {
  const Module module = import("w = Constant <value = float[4] {1, 2, 3, 4}> () i = Identity(w) a = Mul(x, w) "
                               "y = Mul(a, i)");
  EXPECT_THAT(kinds(module), ElementsAre(OpKind::Input, OpKind::Constant, OpKind::Mul, OpKind::Mul, OpKind::Return));
}

TEST(Fold, NodesOutOfOrderAreSorted) {
  const Module module = import("y = Relu(b) b = Add(a, a) a = Relu(x)");
  EXPECT_THAT(kinds(module), ElementsAre(OpKind::Input, OpKind::Relu, OpKind::Add, OpKind::Relu, OpKind::Return));
}

TEST(Fold, InputRangeIsKept) {
  const Module module = import("y = Relu(x)", "float[1, 4] x", 13, {.batch = {}, .inputRange = {{-1, 2}}});
  EXPECT_EQ(module.ops[0].attrs.f(Attr::Low), -1);
  EXPECT_EQ(module.ops[0].attrs.f(Attr::High), 2);
}

TEST(Fold, ImportIsDeterministic) {
  const char *body = "a = LeakyRelu(x) b = Clip(a) c = PRelu(b, s) s = Constant <value = float[1] {0.5}> () y = Abs(c)";
  EXPECT_EQ(print(import(body)), print(import(body)));
}

} // namespace
} // namespace sd::testing
