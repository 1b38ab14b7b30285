// Little-endian bytes, out and in. The reader never looks outside its span, and says what it was reading.
#pragma once

#include <concepts>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/core/Error.h"

namespace sd {

using Bytes = std::span<const std::uint8_t>;

class ByteWriter {
public:
  template <std::integral T>
  void put(T value) {
    const auto bits = static_cast<std::make_unsigned_t<T>>(value);
    for (std::size_t i = 0; i < sizeof(T); ++i)
      bytes_.push_back(static_cast<std::uint8_t>(bits >> (8 * i)));
  }
  void putFloat(float value);
  void putDouble(double value);
  void putBytes(Bytes bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void putString(std::string_view text); // u32 length, bytes

  std::size_t size() const { return bytes_.size(); }
  const std::vector<std::uint8_t> &bytes() const { return bytes_; }
  std::vector<std::uint8_t> take() { return std::move(bytes_); }

private:
  std::vector<std::uint8_t> bytes_;
};

class ByteReader {
public:
  // `base` is the file offset of the span's first byte, for messages.
  explicit ByteReader(Bytes bytes, std::size_t base = 0) : bytes_(bytes), base_(base) {}

  template <std::integral T>
  Expected<T> get(std::string_view what) {
    SD_ASSIGN(const Bytes raw, take(sizeof(T), what));
    std::make_unsigned_t<T> bits = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i)
      bits = static_cast<std::make_unsigned_t<T>>(bits | std::make_unsigned_t<T>{raw[i]} << (8 * i));
    return static_cast<T>(bits);
  }
  Expected<float> getFloat(std::string_view what);
  Expected<double> getDouble(std::string_view what);
  Expected<std::string> getString(std::string_view what); // valid UTF-8 without control characters, or an error
  Expected<Bytes> take(std::uint64_t count, std::string_view what);

  // A u32 count of things of at least `itemBytes` each; error if above `limit` or if the rest can't hold them.
  Expected<std::uint32_t> getCount(std::uint32_t limit, std::size_t itemBytes, std::string_view what);

  std::size_t left() const { return bytes_.size() - position_; }
  std::size_t offset() const { return base_ + position_; }
  Expected<void> end(std::string_view what) const; // error if bytes are left

private:
  Bytes bytes_;
  std::size_t base_, position_ = 0;
};

// UTF-8 (shortest forms, no surrogates) without control characters: fit for a terminal.
bool isPlainText(std::string_view text);
// The same text with every offending byte replaced by '_', cut to `limit` bytes.
std::string plainText(std::string_view text, std::size_t limit);

} // namespace sd
