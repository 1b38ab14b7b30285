// What a user says of image files, beside what the program's schema says of its image.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/bytecode/Schema.h"

namespace sd {

// Which stored values of a DICOM file become black and white, after its rescale slope and intercept.
enum class WindowKind : std::uint8_t {
  Stored, // the least and the largest that the file's bits can hold
  Image,  // the image's own least and largest
  File,   // the file's first window centre and width (DICOM PS3.3 C.11.2.1.2)
  Fixed,  // `range`
};
struct ImageWindow {
  WindowKind kind = WindowKind::Stored;
  ValueRange range;
};

enum class ImageFit : std::uint8_t {
  Stretch, // to the program's size
  Crop,    // the shorter side to its size, then the middle
  Pad,     // the longer side to its size, then black around it
};

struct ImageOptions {
  std::vector<std::string> modalities; // of DICOM files; empty: any
  ImageWindow window;
  ImageFit fit = ImageFit::Stretch;
};

// "stored", "image", "file" or "LO,HI".
Expected<ImageWindow> parseWindow(const std::string &text);

} // namespace sd
