// The models of the conformance run, with what other implementations say they give.
#pragma once

#include <functional>

#include "test/unit/onnx/ModelTesting.h"

namespace sd::testing {

struct Example {
  std::vector<Tensor<float>> inputs, outputs;
};

using ImportFunction = std::function<Expected<Module>(const ImportOptions &, std::vector<ImportProblem> &)>;

// One way to read a case: which of its inputs the hospital gives.
struct Trial {
  std::string note; // "1 of 2 inputs secret"; empty if all are
  ImportFunction import;
  std::vector<Example> examples;
  double precision = 1e-4; // of the expected outputs, relative above 1
};

struct Case {
  std::string name; // "node/test_add", "core/mnist8_cntk", "broken/text"
  std::function<Expected<std::vector<Trial>>()> load;
};

// The tests in a folder, a folder each with model.onnx and test_data_set_0 of protobufs, as ONNX's own suite has them.
// Its operator tests give weights as inputs: each case is tried with its first 1, 2, ... inputs given by the hospital
// and the others made constants. Names start with the folder's.
std::vector<Case> suiteIn(const std::filesystem::path &folder);

// ONNX's own suite (Debian's libonnx-testdata), by name.
std::vector<Case> onnxSuite();

// The reference models of the folder `shared`: models/ and onnx/{core,derived,broken,node24}.
std::vector<Case> sharedModels(const std::filesystem::path &shared);

} // namespace sd::testing
