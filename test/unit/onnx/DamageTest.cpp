// Random damage to small models: whatever comes of it, import neither crashes nor hangs.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <random>

#include <onnx/onnx_pb.h>

#include "ModelTesting.h"
#include "compiler/onnx/Load.h"
#include "ir/Verifier.h"

namespace sd::testing {
namespace {

constexpr const char *kModels[] = {
    R"(<ir_version: 8, opset_import: ["" : 13]>
    conv (float[N, 2, 6, 6] x) => (float[N, 3] y)
    <float[3, 2, 2, 2] w = {1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4, 5, 6, 7, 8},
     float[12, 3] v = {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5,
                       6, 7, 8, 9}, float[3] b = {1, -1, 0.5}, int64[1] last = {-1}> {
      c = Conv <auto_pad = "SAME_UPPER", strides = [2, 2]> (x, w)
      r = Relu(c)
      m = MaxPool <kernel_shape = [2, 2], ceil_mode = 1, pads = [0, 0, 1, 1], strides = [2, 2]> (r)
      s = Shape(m)
      zero = Constant <value = int64 {0}> ()
      n = Gather(s, zero)
      zeros = Constant <value_ints = [0]> ()
      n1 = Unsqueeze(n, zeros)
      target = Concat <axis = 0> (n1, last)
      f = Reshape(m, target)
      g = Gemm <alpha = 0.5, beta = 2.0> (f, v, b)
      y = Softmax <axis = 1> (g)
    })",
    R"(<ir_version: 8, opset_import: ["" : 11]>
    layout (float[1, 3, 4] x) => (float[1, 5, 2] y) {
      pads = Constant <value = int64[6] {0, 1, -1, 0, 1, 1}> ()
      fill = Constant <value = float {0.5}> ()
      p = Pad <mode = "constant"> (x, pads, fill)
      starts = Constant <value = int64[1] {-1}> ()
      ends = Constant <value = int64[1] {-9223372036854775808}> ()
      axes = Constant <value = int64[1] {2}> ()
      steps = Constant <value = int64[1] {-2}> ()
      s = Slice(p, starts, ends, axes, steps)
      t = Transpose <perm = [0, 2, 1]> (s)
      a, b = Split <axis = 1> (t)
      j = Concat <axis = 1> (b, a)
      u = Transpose <perm = [0, 2, 1]> (j)
      k = LeakyRelu <alpha = 0.1> (u)
      hi = Constant <value = float {6.0}> ()
      c = Clip(k, , hi)
      shape = Constant <value = int64[1] {2}> ()
      ones = ConstantOfShape <value = float[1] {1.0}> (shape)
      y = Mul(c, ones)
    })"};

std::mt19937_64 random(2026);

std::string damaged(std::string content) {
  for (std::uint64_t flips = random() % 4; flips > 0; --flips) {
    char &byte = content[random() % content.size()];
    byte = random() % 2 ? static_cast<char>(random()) : static_cast<char>(byte ^ (1 << random() % 8));
  }
  if (random() % 4 == 0) content.resize(random() % content.size());
  if (random() % 4 == 0 && !content.empty()) content.erase(random() % content.size(), random() % 8);
  return content;
}

int casesOf(int otherwise) {
  const char *count = std::getenv("SD_DAMAGE_CASES");
  return count ? std::atoi(count) : otherwise;
}

// Damages the model again and again; how often it was still one.
int survivors(const std::string &bytes, int cases) {
  int accepted = 0;
  for (int i = 0; i < cases; ++i) {
    const std::string copy = damaged(bytes);
    std::vector<ImportProblem> problems;
    const auto module = importOnnxBytes(std::as_bytes(std::span(copy)), {}, problems);
    EXPECT_EQ(module.has_value(), problems.empty());
    EXPECT_TRUE(!module || verify(*module));
    accepted += module.has_value();
  }
  return accepted;
}

TEST(Damage, OfSmallModels) {
  for (const char *text : kModels) {
    auto loaded = loadOnnxText(text);
    ASSERT_TRUE(loaded) << loaded.error().message;
    const std::string whole = loaded->proto->SerializeAsString();
    std::vector<ImportProblem> none;
    ASSERT_TRUE(importOnnxBytes(std::as_bytes(std::span(whole)), {}, none)) << joined(none);
    EXPECT_GT(survivors(whole, casesOf(600)), 0);
  }
}

TEST(Damage, OfText) {
  for (const char *text : kModels)
    for (int i = casesOf(600); i > 0; --i) {
      std::vector<ImportProblem> problems;
      const auto module = importOnnxText(damaged(text), {}, problems);
      EXPECT_EQ(module.has_value(), problems.empty());
    }
}

TEST(Damage, OfExportersModels) {
  const auto shared = sharedFolder();
  if (!shared) return;
  for (const auto &entry : std::filesystem::directory_iterator(*shared / "onnx" / "derived")) {
    const std::string bytes = readFile(entry.path() / "model.onnx");
    if (bytes.size() > 8192) continue;
    EXPECT_GT(survivors(bytes, casesOf(100)), 0) << entry.path();
  }
}

} // namespace
} // namespace sd::testing
