#include "Suite.h"

#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>
#include <set>

#include <onnx/onnx_pb.h>

namespace fs = std::filesystem;

namespace sd::testing {

namespace {

const fs::path kSuite = "/usr/share/libonnx-testdata/data";

// A model of the suite with its first record as protobufs.
struct Recorded {
  onnx::ModelProto model;
  std::vector<std::string> inputNames;
  std::vector<onnx::TensorProto> inputs;
  std::vector<Tensor<float>> inputValues, outputs;
};

// The suite stores bfloat16 as the integers of its bits.
void restoreBfloat16(onnx::TensorProto &tensor, const onnx::ValueInfoProto &info) {
  if (info.type().tensor_type().elem_type() == onnx::TensorProto::BFLOAT16 &&
      tensor.data_type() == onnx::TensorProto::UINT16)
    tensor.set_data_type(onnx::TensorProto::BFLOAT16);
}

Expected<Tensor<float>> asFloats(const onnx::TensorProto &proto) {
  std::string bytes;
  proto.SerializeToString(&bytes);
  return parseTensor(bytes);
}

Expected<onnx::TensorProto> readProto(const fs::path &path, const onnx::ValueInfoProto &info) {
  onnx::TensorProto proto;
  if (!info.type().has_tensor_type()) return fail("'{}' is not a tensor", info.name());
  if (!proto.ParseFromString(readFile(path))) return fail("{} cannot be read", path.filename().string());
  restoreBfloat16(proto, info);
  return proto;
}

Expected<void> readRecord(const fs::path &folder, Recorded &out) {
  const onnx::GraphProto &graph = out.model.graph();
  std::set<std::string> constants;
  for (const auto &initializer : graph.initializer())
    constants.insert(initializer.name());
  int next = 0;
  for (const fs::path &path : numbered(folder, "input", ".pb")) {
    while (next < graph.input_size() && constants.contains(graph.input(next).name()))
      ++next;
    if (next == graph.input_size()) return fail("more inputs are recorded than the model has");
    SD_ASSIGN(const auto proto, readProto(path, graph.input(next)));
    out.inputNames.push_back(graph.input(next++).name());
    out.inputs.push_back(proto);
    SD_ASSIGN(Tensor<float> values, asFloats(proto));
    out.inputValues.push_back(std::move(values));
  }
  next = 0;
  for (const fs::path &path : numbered(folder, "output", ".pb")) {
    if (next == graph.output_size()) return fail("more outputs are recorded than the model has");
    SD_ASSIGN(const auto proto, readProto(path, graph.output(next++)));
    SD_ASSIGN(Tensor<float> output, asFloats(proto));
    out.outputs.push_back(std::move(output));
  }
  return {};
}

// Floats of 16 bits are computed with as floats of 32.
double precisionOf(const onnx::ModelProto &model) {
  double largest = 1e-4;
  for (const auto *list : {&model.graph().input(), &model.graph().output()})
    for (const auto &value : *list) {
      const int type = value.type().tensor_type().elem_type();
      if (type == onnx::TensorProto::FLOAT16) largest = std::max(largest, 0x1p-10);
      if (type == onnx::TensorProto::BFLOAT16) largest = std::max(largest, 0x1p-7);
    }
  return largest;
}

ImportFunction fromBytes(const onnx::ModelProto &model) {
  auto bytes = std::make_shared<std::string>();
  model.SerializeToString(bytes.get());
  return [bytes](const ImportOptions &options, std::vector<ImportProblem> &problems) {
    return importOnnxBytes(std::as_bytes(std::span(*bytes)), options, problems);
  };
}

Expected<std::vector<Trial>> loadRecorded(const fs::path &folder) {
  Recorded recorded;
  if (!recorded.model.ParseFromString(readFile(folder / "model.onnx"))) return fail("not a model");
  std::vector<Trial> trials;
  if (auto read = readRecord(folder / "test_data_set_0", recorded); !read) { // such a model is to be refused
    trials.push_back({"", fromBytes(recorded.model), {}});
    return trials;
  }
  const std::size_t count = recorded.inputs.size();
  for (std::size_t given = std::min<std::size_t>(1, count); given <= count; ++given) {
    onnx::ModelProto model = recorded.model;
    Example example{{}, recorded.outputs};
    for (std::size_t i = 0; i < count; ++i) {
      if (i < given) {
        example.inputs.push_back(recorded.inputValues[i]);
      } else {
        onnx::TensorProto &constant = *model.mutable_graph()->add_initializer();
        constant = recorded.inputs[i];
        constant.set_name(recorded.inputNames[i]);
      }
    }
    std::string note = given < count ? fmt::format("{} of {} inputs secret", given, count) : "";
    trials.push_back({std::move(note), fromBytes(model), {std::move(example)}, precisionOf(model)});
  }
  return trials;
}

ImportFunction fromFile(const fs::path &model) {
  return [model](const ImportOptions &options, std::vector<ImportProblem> &problems) {
    return importOnnx(model, options, problems);
  };
}

std::vector<fs::path> sortedEntries(const fs::path &folder) {
  std::vector<fs::path> entries;
  if (fs::is_directory(folder))
    for (const auto &entry : fs::directory_iterator(folder))
      entries.push_back(entry.path());
  std::ranges::sort(entries);
  return entries;
}

constexpr std::size_t kRecords = 3; // of a model; all have as many at least, or one

std::vector<Example> examplesOf(const fs::path &folder) {
  const bool npy = fs::exists(folder / "vectors");
  std::vector<Example> examples;
  for (const fs::path &set : npy ? numbered(folder / "vectors", "set", "") : numbered(folder, "test_data_set", "")) {
    Example example;
    for (const fs::path &path : numbered(set, "input", npy ? ".npy" : ".pb"))
      example.inputs.push_back(npy ? readNpyFile(path) : readPbFile(path));
    for (const fs::path &path : numbered(set, "output", npy ? ".npy" : ".pb"))
      example.outputs.push_back(npy ? readNpyFile(path) : readPbFile(path));
    examples.push_back(std::move(example));
    if (examples.size() == kRecords) break;
  }
  return examples;
}

// Its vectors come from a runtime that fuses the Pad into the AveragePool and no longer counts the zeros; ONNX's text
// and PyTorch count them. These are the outputs by the text, computed apart.
void correct(const std::string &name, std::vector<Example> &examples) {
  if (name != "ceil_mode_pools" || examples.empty()) return;
  examples.resize(1);
  examples[0].outputs[0].data = {-0.03490967f, -0.06454799f, -0.0346168f, 0.07496607f, -0.13171837f};
}

// A variant of a model whose input is scaled otherwise, or whose output is.
void adapt(const std::string &name, std::vector<Example> &examples) {
  for (Example &example : examples) {
    if (name.ends_with("_in255"))
      for (float &v : example.inputs[0].data)
        v = std::round(v * 255);
    if (name.ends_with("_softmax")) {
      double sum = 0;
      for (float v : example.outputs[0].data)
        sum += std::exp(static_cast<double>(v));
      for (float &v : example.outputs[0].data)
        v = static_cast<float>(std::exp(static_cast<double>(v)) / sum);
    }
  }
}

Case ofFile(std::string name, const fs::path &model, const fs::path &folder) {
  return {std::move(name), [model, folder]() -> Expected<std::vector<Trial>> {
            Trial trial{"", fromFile(model), examplesOf(folder)};
            const std::string stem = model.stem() == "model" ? folder.filename() : model.stem();
            correct(stem, trial.examples);
            adapt(stem, trial.examples);
            // Half floats, and activations rounded to eight bits: neither is done by the program.
            if (stem == "fp16_mlp") trial.precision = 2e-2;
            if (stem == "mnist_quantized") trial.precision = 0.1;
            return std::vector<Trial>{std::move(trial)};
          }};
}

} // namespace

std::vector<Case> suiteIn(const fs::path &folder) {
  std::vector<Case> cases;
  const std::string group = (folder.has_filename() ? folder : folder.parent_path()).filename().string();
  for (const fs::path &test : sortedEntries(folder))
    if (fs::exists(test / "model.onnx"))
      cases.push_back({fmt::format("{}/{}", group, test.filename().string()), [test] { return loadRecorded(test); }});
  return cases;
}

std::vector<Case> onnxSuite() {
  std::vector<Case> cases;
  for (const char *group : {"node", "pytorch-converted", "pytorch-operator", "simple"})
    for (Case &each : suiteIn(kSuite / group))
      cases.push_back(std::move(each));
  if (cases.empty()) std::cerr << "SKIPPED: no libonnx-testdata\n";
  return cases;
}

std::vector<Case> sharedModels(const fs::path &shared) {
  std::vector<Case> cases;
  for (const char *group : {"core", "derived", "broken"})
    for (const fs::path &entry : sortedEntries(shared / "onnx" / group)) {
      const bool isFile = entry.extension() == ".onnx";
      cases.push_back(
          ofFile(fmt::format("{}/{}", group, entry.stem().string()), isFile ? entry : entry / "model.onnx", entry));
    }
  for (Case &each : suiteIn(shared / "onnx" / "node24"))
    cases.push_back(std::move(each));
  for (const char *group : {"models", "models/large"})
    for (const fs::path &folder : sortedEntries(shared / group))
      for (const fs::path &model : sortedEntries(folder))
        if (model.extension() == ".onnx" && fs::exists(folder / "test_data_set_0"))
          cases.push_back(ofFile(fmt::format("{}/{}", group, model.stem().string()), model, folder));
  return cases;
}

} // namespace sd::testing
