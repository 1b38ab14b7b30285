#include <algorithm>
#include <cmath>

#include "data/Image.h"

namespace sd {

namespace {

constexpr double kMostEnlarged = 2; // a pixel that is made of less than half a pixel is invented
constexpr double kMostDistorted = 1.5;

std::string sizeOf(const Image &image) { return fmt::format("{} x {} pixels", image.height, image.width); }

ImageFit fitOf(const ImageMeaning &meaning) { return meaning.fit.value_or(ImageFit::Stretch); }

struct Size {
  std::int64_t height, width;
};

// The size before the middle is cut out, or black is put around.
Size sizeBefore(const Image &image, const ImageMeaning &meaning) {
  const std::int64_t h = image.height, w = image.width;
  const ImageFit fit = fitOf(meaning);
  if (fit == ImageFit::Stretch) return {meaning.height, meaning.width};
  const bool byHeight = (meaning.height * w >= meaning.width * h) == (fit == ImageFit::Crop);
  if (byHeight) return {meaning.height, std::max<std::int64_t>(1, meaning.height * w / h)};
  return {std::max<std::int64_t>(1, meaning.width * h / w), meaning.width};
}

Expected<void> checkSize(const Image &image, const ImageMeaning &meaning, Size size) {
  const bool isSame = image.height == meaning.height && image.width == meaning.width;
  if (meaning.resize == ResizeMethod::None && !isSame)
    return fail("the image has {}, and the program takes {} x {} alone: its schema says that images are not resized",
                sizeOf(image), meaning.height, meaning.width);
  const double down = static_cast<double>(size.height) / static_cast<double>(image.height),
               across = static_cast<double>(size.width) / static_cast<double>(image.width);
  if (std::max(down, across) > kMostEnlarged)
    return fail("the image has {}, which is too small: the program takes {} x {}, and pixels would have to be invented",
                sizeOf(image), meaning.height, meaning.width);
  if (fitOf(meaning) == ImageFit::Stretch && std::max(down / across, across / down) > kMostDistorted)
    return fail("the image has {}, which is another form than the program's {} x {}: it would be distorted; --fit crop "
                "cuts out its middle, --fit pad puts black around it, where the schema leaves that open",
                sizeOf(image), meaning.height, meaning.width);
  return checkPixels(size.height, size.width);
}

// Python's round(n / 2): to even.
std::int64_t halfToEven(std::int64_t n) { return n / 2 + (n % 2 != 0 && (n / 2) % 2 != 0 ? 1 : 0); }

Image fitted(const Image &image, const ImageMeaning &meaning, Size size) {
  Image scaled =
      size.height == image.height && size.width == image.width ? image : resize(image, size.height, size.width);
  if (scaled.height == meaning.height && scaled.width == meaning.width) return scaled;
  const bool crop = fitOf(meaning) == ImageFit::Crop;
  const std::int64_t dy = crop ? halfToEven(scaled.height - meaning.height) : -((meaning.height - scaled.height) / 2),
                     dx = crop ? halfToEven(scaled.width - meaning.width) : -((meaning.width - scaled.width) / 2);
  Image result{meaning.height, meaning.width, image.channels, {}};
  result.light.assign(static_cast<std::size_t>(meaning.height * meaning.width * image.channels), 0);
  for (std::int64_t y = 0; y < meaning.height; ++y)
    for (std::int64_t x = 0; x < meaning.width; ++x) {
      const std::int64_t sy = y + dy, sx = x + dx;
      if (sy < 0 || sx < 0 || sy >= scaled.height || sx >= scaled.width) continue;
      for (std::int64_t k = 0; k < image.channels; ++k)
        result.light[static_cast<std::size_t>((y * meaning.width + x) * image.channels + k)] =
            scaled.light[static_cast<std::size_t>((sy * scaled.width + sx) * image.channels + k)];
    }
  return result;
}

bool isReversed(const ImageMeaning &meaning) {
  return meaning.channels.front().starts_with('b') || meaning.channels.front().starts_with('B');
}

// Whether a pixel's channels come together. Where the shape may be read both ways, channels come first, as in ONNX.
bool channelsLast(const ImageMeaning &meaning, const Shape &shape) {
  if (meaning.layout) return *meaning.layout == ImageLayout::ChannelsLast;
  const Shape first{static_cast<std::int64_t>(meaning.channels.size()), meaning.height, meaning.width};
  const auto isFirst = [&](std::size_t skip) {
    return shape.size() >= skip && Shape(shape.begin() + static_cast<std::ptrdiff_t>(skip), shape.end()) == first;
  };
  return !isFirst(0) && !isFirst(1);
}

} // namespace

bool isColour(const ImageMeaning &meaning) {
  using Names = std::vector<std::string>;
  const Names &names = meaning.channels;
  return names == Names{"red", "green", "blue"} || names == Names{"r", "g", "b"} || names == Names{"R", "G", "B"} ||
         names == Names{"blue", "green", "red"} || names == Names{"b", "g", "r"} || names == Names{"B", "G", "R"};
}

Expected<void> checkColour(bool colour, const ImageMeaning &meaning) {
  if (colour && !isColour(meaning))
    return fail("the image is in colour, and the program takes grey; if the picture has no colours but is stored so, "
                "convert it to grey");
  if (!colour && isColour(meaning)) return fail("the image is grey, and the program takes colour");
  return {};
}

Expected<void> checkPixels(std::int64_t height, std::int64_t width) {
  if (height >= 1 && width >= 1 && height <= kMaxPixels && width <= kMaxPixels / height) return {};
  return fail("an image of {} x {} pixels; at most {} in all are read", height, width, kMaxPixels);
}

Expected<Tensor<float>> prepareImage(const Image &image, const ImageMeaning &meaning, const Shape &shape) {
  SD_TRY(checkColour(image.channels == 3, meaning));
  const Size size = sizeBefore(image, meaning);
  SD_TRY(checkSize(image, meaning, size));
  const Image ready = fitted(image, meaning, size);
  const std::size_t channels = meaning.channels.size(), given = static_cast<std::size_t>(image.channels);
  const std::size_t pixels = ready.light.size() / given;
  const bool last = channelsLast(meaning, shape), reversed = isColour(meaning) && isReversed(meaning);
  Tensor<float> tensor(Shape{1, static_cast<std::int64_t>(channels * pixels)});
  for (std::size_t c = 0; c < channels; ++c) {
    const ValueRange range = meaning.rangeOf(c);
    const double mean = meaning.mean.empty() ? 0 : meaning.mean[c],
                 deviation = meaning.mean.empty() ? 1 : meaning.deviation[c];
    const std::size_t from = given == 1 ? 0 : reversed ? channels - 1 - c : c;
    for (std::size_t p = 0; p < pixels; ++p) {
      const double light = std::clamp<double>(ready.light[p * given + from], 0, 1);
      const double value = (meaning.black + light * (meaning.white - meaning.black) - mean) / deviation;
      tensor.data[last ? p * channels + c : c * pixels + p] =
          static_cast<float>(std::clamp(value, range.low, range.high));
    }
  }
  return tensor;
}

} // namespace sd
