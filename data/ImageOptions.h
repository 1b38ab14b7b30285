// What a user says of image files where the program's schema says nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ir/bytecode/Schema.h"

namespace sd {

struct ImageOptions {
  std::vector<std::string> modalities; // of DICOM files; empty: any
  std::optional<ImageWindow> window;
  std::optional<ImageFit> fit;
};

// How images are prepared: as the schema says, then as the user does. Usage errors: the two contradict each other.
// Modalities may be fewer than the schema's.
Expected<ImageMeaning> preparationOf(const ImageMeaning &meaning, const ImageOptions &options);

// "stored", "image", "file" or "LO,HI".
Expected<ImageWindow> parseWindow(const std::string &text);

} // namespace sd
