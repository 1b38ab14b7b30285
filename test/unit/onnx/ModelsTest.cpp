// Imported models, evaluated in floats, against the outputs of other runtimes.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>

#include "ModelTesting.h"

namespace fs = std::filesystem;

namespace sd::testing {
namespace {

struct Example {
  std::vector<Tensor<float>> inputs, outputs;
};

void expectOutputs(const fs::path &model, const std::vector<Example> &examples, double tolerance) {
  SCOPED_TRACE(model.string());
  for (const Example &example : examples) {
    std::vector<ImportProblem> problems;
    ImportOptions options;
    auto module = importOnnx(model, options, problems);
    ASSERT_TRUE(module) << joined(problems);
    const Shape &first = module->type(module->ops[0].result).shape;
    if (!first.empty() && first[0] != example.inputs[0].shape[0] && first.size() == example.inputs[0].shape.size()) {
      options.batch = example.inputs[0].shape[0];
      module = importOnnx(model, options, problems);
      ASSERT_TRUE(module) << joined(problems);
    }
    auto outputs = evaluate(*module, example.inputs);
    ASSERT_TRUE(outputs) << outputs.error().message;
    ASSERT_EQ(outputs->size(), example.outputs.size());
    for (std::size_t i = 0; i < outputs->size(); ++i) {
      EXPECT_LE(distance((*outputs)[i], example.outputs[i]), tolerance) << "output " << i;
    }
  }
}

std::vector<Example> vectorsOf(const fs::path &folder, const std::string &suffix) {
  std::vector<Example> examples;
  for (const fs::path &set : numbered(folder, suffix == ".pb" ? "test_data_set" : "set", "")) {
    Example example;
    for (const fs::path &path : numbered(set, "input", suffix))
      example.inputs.push_back(suffix == ".pb" ? readPbFile(path) : readNpyFile(path));
    for (const fs::path &path : numbered(set, "output", suffix))
      example.outputs.push_back(suffix == ".pb" ? readPbFile(path) : readNpyFile(path));
    examples.push_back(std::move(example));
  }
  return examples;
}

// Models that hold an op out of the compiler's reach, by the op that must be named.
const std::map<std::string, std::string> kOutOfScope = {{"kws_m_qdq", "QuantizeLinear"}};

TEST(Models, PublicModelsMatchTheirVectors) {
  const auto shared = sharedFolder();
  if (!shared) return;
  int evaluated = 0;
  for (const char *group : {"core", "derived"})
    for (const auto &entry : fs::directory_iterator(*shared / "onnx" / group)) {
      const std::string name = entry.path().filename();
      const fs::path model = entry.path() / "model.onnx";
      if (auto refused = kOutOfScope.find(name); refused != kOutOfScope.end()) {
        std::vector<ImportProblem> problems;
        EXPECT_FALSE(importOnnx(model, {}, problems)) << name;
        EXPECT_TRUE(std::ranges::any_of(problems, [&](auto &problem) { return problem.op == refused->second; }))
            << name << "\n"
            << joined(problems);
        continue;
      }
      const bool isLarge =
          name == "light_resnet50" || name == "light_squeezenet" || name == "super_resolution" || name == "espcn_float";
      std::vector<Example> examples = vectorsOf(entry.path() / "vectors", ".npy");
      ASSERT_FALSE(examples.empty()) << name;
      if (isLarge) examples.resize(1);
      // Its vectors come from a runtime that fuses the Pad into the AveragePool and no longer counts the zeros; ONNX's
      // text and PyTorch count them. These are the outputs by the text, computed apart.
      if (name == "ceil_mode_pools") {
        examples.resize(1);
        examples[0].outputs[0].data = {-0.03490967f, -0.06454799f, -0.0346168f, 0.07496607f, -0.13171837f};
      }
      // Half floats, and activations rounded to eight bits: neither is done here.
      expectOutputs(model, examples, name == "fp16_mlp" ? 2e-2 : name == "mnist_quantized" ? 0.1 : 1e-4);
      ++evaluated;
    }
  EXPECT_EQ(evaluated, 29);
}

TEST(Models, ReferenceModelsMatchTheirVectors) {
  const auto shared = sharedFolder();
  if (!shared) return;
  for (const char *name : {"bc", "di", "li", "th", "m1", "m2", "c1", "pn", "ec"}) {
    const fs::path folder = *shared / "models" / name;
    std::vector<Example> examples = vectorsOf(folder, ".pb");
    ASSERT_EQ(examples.size(), 3u);
    if (std::string(name) == "c1") examples.resize(1);
    for (const char *variant : {"", "_dyn", "_clean"})
      if (const fs::path model = folder / fmt::format("{}{}.onnx", name, variant); fs::exists(model))
        expectOutputs(model, examples, 1e-4);
    for (Example &example : examples)
      for (float &value : example.inputs[0].data)
        value *= 255;
    expectOutputs(folder / fmt::format("{}_in255.onnx", name), examples, 1e-4);
  }
}

TEST(Models, WholeTestSplitsGiveTheSavedLogits) {
  const auto shared = sharedFolder();
  if (!shared) return;
  for (const char *name : {"bc", "di", "li", "th", "ec"}) {
    const fs::path folder = *shared / "models" / name;
    const Example split{{readNpyFile(folder / fmt::format("{}_test_x.npy", name))},
                        {readNpyFile(folder / fmt::format("{}_test_logits.npy", name))}};
    expectOutputs(folder / fmt::format("{}_dyn.onnx", name), {split}, 1e-4);
  }
}

} // namespace
} // namespace sd::testing
