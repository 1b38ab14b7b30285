#include "ir/bytecode/ByteIo.h"

#include <bit>

#include "ir/bytecode/Format.h"

namespace sd {

namespace {

// Bytes of the valid, printable character at `at`; 0 if there is none.
std::size_t characterLength(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t first = byte(at);
  if (first < 0x80) return first >= 0x20 && first != 0x7f ? 1 : 0;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() - at < length) return 0;
  std::uint32_t code = first & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(at + i) & 0x3fu);
  }
  constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) || code < 0xa0) return 0;
  if (code == 0x2028 || code == 0x2029 || (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
    return 0; // line separators and direction marks would let a name forge the lines around it
  return length;
}

} // namespace

bool isPlainText(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = characterLength(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

std::string plainText(std::string_view text, std::size_t limit) {
  std::string plain;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = characterLength(text, at);
    if (plain.size() + std::max<std::size_t>(length, 1) > limit) break;
    if (length == 0)
      plain += '_';
    else
      plain += text.substr(at, length);
    at += std::max<std::size_t>(length, 1);
  }
  return plain;
}

void ByteWriter::putFloat(float value) { put(std::bit_cast<std::uint32_t>(value)); }
void ByteWriter::putDouble(double value) { put(std::bit_cast<std::uint64_t>(value)); }

void ByteWriter::putString(std::string_view text) {
  put(static_cast<std::uint32_t>(text.size()));
  putBytes({reinterpret_cast<const std::uint8_t *>(text.data()), text.size()});
}

Expected<Bytes> ByteReader::take(std::uint64_t count, std::string_view what) {
  if (count > left())
    return fail("byte {}: {} needs {} bytes, and {} are left: the file is cut off or corrupt", offset(), what, count,
                left());
  const Bytes taken = bytes_.subspan(position_, static_cast<std::size_t>(count));
  position_ += taken.size();
  return taken;
}

Expected<float> ByteReader::getFloat(std::string_view what) {
  SD_ASSIGN(const auto bits, get<std::uint32_t>(what));
  return std::bit_cast<float>(bits);
}

Expected<double> ByteReader::getDouble(std::string_view what) {
  SD_ASSIGN(const auto bits, get<std::uint64_t>(what));
  return std::bit_cast<double>(bits);
}

Expected<std::string> ByteReader::getString(std::string_view what) {
  const std::size_t start = offset();
  SD_ASSIGN(const auto length, getCount(format::kMaxStringBytes, 1, what));
  SD_ASSIGN(const Bytes raw, take(length, what));
  std::string text(raw.begin(), raw.end());
  if (!isPlainText(text)) return fail("byte {}: {} is not UTF-8 text without control characters", start, what);
  return text;
}

Expected<std::uint32_t> ByteReader::getCount(std::uint32_t limit, std::size_t itemBytes, std::string_view what) {
  const std::size_t start = offset();
  SD_ASSIGN(const auto count, get<std::uint32_t>(what));
  if (count > limit) return fail("byte {}: {} has {} entries; at most {} are allowed", start, what, count, limit);
  if (count > left() / itemBytes)
    return fail("byte {}: {} claims {} entries, and only {} bytes follow", start, what, count, left());
  return count;
}

Expected<void> ByteReader::end(std::string_view what) const {
  if (left() != 0) return fail("byte {}: {} bytes too many at the end of {}", offset(), left(), what);
  return {};
}

} // namespace sd
