// From a model file to a lowered, scheduled module; codegen/Codegen.h takes it from there.
#pragma once

#include <filesystem>
#include <optional>

#include "compiler/onnx/Import.h"
#include "passes/PassManager.h"

namespace sd {

struct ModelOptions {
  std::optional<std::int64_t> batch;                            // of a dynamic first dimension
  std::map<std::string, Shape> shapes;                          // of inputs with dynamic ones; "": of the only input
  std::optional<std::pair<double, double>> inputRange;          // every input's values lie in it
  std::map<std::string, std::pair<double, double>> inputRanges; // of single inputs, in its place
  std::optional<int> ringBits;                                  // isRingBits(); else the module's own, and 32 for ONNX
  std::vector<std::string> *remarks = nullptr; // takes what the program gives other than the model says
  ModelFacts *facts = nullptr;                 // takes what the file says beside its graph
};

// Reads a model by its name's ending: .onnx, .onnxtext, or .sdir (the IR's text); by its beginning for other endings.
// An error lists all that stands in the way, a line each.
Expected<Module> loadModel(const std::filesystem::path &path, const ModelOptions &options);

struct LowerOptions {
  std::vector<const Pass *> passes;
  PassManagerOptions manager;
};

// Runs the passes on a module. Warnings and the range report are left in `context`.
Expected<Module> lower(Module module, const LowerOptions &options, PassContext &context);

// s of a scale N = 2^s; error unless N is a power of two from 2 to 65536.
Expected<int> scaleBitsOf(std::int64_t scale);
// The same of weights: up to 2^24.
Expected<int> weightScaleBitsOf(std::int64_t scale);

// "lan", "wan" or "rtt=MS,bandwidth=MBIT".
Expected<NetworkProfile> parseNetwork(std::string_view text);

// "6x1x3" for the only input or "NAME=6x1x3" for one; sizes of at least 1. Error if that has been given already.
Expected<void> addShape(std::string_view text, ModelOptions &options);

// Finite 32-bit floats, the lower first.
Expected<void> checkInputRange(std::pair<double, double> range);

// "LO,HI" for all inputs or "NAME=LO,HI" for one; finite, LO <= HI. Error if that has been given already.
Expected<void> addInputRange(std::string_view text, ModelOptions &options);

} // namespace sd
