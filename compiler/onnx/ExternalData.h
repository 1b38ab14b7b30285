// Weights that a model keeps in files beside it: only regular files below the model's own folder are read.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

#include "ir/core/Error.h"

namespace sd {

struct ExternalPart {
  std::string location; // relative to the model's folder
  std::uint64_t offset = 0;
  std::uint64_t length = 0; // bytes; 0: as many as the tensor needs
};

class ExternalData {
public:
  ExternalData() = default; // a model without a folder: refuses every reference
  explicit ExternalData(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Where `location` leads; refuses absolute paths, "..", and links out of the folder.
  Expected<std::filesystem::path> resolve(const std::string &location) const;
  // Whether `size` bytes can be read from the part: its length, if given, must be that, and the file must hold them.
  Expected<std::filesystem::path> check(const ExternalPart &part, std::uint64_t size) const;
  // Fills `bytes` from the part, after the same checks.
  Expected<void> read(const ExternalPart &part, std::span<std::byte> bytes) const;

private:
  std::filesystem::path folder_;
};

} // namespace sd
