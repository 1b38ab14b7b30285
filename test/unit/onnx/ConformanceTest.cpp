// ONNX's own test suite: each model either gives its outputs, or is refused by name; never a wrong result.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <set>

#include <onnx/onnx_pb.h>

#include "ModelTesting.h"

namespace fs = std::filesystem;

namespace sd::testing {
namespace {

const fs::path kSuite = "/usr/share/libonnx-testdata/data";

struct Case {
  std::string name;
  onnx::ModelProto model;
  std::vector<onnx::TensorProto> inputs;
  std::vector<std::string> inputNames;
  std::vector<Tensor<float>> outputs;
  bool hasTensors = true; // all inputs and outputs can be read as such
};

// The suite stores bfloat16 as the integers of its bits.
void restoreBfloat16(onnx::TensorProto &tensor, const onnx::ValueInfoProto &info) {
  if (info.type().tensor_type().elem_type() == onnx::TensorProto::BFLOAT16 &&
      tensor.data_type() == onnx::TensorProto::UINT16)
    tensor.set_data_type(onnx::TensorProto::BFLOAT16);
}

std::optional<Tensor<float>> asFloats(const onnx::TensorProto &proto) {
  std::string bytes;
  proto.SerializeToString(&bytes);
  auto tensor = parseTensor(bytes);
  return tensor ? std::optional(*std::move(tensor)) : std::nullopt;
}

Case load(const fs::path &folder) {
  Case out;
  out.name = folder.filename();
  out.model.ParseFromString(readFile(folder / "model.onnx"));
  std::set<std::string> constants;
  for (const auto &initializer : out.model.graph().initializer())
    constants.insert(initializer.name());
  for (const auto &input : out.model.graph().input()) {
    out.hasTensors &= input.type().has_tensor_type();
    if (!constants.contains(input.name())) out.inputNames.push_back(input.name());
  }
  for (const auto &output : out.model.graph().output())
    out.hasTensors &= output.type().has_tensor_type();
  if (!out.hasTensors) return out;
  for (const fs::path &path : numbered(folder / "test_data_set_0", "input", ".pb"))
    out.hasTensors &= out.inputs.emplace_back().ParseFromString(readFile(path));
  out.hasTensors &= out.inputs.size() == out.inputNames.size();
  for (std::size_t i = 0; out.hasTensors && i < out.inputs.size(); ++i)
    restoreBfloat16(out.inputs[i], out.model.graph().input(static_cast<int>(i)));
  int next = 0;
  for (const fs::path &path : numbered(folder / "test_data_set_0", "output", ".pb")) {
    onnx::TensorProto proto;
    out.hasTensors &= next < out.model.graph().output_size() && proto.ParseFromString(readFile(path));
    if (!out.hasTensors) return out;
    restoreBfloat16(proto, out.model.graph().output(next++));
    auto tensor = asFloats(proto);
    out.hasTensors &= tensor.has_value();
    out.outputs.push_back(tensor ? *std::move(tensor) : Tensor<float>());
  }
  return out;
}

enum class Outcome { Equal, Refused, Wrong, NoRecord };

// Floats of 16 bits are computed with as floats of 32.
double tolerance(const onnx::ModelProto &model) {
  double largest = 1e-4;
  for (const auto *list : {&model.graph().input(), &model.graph().output()})
    for (const auto &value : *list) {
      const int type = value.type().tensor_type().elem_type();
      if (type == onnx::TensorProto::FLOAT16) largest = std::max(largest, 0x1p-10);
      if (type == onnx::TensorProto::BFLOAT16) largest = std::max(largest, 0x1p-7);
    }
  return largest;
}

// Imports the model with the first `free` inputs left to the hospital and the others made constants.
Outcome run(const Case &each, std::size_t free, std::vector<ImportProblem> &problems) {
  onnx::ModelProto model = each.model;
  std::vector<Tensor<float>> inputs;
  for (std::size_t i = 0; each.hasTensors && i < each.inputs.size(); ++i) {
    if (i < free) {
      auto tensor = asFloats(each.inputs[i]);
      const auto isFinite = [](float value) { return std::isfinite(value); };
      if (!tensor || !std::ranges::all_of(tensor->data, isFinite)) return Outcome::NoRecord;
      inputs.push_back(*std::move(tensor));
    } else {
      onnx::TensorProto &constant = *model.mutable_graph()->add_initializer();
      constant = each.inputs[i];
      constant.set_name(each.inputNames[i]);
    }
  }
  std::string bytes;
  model.SerializeToString(&bytes);
  auto module = importOnnxBytes(std::as_bytes(std::span(bytes)), {}, problems);
  if (!module || !each.hasTensors) return Outcome::Refused;
  auto outputs = evaluate(*module, inputs);
  if (!outputs || outputs->size() != each.outputs.size()) return Outcome::Wrong;
  for (std::size_t i = 0; i < outputs->size(); ++i)
    if (distance((*outputs)[i], each.outputs[i]) > tolerance(model)) return Outcome::Wrong;
  return Outcome::Equal;
}

TEST(Conformance, EveryModelIsRightOrRefused) {
  if (!fs::exists(kSuite)) {
    std::cerr << "SKIPPED: no libonnx-testdata\n";
    return;
  }
  const bool verbose = std::getenv("SD_VERBOSE") != nullptr;
  std::set<std::string> equal;
  std::size_t count = 0;
  for (const char *group : {"node", "pytorch-converted", "pytorch-operator", "simple"})
    for (const auto &entry : fs::directory_iterator(kSuite / group)) {
      const Case each = load(entry.path());
      SCOPED_TRACE(each.name);
      ++count;
      for (std::size_t free = 1; free <= std::max<std::size_t>(each.inputs.size(), 1); ++free) {
        std::vector<ImportProblem> problems;
        const Outcome outcome = run(each, free, problems);
        EXPECT_NE(outcome, Outcome::Wrong) << free << " inputs";
        if (outcome == Outcome::Equal) equal.insert(each.name);
        if (outcome == Outcome::Refused && each.hasTensors) {
          EXPECT_FALSE(problems.empty());
          for (const ImportProblem &problem : problems)
            EXPECT_FALSE(problem.message.empty());
        }
        if (verbose && outcome != Outcome::Equal)
          std::cout << each.name << " " << free << ": " << joined(problems) << "\n";
      }
    }
  if (verbose)
    for (const std::string &name : equal)
      std::cout << "equal " << name << "\n";
  std::cout << equal.size() << " of " << count << " models evaluated, the others refused\n";
  EXPECT_GE(equal.size(), 348u);
}

} // namespace
} // namespace sd::testing
