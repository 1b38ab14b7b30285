// Tensors in files: what users bring as records and take home as results.
#pragma once

#include <string>

#include "ir/core/Tensor.h"

namespace sd {

inline constexpr std::uint64_t kMaxTensorFileBytes = std::uint64_t{1} << 33;

// Reads .npy or .csv, as the name ends. Values are converted to float; errors name the file.
Expected<Tensor<float>> readTensor(const std::string &path);

// Writes .npy; the file is replaced as one step.
Expected<void> writeTensor(const std::string &path, const Tensor<float> &tensor);

} // namespace sd
