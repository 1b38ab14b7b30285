// What the importer's tests share: evaluating a module, reading vectors, finding the reference models.
#pragma once

#include <filesystem>
#include <optional>

#include "compiler/onnx/Import.h"

namespace sd::testing {

// The module's outputs in floats, from one tensor an input, in order.
Expected<std::vector<Tensor<float>>> evaluate(const Module &module, const std::vector<Tensor<float>> &inputs);

// The largest |a - b| / max(1, |b|); infinity if the shapes differ.
double distance(const Tensor<float> &a, const Tensor<float> &b);

Tensor<float> readNpyFile(const std::filesystem::path &path);
Expected<Tensor<float>> parseTensor(const std::string &bytes); // a serialised TensorProto; integers become floats
Tensor<float> readPbFile(const std::filesystem::path &path);
std::string readFile(const std::filesystem::path &path);

// Files NAME_0.SUFFIX, NAME_1.SUFFIX, ... of a folder.
std::vector<std::filesystem::path> numbered(const std::filesystem::path &folder, const std::string &name,
                                            const std::string &suffix);

// The folder `shared` of reference models beside the checkout, or what the environment's SD_SHARED names. Without it
// says loudly that the test is skipped.
std::optional<std::filesystem::path> sharedFolder();

std::string joined(const std::vector<ImportProblem> &problems);

} // namespace sd::testing
