#include <png.h>

#include <csetjmp>
#include <cstring>

#include "data/Image.h"

namespace sd {

namespace {

struct Source {
  std::string_view left;
  char error[200] = "";
};

void readBytes(png_structp png, png_bytep to, png_size_t count) {
  auto &source = *static_cast<Source *>(png_get_io_ptr(png));
  if (source.left.size() < count) png_error(png, "it ends too early");
  std::memcpy(to, source.left.data(), count);
  source.left.remove_prefix(count);
}

[[noreturn]] void onError(png_structp png, png_const_charp message) {
  auto &source = *static_cast<Source *>(png_get_error_ptr(png));
  std::strncpy(source.error, message, sizeof source.error - 1);
  png_longjmp(png, 1);
}
void onWarning(png_structp, png_const_charp) {}

struct Header {
  png_uint_32 height = 0, width = 0;
  int bits = 0, type = 0;
  bool transparency = false;
};

// Both return false after an error, which is in Source. A longjmp passes no destructor: they have none.
bool readHeader(png_structp png, png_infop info, Header *header) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_read_info(png, info);
  header->width = png_get_image_width(png, info), header->height = png_get_image_height(png, info);
  header->bits = png_get_bit_depth(png, info), header->type = png_get_color_type(png, info);
  header->transparency = png_get_valid(png, info, PNG_INFO_tRNS) != 0;
  png_set_expand(png); // palettes, fewer than 8 bits, transparency
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  return true;
}
bool readRows(png_structp png, png_infop info, png_bytep *rows) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_read_image(png, rows);
  png_read_end(png, info);
  return true;
}

Expected<Image> imageOf(png_structp png, png_infop info, Source &source, const ImageMeaning &meaning) {
  const auto damaged = [&] { return fail("a damaged PNG file: {}", source.error); };
  Header header;
  if (!readHeader(png, info, &header)) return damaged();
  const bool colour = (header.type & PNG_COLOR_MASK_COLOR) != 0;
  const bool alpha = (header.type & PNG_COLOR_MASK_ALPHA) != 0 || header.transparency;
  SD_TRY(checkPixels(header.height, header.width));
  SD_TRY(checkColour(colour, meaning));
  const std::size_t rowBytes = png_get_rowbytes(png, info);
  std::vector<png_byte> bytes(rowBytes * header.height);
  std::vector<png_bytep> rows;
  for (std::size_t y = 0; y < header.height; ++y)
    rows.push_back(bytes.data() + y * rowBytes);
  if (!readRows(png, info, rows.data())) return damaged();
  const bool wide = header.bits == 16;
  const std::size_t stored = png_get_channels(png, info), kept = colour ? 3 : 1;
  const std::size_t pixels = std::size_t{header.height} * header.width;
  const auto at = [&](std::size_t i) {
    return wide ? static_cast<unsigned>(bytes[2 * i] << 8 | bytes[2 * i + 1]) : unsigned{bytes[i]};
  };
  const unsigned most = wide ? 65535 : 255;
  Image image{header.height, header.width, static_cast<std::int64_t>(kept), {}};
  image.light.resize(pixels * kept);
  for (std::size_t p = 0; p < pixels; ++p) {
    if (alpha && at(p * stored + kept) != most) return fail("the image is transparent in places: what is behind it?");
    for (std::size_t c = 0; c < kept; ++c)
      image.light[p * kept + c] = static_cast<float>(at(p * stored + c)) / static_cast<float>(most);
  }
  return image;
}

} // namespace

Expected<Image> readPng(std::string_view content, const ImageMeaning &meaning) {
  Source source{content};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, onError, onWarning);
  png_infop info = png ? png_create_info_struct(png) : nullptr;
  if (!info) {
    png_destroy_read_struct(&png, nullptr, nullptr);
    return fail(ErrorKind::Resources, "no memory for a PNG file");
  }
  png_set_read_fn(png, &source, readBytes);
  Expected<Image> image = imageOf(png, info, source, meaning);
  png_destroy_read_struct(&png, &info, nullptr);
  return image;
}

} // namespace sd
