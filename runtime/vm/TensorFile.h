// Tensors in files: what users bring as records and take home as results.
#pragma once

#include <string>

#include "ir/core/Tensor.h"

namespace sd {

inline constexpr std::uint64_t kMaxTensorFileBytes = std::uint64_t{1} << 33;

// The whole file; an error naming it if it cannot be read or is larger than `limit` bytes.
Expected<std::string> readFile(const std::string &path, std::uint64_t limit);

// Replaces the file as one step (written beside it, then renamed); the mode is that of a new file, `mode` of chmod.
Expected<void> writeFile(const std::string &path, std::string_view content, unsigned mode = 0644);

// Reads .npy or .csv, as the name ends. Values are converted to float; errors name the file.
Expected<Tensor<float>> readTensor(const std::string &path);

} // namespace sd
