#include "runtime/vm/TextEncoding.h"

#include <array>
#include <string_view>

namespace sd {

namespace {

using namespace std::string_view_literals;

void append(std::string &text, char32_t c) {
  const auto put = [&](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  const auto rest = [&](int shift) { put(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) return put(c);
  if (c < 0x800) return put(0xc0 | c >> 6), rest(0);
  if (c < 0x10000) return put(0xe0 | c >> 12), rest(6), rest(0);
  put(0xf0 | c >> 18), rest(12), rest(6), rest(0);
}

Expected<std::string> fromUtf16(std::string_view bytes, bool bigEndian) {
  if (bytes.size() % 2 != 0) return fail("the UTF-16 text ends inside a character; save it as UTF-8");
  const auto unit = [&](std::size_t i) {
    const auto first = static_cast<unsigned char>(bytes[i]), second = static_cast<unsigned char>(bytes[i + 1]);
    return static_cast<char32_t>(bigEndian ? first << 8 | second : second << 8 | first);
  };
  const auto isHigh = [](char32_t u) { return u >= 0xd800 && u < 0xdc00; };
  const auto isLow = [](char32_t u) { return u >= 0xdc00 && u < 0xe000; };
  std::string text;
  text.reserve(bytes.size() / 2);
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    char32_t c = unit(i);
    if (isHigh(c) && i + 2 < bytes.size() && isLow(unit(i + 2))) {
      c = 0x10000 + ((c - 0xd800) << 10) + (unit(i + 2) - 0xdc00);
      i += 2;
    } else if (isHigh(c) || isLow(c)) {
      return fail("the UTF-16 text is damaged at byte {}; save it as UTF-8", i);
    }
    append(text, c);
  }
  return text;
}

// Length of the UTF-8 character at the front of the text; 0: it is none.
std::size_t characterLength(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t length = at(0) < 0x80 ? 1 : at(0) < 0xc2 ? 0 : at(0) < 0xe0 ? 2 : at(0) < 0xf0 ? 3 : 4;
  if (length == 0 || at(0) > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((at(i) & 0xc0) != 0x80) return 0;
  if (length < 3) return length;
  const bool tooLong = (at(0) == 0xe0 && at(1) < 0xa0) || (at(0) == 0xf0 && at(1) < 0x90);
  const bool noCharacter = (at(0) == 0xed && at(1) >= 0xa0) || (at(0) == 0xf4 && at(1) >= 0x90);
  return tooLong || noCharacter ? 0 : length;
}

bool isUtf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = characterLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

// The characters of 0x80 to 0x9f, as the WHATWG's encoding standard has them.
constexpr std::array<char16_t, 32> kWindows = {0x20ac, 0x0081, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
                                               0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008d, 0x017d, 0x008f,
                                               0x0090, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                               0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x009d, 0x017e, 0x0178};

std::string fromWindows(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    const auto c = static_cast<unsigned char>(byte);
    append(text, c >= 0x80 && c < 0xa0 ? kWindows[c - 0x80] : c);
  }
  return text;
}

// Whether every other byte of the beginning is NUL and the others are not: ASCII in UTF-16.
bool alternates(std::string_view content, std::size_t nulAt) {
  const std::string_view start = content.substr(0, 64);
  if (start.size() < 2) return false;
  for (std::size_t i = 0; i < start.size(); ++i)
    if ((start[i] == 0) != (i % 2 == nulAt)) return false;
  return true;
}

// What a file is that is no text, and what to do with it.
std::string_view otherFormat(std::string_view content) {
  if (content.starts_with("PK\x03\x04"sv)) return "it is a spreadsheet or a .zip; save the table as CSV in UTF-8";
  if (content.starts_with("\xd0\xcf\x11\xe0"sv)) return "it is an old spreadsheet (.xls); save it as CSV in UTF-8";
  if (content.starts_with("\x1f\x8b"sv)) return "it is compressed; unpack it with gunzip first";
  if (content.starts_with("\x93NUMPY"sv)) return "it is a .npy file; its name must end so";
  if (content.starts_with("\xff\xfe\0\0"sv) || content.starts_with("\0\0\xfe\xff"sv))
    return "it is UTF-32; save it as UTF-8";
  return {};
}

} // namespace

Expected<DecodedText> decodeText(std::string content) {
  if (const std::string_view what = otherFormat(content); !what.empty()) return fail("{}", what);
  const bool littleMark = content.starts_with("\xff\xfe"sv), bigMark = content.starts_with("\xfe\xff"sv);
  const bool little = littleMark || alternates(content, 1), big = bigMark || alternates(content, 0);
  if (little || big) {
    SD_ASSIGN(std::string text, fromUtf16(std::string_view(content).substr(littleMark || bigMark ? 2 : 0), big));
    if (text.find('\0') != std::string::npos) return fail("it holds NUL characters, so it is no text");
    return DecodedText{std::move(text), littleMark || bigMark ? "" : "read as UTF-16"};
  }
  if (content.starts_with("\xEF\xBB\xBF"sv)) content.erase(0, 3);
  if (content.find('\0') != std::string::npos) return fail("it holds NUL bytes, so it is no text; save it as UTF-8");
  if (isUtf8(content)) return DecodedText{std::move(content), ""};
  return DecodedText{fromWindows(content), "it is not UTF-8, and was read as Windows-1252"};
}

} // namespace sd
