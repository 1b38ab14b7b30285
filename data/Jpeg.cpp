#include <turbojpeg.h>

#include <memory>

#include "data/Image.h"

namespace sd {

namespace {

struct Destroy {
  void operator()(void *handle) const { tjDestroy(handle); }
};

// The Exif orientation (tag 0x0112), 1 if none is said: as it is stored.
int orientationOf(std::string_view jpeg) {
  const auto byte = [&](std::size_t at) { return at < jpeg.size() ? static_cast<unsigned char>(jpeg[at]) : 0U; };
  for (std::size_t at = 2; byte(at) == 0xFF && byte(at + 1) != 0xDA && at + 4 < jpeg.size();) {
    const std::size_t length = byte(at + 2) << 8 | byte(at + 3);
    if (byte(at + 1) != 0xE1 || jpeg.substr(at + 4, 6) != std::string_view("Exif\0\0", 6)) {
      at += 2 + std::max<std::size_t>(length, 2);
      continue;
    }
    const std::size_t tiff = at + 10;
    const bool little = byte(tiff) == 'I';
    const auto number = [&](std::size_t from, std::size_t bytes) {
      std::size_t value = 0;
      for (std::size_t i = 0; i < bytes; ++i)
        value = value << 8 | byte(from + (little ? bytes - 1 - i : i));
      return value;
    };
    const std::size_t directory = tiff + number(tiff + 4, 4), entries = number(directory, 2);
    for (std::size_t i = 0; i < entries && directory + 2 + 12 * i + 12 <= jpeg.size(); ++i)
      if (number(directory + 2 + 12 * i, 2) == 0x0112) return static_cast<int>(number(directory + 2 + 12 * i + 8, 2));
    return 1;
  }
  return 1;
}

} // namespace

Expected<Image> readJpeg(std::string_view content, const ImageMeaning &meaning) {
  const std::unique_ptr<void, Destroy> handle(tjInitDecompress());
  if (!handle) return fail(ErrorKind::Resources, "no memory for a JPEG file");
  const auto *bytes = reinterpret_cast<const unsigned char *>(content.data());
  int width = 0, height = 0, sampling = 0, space = 0;
  const auto damaged = [&] { return fail("a damaged JPEG file: {}", tjGetErrorStr2(handle.get())); };
  if (tjDecompressHeader3(handle.get(), bytes, content.size(), &width, &height, &sampling, &space) != 0)
    return damaged();
  SD_TRY(checkPixels(height, width));
  if (space != TJCS_GRAY && space != TJCS_YCbCr && space != TJCS_RGB)
    return fail("the image is in CMYK, which is for printing; convert it to RGB");
  const bool colour = space != TJCS_GRAY;
  SD_TRY(checkColour(colour, meaning));
  if (const int orientation = orientationOf(content); orientation > 1 && orientation <= 8)
    return fail("the photograph is stored turned (Exif orientation {}): turn its pixels first, such as by "
                "'exiftran -a' or 'convert -auto-orient'",
                orientation);
  const std::size_t channels = colour ? 3 : 1;
  std::vector<unsigned char> pixels(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * channels);
  // A warning, such as of a file that ends too early, is an error here: what is missing would be grey.
  if (tjDecompress2(handle.get(), bytes, content.size(), pixels.data(), width, 0, height, colour ? TJPF_RGB : TJPF_GRAY,
                    TJFLAG_ACCURATEDCT) != 0)
    return damaged();
  Image image{height, width, static_cast<std::int64_t>(channels), {}};
  image.light.reserve(pixels.size());
  for (const unsigned char pixel : pixels)
    image.light.push_back(static_cast<float>(pixel) / 255.0f);
  return image;
}

} // namespace sd
