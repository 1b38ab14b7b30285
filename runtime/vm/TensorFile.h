// Tensors in files: what users bring as records and take home as results.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "runtime/vm/Csv.h"

namespace sd {

inline constexpr std::uint64_t kMaxTensorFileBytes = std::uint64_t{1} << 33;

// Told what the user should know of a file that was read, in words that name it.
using Note = std::function<void(std::string_view)>;

enum class TensorFormat { Npy, Table };

// A file's bytes, and what they are: .npy, or a table in .csv or .tsv, as the name ends, in upper case too. "-": the
// standard input, .npy if it begins so, else a table.
struct TensorFile {
  std::string path; // for messages
  TensorFormat format = TensorFormat::Npy;
  bool tabs = false; // .tsv
  std::string content;
};
Expected<TensorFile> openTensorFile(const std::string &path);

// The table, with tabs between the cells if the file's name says so and `options` does not say otherwise.
Expected<CsvReader> openTable(TensorFile file, const CsvOptions &options);

// Reads a file. Values are converted to float; errors name the file.
Expected<Tensor<float>> readTensor(const std::string &path, const CsvOptions &options = {}, const Note &note = {});

// Writes .npy, for its owner alone; the file is replaced as one step.
Expected<void> writeTensor(const std::string &path, const Tensor<float> &tensor);

} // namespace sd
