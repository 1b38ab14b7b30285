// How a picture becomes an input's numbers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sd {

struct ValueRange {
  double low = 0, high = 0; // both belong to it
  bool contains(double v) const { return v >= low && v <= high; }
  bool operator==(const ValueRange &) const = default;
};

// Which values of a DICOM file become black and white, after its rescale slope and intercept.
enum class WindowKind : std::uint8_t {
  Stored, // the least and the largest that the file's bits can hold
  Image,  // the image's own least and largest
  File,   // the file's first window centre and width (DICOM PS3.3 C.11.2.1.2)
  Fixed,  // `range`
};
struct ImageWindow {
  WindowKind kind = WindowKind::Stored;
  ValueRange range;
  bool operator==(const ImageWindow &) const = default;
};

enum class ImageFit : std::uint8_t {
  Stretch, // to the program's size
  Crop,    // the shorter side to its size, then the middle
  Pad,     // the longer side to its size, then black around it
};

enum class ResizeMethod : std::uint8_t {
  Bilinear, // antialiased, as Pillow and torchvision do it
  None,     // pictures of another size are refused
};

// The rescale slope and intercept of a DICOM file.
enum class RescaleUse : std::uint8_t {
  File,     // applied if the file has them
  Required, // a file without them is refused
  Ignored,  // the stored values are meant
};

enum class ImageLayout : std::uint8_t { ChannelsFirst, ChannelsLast };

// What is not said here is the user's to say, or the first of each of these lists.
struct ImageMeaning {
  std::int64_t height = 0, width = 0;
  std::vector<std::string> channels;   // such as "grey", or "red", "green", "blue"; in the tensor's order
  double black = 0, white = 1;         // the values of no light and of full light
  std::vector<double> mean, deviation; // of each channel, or none: (value - mean) / deviation comes after that
  std::optional<ImageLayout> layout;   // none: as the shape says; channels come first where it may be read both ways
  std::optional<ResizeMethod> resize;
  std::optional<ImageFit> fit;
  std::optional<ImageWindow> window;
  std::optional<RescaleUse> rescale;
  std::vector<std::string> modalities;   // of DICOM files; empty: any
  std::vector<std::string> photometrics; // likewise: "MONOCHROME2"
  bool operator==(const ImageMeaning &) const = default;

  // Of the values of one channel, and of all.
  ValueRange rangeOf(std::size_t channel) const;
  ValueRange range() const;
};

// The words of the schema and of the command line.
inline constexpr const char *kWindowWords[] = {"stored", "image", "file"};
inline constexpr const char *kFitWords[] = {"stretch", "crop", "pad"};
inline constexpr const char *kResizeWords[] = {"bilinear", "none"};
inline constexpr const char *kRescaleWords[] = {"file", "required", "ignored"};
inline constexpr const char *kLayoutWords[] = {"channels_first", "channels_last"};

std::string describe(const ImageWindow &window); // "file", or "-1000,400"

} // namespace sd
