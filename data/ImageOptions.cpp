#include "data/ImageOptions.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace sd {

namespace {

template <class... Args>
tl::unexpected<Error> contradiction(fmt::format_string<Args...> format, Args &&...args) {
  return fail(ErrorKind::Usage, "{}; leave the option out", fmt::format(format, std::forward<Args>(args)...));
}

} // namespace

Expected<ImageMeaning> preparationOf(const ImageMeaning &meaning, const ImageOptions &options) {
  ImageMeaning all = meaning;
  if (options.window && meaning.window && *options.window != *meaning.window)
    return contradiction("--window {}: the program's schema says {}", describe(*options.window),
                         describe(*meaning.window));
  if (options.window) all.window = options.window;
  const auto word = [](ImageFit fit) { return kFitWords[static_cast<std::size_t>(fit)]; };
  if (options.fit && meaning.fit && *options.fit != *meaning.fit)
    return contradiction("--fit {}: the program's schema says {}", word(*options.fit), word(*meaning.fit));
  if (options.fit && meaning.resize == ResizeMethod::None && *options.fit != ImageFit::Stretch)
    return contradiction("--fit {}: the program's schema says that images are not resized", word(*options.fit));
  if (options.fit) all.fit = options.fit;
  for (const std::string &modality : options.modalities)
    if (!meaning.modalities.empty() && std::ranges::find(meaning.modalities, modality) == meaning.modalities.end())
      return contradiction("--modality {}: the program's schema says {}", modality,
                           fmt::join(meaning.modalities, ", "));
  if (!options.modalities.empty()) all.modalities = options.modalities;
  return all;
}

Expected<ImageWindow> parseWindow(const std::string &text) {
  if (text == "stored") return ImageWindow{};
  if (text == "image") return ImageWindow{WindowKind::Image, {}};
  if (text == "file") return ImageWindow{WindowKind::File, {}};
  ImageWindow window{WindowKind::Fixed, {}};
  const char *const end = text.data() + text.size();
  const auto low = std::from_chars(text.data(), end, window.range.low);
  if (low.ec == std::errc{} && low.ptr != end && *low.ptr == ',') {
    const auto high = std::from_chars(low.ptr + 1, end, window.range.high);
    if (high.ec == std::errc{} && high.ptr == end && std::isfinite(window.range.low) &&
        std::isfinite(window.range.high) && window.range.low < window.range.high)
      return window;
  }
  return fail("a window is stored, file, image or LO,HI, two numbers with LO below HI, not '{}'", text);
}

} // namespace sd
