#include <png.h>

#include <algorithm>
#include <cmath>

#include "data/Image.h"

namespace sd {

namespace {
constexpr std::int64_t kLargest = 128;
}

Expected<std::string> thumbnailOf(const Image &image) {
  const std::int64_t longer = std::max(image.height, image.width);
  const auto shrunk = [&](std::int64_t side) { return std::max<std::int64_t>(1, side * kLargest / longer); };
  const Image small = longer > kLargest ? resize(image, shrunk(image.height), shrunk(image.width)) : image;
  std::string pixels;
  for (const float light : small.light)
    pixels += static_cast<char>(std::lround(std::clamp(light, 0.0F, 1.0F) * 255));
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(small.width), png.height = static_cast<png_uint_32>(small.height);
  png.format = small.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  std::string file(PNG_IMAGE_PNG_SIZE_MAX(png), '\0');
  png_alloc_size_t bytes = file.size();
  if (png_image_write_to_memory(&png, file.data(), &bytes, 0, pixels.data(), 0, nullptr) == 0)
    return fail(ErrorKind::Resources, "no thumbnail: {}", png.message);
  file.resize(bytes);
  return file;
}

} // namespace sd
