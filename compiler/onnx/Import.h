// From an ONNX model to a module at nn level.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <span>

#include "ir/Module.h"

namespace sd {

// What a model's file says beside its graph.
struct ModelFacts {
  std::string name, version, description;                     // each may be empty
  std::map<std::string, std::string, std::less<>> metadata;   // metadata_props
  std::map<std::string, std::vector<std::string>> classNames; // by output: labels that ops of ai.onnx.ml give it
};

struct ImportOptions {
  // Size of the dynamic first dimension of the inputs (1 if not given); refused for a model without one, unless it is
  // the model's own, and for one whose rows along it are no records apart from each other.
  std::optional<std::int64_t> batch;
  std::optional<std::pair<double, double>> inputRange;               // every input's values lie in it
  std::map<std::string, std::pair<double, double>> inputRanges = {}; // of single inputs, in its place
  std::vector<std::string> *remarks = nullptr; // takes what the program gives other than the model says
  std::map<std::string, Shape> shapes = {};    // of inputs with dynamic axes; "": of the only input
  ModelFacts *facts = nullptr;                 // takes them
};

// One thing that stands in the way, of all that the model holds.
struct ImportProblem {
  std::string node; // its name, or that of its first output; empty if the problem is not a node's
  std::string op;
  int opset = 0;
  std::string message; // what is wrong and what could be done
};
std::string toString(const ImportProblem &problem); // "node 'act' (Tanh, opset 13): not supported; ..."

// The module, or an error that sums up; `problems` then lists every one found (a file that cannot be read as a model
// is a single one). Constant subgraphs are folded, every tensor has a fixed shape. Floats of any width become float;
// an integer input is one whose first op is a Cast.
Expected<Module> importOnnx(const std::filesystem::path &path, const ImportOptions &options,
                            std::vector<ImportProblem> &problems);
// The same for a model in memory, as Protobuf; external data is refused.
Expected<Module> importOnnxBytes(std::span<const std::byte> bytes, const ImportOptions &options,
                                 std::vector<ImportProblem> &problems);
// The same for ONNX's text form.
Expected<Module> importOnnxText(const std::string &text, const ImportOptions &options,
                                std::vector<ImportProblem> &problems);

} // namespace sd
