// Models whose constants are small, or of very different sizes: fixed point follows them at the default scales, given
// the input's range alone.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <random>
#include <sstream>

#include "compiler/Compile.h"
#include "compiler/ErrorEstimate.h"
#include "compiler/Pipeline.h"
#include "compiler/RandomRecords.h"
#include "compiler/Trial.h"
#include "passes/Rewrite.h"
#include "runtime/vm/Records.h"
#include "test/unit/onnx/ModelTesting.h"

namespace sd {
namespace {

namespace fs = std::filesystem;

Expected<Comparison> onRecords(const Module &model, const Tensor<float> &x, const PassOptions &passes = {}) {
  std::vector<RecordInput> inputs;
  for (auto &op : model.ops)
    if (op.kind == OpKind::Input) inputs.push_back(recordInput(op.attrs, model.type(op.result).shape, Schema{}));
  SD_ASSIGN(const std::vector<NamedTensors> records, splitRecords(inputs, {{"", x}}));
  TrialOptions options;
  options.passes = passes;
  options.records = records;
  options.cost = false;
  const TrialResult trial = tryOut(model, settingsOf(model, passes), options);
  if (!trial.compiled()) return fail("{}", trial.refusal);
  return *trial.comparison;
}

void expectClose(const Expected<Comparison> &sum) {
  ASSERT_TRUE(sum) << sum.error().message;
  EXPECT_GE(static_cast<double>(sum->same), 0.98 * static_cast<double>(sum->records))
      << percentOf(sum->same, sum->records);
  EXPECT_LE(sum->rangeError, 0.01);
}

struct Sample {
  const char *model, *records;
  double low, high;
  bool privateNormalization = false;
};

class SharedCase : public ::testing::TestWithParam<Sample> {};

TEST_P(SharedCase, IsWithinOneHundredth) {
  const auto shared = testing::sharedFolder();
  if (!shared) GTEST_SKIP();
  const Sample &sample = GetParam();
  ModelOptions options;
  options.inputRange = {sample.low, sample.high};
  const auto model = loadModel(*shared / "cases" / sample.model, options);
  ASSERT_TRUE(model) << model.error().message;
  PassOptions passes;
  passes.privateNormalization = sample.privateNormalization;
  expectClose(onRecords(*model, testing::readNpyFile(*shared / "cases" / sample.records), passes));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, SharedCase,
    ::testing::Values(Sample{"small-weights/net.onnx", "small-weights/x.npy", 0, 255},
                      Sample{"batchnorm-on-raw-pixels/net.onnx", "batchnorm-on-raw-pixels/x.npy", 0, 255},
                      Sample{"batchnorm-on-raw-pixels/conv-bn-relu.onnx", "batchnorm-on-raw-pixels/x.npy", 0, 255},
                      Sample{"private-normalization/net.onnx", "private-normalization/x.npy", 0, 1634},
                      Sample{"private-normalization/net.onnx", "private-normalization/x.npy", 0, 1634, true}));

// A branch whose weights are nothing beside the other's is dropped, and said to be.
TEST(Precision, WeightsThatCannotMatterAreDropped) {
  const auto shared = testing::sharedFolder();
  if (!shared) GTEST_SKIP();
  const auto folder = *shared / "cases" / "exporters" / "tiny_weights_branch";
  ModelOptions options;
  options.inputRange = {-10, 10};
  const auto model = loadModel(folder / "model.onnx", options);
  ASSERT_TRUE(model) << model.error().message;
  for (int set = 0; set < 3; ++set)
    expectClose(
        onRecords(*model, testing::readNpyFile(folder / "vectors" / fmt::format("set_{}", set) / "input_0.npy")));
}

// The network of the reference models on raw measurements: x = (raw - lo) / (hi - lo) is part of it.
TEST(Precision, RawColumnsWithAndWithoutPrivateNormalization) {
  const auto shared = testing::sharedFolder();
  if (!shared) GTEST_SKIP();
  std::ifstream file(*shared / "data" / "breast_cancer" / "wdbc.data");
  std::vector<float> raw;
  for (std::string line; std::getline(file, line);) {
    std::istringstream cells(line);
    std::string cell;
    for (int i = 0; std::getline(cells, cell, ','); ++i)
      if (i >= 2) raw.push_back(std::stof(cell));
  }
  const std::int64_t columns = 30, rows = std::ssize(raw) / columns;
  ASSERT_EQ(rows, 569);
  Tensor<float> low({columns}, HUGE_VALF), size({columns}, 0.0F);
  for (std::int64_t i = 0; i < std::ssize(raw); ++i)
    low.data[i % columns] = std::min(low.data[i % columns], raw[i]);
  for (std::int64_t i = 0; i < std::ssize(raw); ++i)
    size.data[i % columns] = std::max(size.data[i % columns], raw[i] - low.data[i % columns]);

  const auto net = loadModel(*shared / "models" / "bc" / "bc.onnx", {});
  ASSERT_TRUE(net) << net.error().message;
  Rewriter rewriter(*net);
  for (auto &op : net->ops) {
    const ValueId x = rewriter.clone(op);
    if (op.kind != OpKind::Input) continue;
    const ValueId shifted = rewriter.builder.create(OpKind::Sub, {x, rewriter.builder.constant(low)});
    rewriter.map(op.result, rewriter.builder.create(OpKind::Div, {shifted, rewriter.builder.constant(size)}));
  }
  Module model = rewriter.finish();
  for (auto &op : model.ops)
    if (op.kind == OpKind::Input) {
      op.attrs.set(Attr::Low, 0.0);
      op.attrs.set(Attr::High, 4254.0);
    }
  std::vector<std::pair<double, double>> each;
  for (std::int64_t c = 0; c < columns; ++c)
    each.emplace_back(low.data[c], low.data[c] + size.data[c]);
  const auto compareWith = [&](const PassOptions &passes) { return onRecords(model, {{rows, columns}, raw}, passes); };
  PassOptions passes;
  const auto inClear = compareWith(passes);
  ASSERT_TRUE(inClear) << inClear.error().message;
  EXPECT_GE(inClear->same, inClear->records - 1);
  EXPECT_LE(inClear->rangeError, 0.01);
  // One range for columns of 0.03 to 4254: the service divides what is entered coarsely.
  passes.privateNormalization = true;
  const auto common = compareWith(passes);
  ASSERT_TRUE(common) << common.error().message;
  EXPECT_GE(common->same, common->records - 5);
  EXPECT_LE(common->rangeError, 0.04);
  // Each column's own.
  for (auto &op : model.ops)
    if (op.kind == OpKind::Input) passes.columnRanges[op.attrs.str(Attr::Name)] = each;
  const auto own = compareWith(passes);
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_GE(own->same, own->records - 1);
  EXPECT_LE(own->rangeError, 0.01);
}

// The same records each time, within what is declared; and an estimate from them that others bear out.
TEST(Precision, TheErrorToExpect) {
  Builder builder("constant");
  ValueId x = builder.create(OpKind::Input, {},
                             {{Attr::Name, "x"}, {Attr::Dims, Shape{1, 3}}, {Attr::Low, -2.0}, {Attr::High, 6.0}});
  x = builder.create(OpKind::MatMul, {x, builder.constant({{3, 2}, {0.004F, 0, 0.01F, 0.002F, 0, -0.01F}})});
  x = builder.create(OpKind::Relu, {x});
  x = builder.create(OpKind::MatMul,
                     {x, builder.constant({{2, 1}, {0.02F, 0.03F}}), builder.constant(Tensor<float>(Shape{1}, 5.0F))});
  builder.create(OpKind::Return, {x}, {{Attr::Names, std::vector<std::string>{"y"}}});
  const Module model = builder.take();
  const auto records = randomRecords(model, {{"x", {{-2, 0}, {0, 6}, {5, 5}}}}, 100);
  EXPECT_EQ(records, randomRecords(model, {{"x", {{-2, 0}, {0, 6}, {5, 5}}}}, 100));
  for (auto &record : records) {
    const auto &values = record.at("x").data;
    EXPECT_TRUE(values[0] >= -2 && values[0] <= 0 && values[1] >= 0 && values[1] <= 6 && values[2] == 5);
  }
  PassContext context;
  context.options.scaleBits = 4; // steps as large as the range
  const auto lowered = lower(model, {defaultPipeline(), {}}, context);
  ASSERT_TRUE(lowered) << lowered.error().message;
  const auto estimate = estimateError(model, *lowered, context);
  ASSERT_TRUE(estimate);
  EXPECT_TRUE(estimate->isLarge());
  EXPECT_TRUE(estimate->assumed.empty());
  EXPECT_EQ(estimate->comparison.worst.name, "y");
  EXPECT_NEAR(estimate->comparison.worst.low, 5, 0.01); // the yardstick is the range, not the value
  EXPECT_LT(estimate->comparison.worst.high, 5.01);
  const auto others = compare(model, *lowered, records, {});
  ASSERT_TRUE(others) << others.error().message;
  EXPECT_LE(others->errorMost, 1.5 * estimate->comparison.errorMost);
}

// A channel's weights 10^2.5 times as large as another's, and the next layer's as much smaller.
TEST(Precision, ImbalanceOfChannels) {
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  const auto noise = [&] { return static_cast<float>(normal(random)); };
  Builder builder("imbalance");
  ValueId x = builder.create(OpKind::Input, {},
                             {{Attr::Name, "x"}, {Attr::Dims, Shape{1, 16}}, {Attr::Low, -4.0}, {Attr::High, 4.0}});
  std::vector<float> factors(24, 1);
  std::int64_t width = 16;
  for (int layer = 0; layer < 3; ++layer) {
    const std::int64_t next = layer == 2 ? 4 : 24;
    std::vector<float> own(next, 1);
    if (layer < 2)
      for (auto &f : own)
        f = static_cast<float>(std::pow(10, -1.25 + 2.5 * std::generate_canonical<double, 32>(random)));
    Tensor<float> w({width, next}), b({next});
    for (std::int64_t i = 0; i < w.size(); ++i)
      w.data[i] = noise() * own[i % next] / factors[i / next] / std::sqrt(static_cast<float>(width));
    for (std::int64_t m = 0; m < next; ++m)
      b.data[m] = 0.3F * noise() * own[m];
    x = builder.create(OpKind::MatMul, {x, builder.constant(w), builder.constant(b)});
    if (layer < 2) x = builder.create(OpKind::Relu, {x});
    factors = own;
    width = next;
  }
  builder.create(OpKind::Return, {x}, {{Attr::Names, std::vector<std::string>{"y"}}});
  Tensor<float> records({200, 16});
  for (auto &v : records.data)
    v = std::clamp(noise(), -4.0F, 4.0F);
  expectClose(onRecords(builder.take(), records));
}

} // namespace
} // namespace sd
