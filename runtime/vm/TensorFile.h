// Tensors in files: what users bring as records and take home as results.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "ir/core/Tensor.h"

namespace sd {

inline constexpr std::uint64_t kMaxTensorFileBytes = std::uint64_t{1} << 33;

// Told what the user should know of a file that was read, in words that name it.
using Note = std::function<void(std::string_view)>;

// Reads .npy or .csv, as the name ends. Values are converted to float; errors name the file.
Expected<Tensor<float>> readTensor(const std::string &path, const Note &note = {});

// Writes .npy, for its owner alone; the file is replaced as one step.
Expected<void> writeTensor(const std::string &path, const Tensor<float> &tensor);

} // namespace sd
