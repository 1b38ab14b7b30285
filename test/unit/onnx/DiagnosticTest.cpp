// What the importer says: every problem of a model in one run, each with its node and what could be done.
#include <gmock/gmock.h>

#include "ModelTesting.h"

using testing::HasSubstr;

namespace sd::testing {
namespace {

std::string problemsOf(const std::string &body, const std::string &inputs = "float[1, 4] x", int opset = 13,
                       ImportOptions options = {}) {
  std::vector<ImportProblem> problems;
  const std::string text = fmt::format(
      R"(<ir_version: 8, opset_import: ["" : {}]> net ({}) => (float[1, 4] y) {{ {} }})", opset, inputs, body);
  EXPECT_FALSE(importOnnxText(text, options, problems));
  return joined(problems);
}

TEST(Diagnostic, NamesEveryOffendingNodeInOneRun) {
  EXPECT_EQ(problemsOf("a = Relu(x) b = Relu(a) c = Scan(b) d = com.acme.Magic(c) e = Frobnicate(d) y = Add(x, e)"),
            "node 'c' (Scan, opset 13): not supported; export the model traced, without control flow\n"
            "node 'd' (Magic, opset 13): the domain 'com.acme' is not supported; export the model with standard ONNX "
            "ops, or with its own ops as functions of the model\n"
            "node 'e' (Frobnicate, opset 13): not supported; rewrite the model with supported ops (docs/onnx.md lists "
            "them)\n");
}

TEST(Diagnostic, TheErrorSumsUp) {
  std::vector<ImportProblem> problems;
  auto module = importOnnxText(R"(<ir_version: 8, opset_import: ["" : 13]>
    net (float[1] x) => (float[1] y) { a = Scan(x) y = Loop(a) })",
                               {}, problems);
  ASSERT_FALSE(module);
  EXPECT_EQ(module.error().message, "the model cannot be imported: 2 problems");
  EXPECT_EQ(problems.size(), 2u);
}

TEST(Diagnostic, WhatIsOpenedGoesOnInTheClear) {
  EXPECT_THAT(problemsOf("a = LogSoftmax(x) y = Elu(a)"),
              HasSubstr("node 'y' (Elu, opset 13): takes the result of LogSoftmax"));
  EXPECT_THAT(problemsOf("a = Floor(x) y = Elu(a)"), HasSubstr("takes the result of Floor"));
  EXPECT_THAT(problemsOf("a = LogSoftmax(x) y = Add(a, x)"), HasSubstr("combines a secret value"));
  EXPECT_THAT(problemsOf("a = LogSoftmax(x) y = Concat <axis = 1> (a, x)"), HasSubstr("joins a secret value"));
  EXPECT_THAT(problemsOf("a = LogSoftmax(x) c = Constant <value = float[4] {1, 2, 3, 4}> () y = Mul(a, c)"),
              HasSubstr("would learn it"));
}

TEST(Diagnostic, UnknownAttributesAreNotIgnored) {
  EXPECT_THAT(problemsOf("y = Relu <sharpness = 3> (x)"),
              HasSubstr("the attribute 'sharpness' is not known for Relu at opset 13"));
  EXPECT_THAT(problemsOf("y = LeakyRelu <alpha = 1> (x)"), HasSubstr("the attribute 'alpha' must be a float"));
}

TEST(Diagnostic, TrainingModeIsRefused) {
  EXPECT_THAT(
      problemsOf("r = Constant <value = float {0.5}> () t = Constant <value = bool {1}> () y = Dropout(x, r, t)"),
      HasSubstr("model.eval()"));
}

TEST(Diagnostic, OutputsThatAreNotMade) {
  EXPECT_THAT(problemsOf("y, m = MaxPool <kernel_shape = [2]> (x) z = Identity(m)", "float[1, 1, 4] x"),
              HasSubstr("its output 1 ('m') is not supported"));
}

TEST(Diagnostic, TwoComputedFactors) {
  EXPECT_THAT(problemsOf("y = MatMul(x, x)"), HasSubstr("multiplies floats of shape 1x4 by floats of shape 1x4"));
  EXPECT_THAT(problemsOf("c = Constant <value = float[4] {1, 0, 2, 3}> () y = Div(x, c)"), HasSubstr("by zero"));
}

TEST(Diagnostic, InputShapes) {
  EXPECT_THAT(problemsOf("y = Relu(x)", "float[N, H] x"),
              HasSubstr("input 'x' has no fixed size along axis 1 ('H'); give its sizes: --shape x=NxH"));
  EXPECT_THAT(problemsOf("y = Relu(x)", "float[1, 0] x"), HasSubstr("input 'x' has size 0 along axis 1"));
  EXPECT_THAT(problemsOf("y = Relu(x)", "string[1, 4] x"), HasSubstr("input 'x' is declared as STRING"));
  EXPECT_THAT(problemsOf("y = Relu(x)", "float[1, 4] x", 13, {.batch = 3, .inputRange = {}}),
              HasSubstr("the batch cannot be set to 3"));
  EXPECT_THAT(problemsOf("y = Relu(x)", "float[N, 4] x", 13, {.batch = 0, .inputRange = {}}), HasSubstr("at least 1"));
  EXPECT_THAT(problemsOf("s = Constant <value = int64[2] {1, 4}> () y = Reshape(x, s)", "float[N, 4] x", 13,
                         {.batch = 2, .inputRange = {}}),
              HasSubstr("compile it with --batch 1"));
}

TEST(Diagnostic, GraphsThatAreNoGraphs) {
  EXPECT_THAT(problemsOf("a = Relu(y) y = Relu(a)"), HasSubstr("cycle"));
  EXPECT_THAT(problemsOf("y = Relu(x) y = Relu(x)"), HasSubstr("makes 'y', which is another value's name already"));
  EXPECT_THAT(problemsOf("y = Relu(z)"), HasSubstr("uses 'z', which nothing defines"));
  EXPECT_THAT(problemsOf("z = Relu(x)"), HasSubstr("output 'y' is made by no node"));
  EXPECT_THAT(problemsOf("y = Constant <value = int64[1] {16777217}> ()"),
              HasSubstr("output 'y' does not depend on any input, and holds 16777217, too large an integer"));
  EXPECT_THAT(problemsOf("y = Relu()"), HasSubstr("has 0 inputs, not 1 to 1"));
}

TEST(Diagnostic, OpsOutsideTheirOpsets) {
  EXPECT_THAT(problemsOf("s = ConstantOfShape(x) y = Relu(s)", "float[1, 4] x", 8),
              HasSubstr("node 's' (ConstantOfShape, opset 8): exists from opset 9 only"));
}

TEST(Diagnostic, AskingForTooMuchMemory) {
  EXPECT_THAT(problemsOf("s = Constant <value = int64[2] {1073741824, 1}> () c = ConstantOfShape(s) y = Add(x, c)"),
              HasSubstr("that a model of this size may"));
  EXPECT_THAT(problemsOf("s = Constant <value = int64[2] {1073741824, 4}> () e = Expand(x, s) y = Relu(e)"),
              HasSubstr("node 'e'"));
}

TEST(Diagnostic, NamesArePrintable) {
  EXPECT_EQ(toString(ImportProblem{"a", "Relu", 13, "m"}), "node 'a' (Relu, opset 13): m");
  EXPECT_EQ(toString(ImportProblem{"", "", 0, "m"}), "m");
}

} // namespace
} // namespace sd::testing
