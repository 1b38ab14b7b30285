// Pictures as files hold them, and as an input takes them.
#pragma once

#include <string_view>
#include <vector>

#include "data/ImageOptions.h"
#include "data/Origin.h"
#include "ir/core/Tensor.h"

namespace sd {

// No picture has more pixels than this; readers refuse larger ones before they take memory.
inline constexpr std::int64_t kMaxPixels = std::int64_t{1} << 26;

struct Image {
  std::int64_t height = 0, width = 0, channels = 1; // 1: grey; 3: red, green, blue
  std::vector<float> light;                         // row by row, a pixel's channels together; 0: none, 1: full
};

// What a file holds, and who it is of.
struct ImageFile {
  Image image;
  std::optional<DicomStudy> study; // of a DICOM file
};

enum class ImageFormat { None, Png, Jpeg, Dicom };

// By the first bytes. DICOM without its preamble is known by its first element, of the groups 0002 or 0008.
ImageFormat imageFormatOf(std::string_view content);

// Whether an image has the channels red, green and blue, or blue, green and red; else each of its channels is grey.
bool isColour(const ImageMeaning &meaning);

// Each refuses damaged files, and what `meaning` does not want, with the cause. Pixels become light by their bits'
// largest value, as Pillow's ToTensor does: gamma and colour profiles are not applied. Refused too: pixels that are
// transparent, CMYK, and photographs that are to be turned before they are shown.
Expected<Image> readPng(std::string_view content, const ImageMeaning &meaning);
Expected<Image> readJpeg(std::string_view content, const ImageMeaning &meaning);

// With the rescale slope and the window; MONOCHROME1 is inverted. Refused: another modality or photometric
// interpretation, several frames, what has no pixels or not the slope that is required, tables in the place of slope or
// window, compressions that DCMTK does not know (JPEG 2000).
Expected<ImageFile> readDicom(std::string_view content, const ImageMeaning &meaning);
bool hasDicom(); // whether this build reads DICOM

// Antialiased bilinear, as Pillow's Image.resize() and torchvision's Resize do it; nothing is rounded between.
Image resize(const Image &image, std::int64_t height, std::int64_t width);

// A PNG file of the picture, of at most 128 x 128 pixels.
Expected<std::string> thumbnailOf(const Image &image);

// The numbers of one record, [1, elements], in the order of `shape`: an input's, of one image with or without further
// dimensions of 1. Errors: grey for colour or the reverse, a size or a form that the picture can't be brought to
// without inventing or distorting it.
Expected<Tensor<float>> prepareImage(const Image &image, const ImageMeaning &meaning, const Shape &shape);

// Refuses colour where grey is wanted and the reverse.
Expected<void> checkColour(bool colour, const ImageMeaning &meaning);
Expected<void> checkPixels(std::int64_t height, std::int64_t width);

} // namespace sd
