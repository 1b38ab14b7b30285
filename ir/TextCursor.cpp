#include "ir/TextCursor.h"

#include <bit>
#include <charconv>
#include <cmath>

namespace sd {

namespace {

bool isWordByte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
         c == '$' || c == '-' || c == '+';
}

template <class T, class... Format>
bool readWhole(std::string_view text, T &value, Format... format) {
  const char *end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, value, format...);
  return error == std::errc() && stop == end;
}

template <class Float, class Bits>
std::string print(Float value) {
  if (std::isfinite(value)) return fmt::format("{}", value);
  return fmt::format("0x{:0{}x}", std::bit_cast<Bits>(value), 2 * sizeof(Bits));
}

} // namespace

std::string printNumber(float value) { return print<float, std::uint32_t>(value); }
std::string printNumber(double value) { return print<double, std::uint64_t>(value); }

std::string printString(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      result += {'\\', c};
    else if (byte < 0x20 || byte == 0x7f)
      result += fmt::format("\\x{:02x}", byte);
    else
      result += c;
  }
  return result + '"';
}

std::nullopt_t TextCursor::fail(std::size_t begin, std::size_t length, std::string message) {
  if (!failure_) failure_ = Failure{begin, std::max<std::size_t>(length, 1), std::move(message)};
  return std::nullopt;
}

void TextCursor::skipSpace() {
  while (at_ < line_.size() && (line_[at_] == ' ' || line_[at_] == '\t' || line_[at_] == '\r'))
    ++at_;
  if (line_.substr(at_).starts_with("//")) at_ = line_.size();
}

bool TextCursor::atEnd() { return position() == line_.size(); }

std::size_t TextCursor::position() {
  skipSpace();
  return at_;
}

bool TextCursor::accept(std::string_view punctuation) {
  skipSpace();
  if (!line_.substr(at_).starts_with(punctuation)) return false;
  at_ += punctuation.size();
  return true;
}

bool TextCursor::expect(std::string_view punctuation) {
  if (accept(punctuation)) return true;
  fail(at_, 1, fmt::format("expected '{}'", punctuation));
  return false;
}

std::string_view TextCursor::word() {
  skipSpace();
  const std::size_t begin = at_;
  while (at_ < line_.size() && isWordByte(line_[at_]))
    ++at_;
  return line_.substr(begin, at_ - begin);
}

std::optional<std::int64_t> TextCursor::integer() {
  const std::size_t begin = position();
  const std::string_view text = word();
  std::int64_t value = 0;
  if (!readWhole(text, value)) return fail(begin, text.size(), "expected an integer of at most 64 bits");
  return value;
}

template <class Float>
std::optional<Float> TextCursor::number() {
  using Bits = std::conditional_t<sizeof(Float) == 4, std::uint32_t, std::uint64_t>;
  const std::size_t begin = position();
  const std::string_view text = word();
  if (text.starts_with("0x")) {
    Bits bits = 0;
    if (text.size() != 2 + 2 * sizeof(Bits) || !readWhole(text.substr(2), bits, 16))
      return fail(begin, text.size(), fmt::format("expected {} hexadecimal digits", 2 * sizeof(Bits)));
    return std::bit_cast<Float>(bits);
  }
  Float value = 0;
  if (!readWhole(text, value) || !std::isfinite(value))
    return fail(begin, text.size(), "expected a number in the type's range, or 0x and its bits");
  return value;
}
template std::optional<float> TextCursor::number<float>();
template std::optional<double> TextCursor::number<double>();

std::optional<std::size_t> TextCursor::closingQuote() {
  for (std::size_t i = at_ + 1; i < line_.size(); ++i) {
    if (line_[i] == '"') return i;
    if (line_[i] == '\\') ++i;
  }
  return fail(at_, line_.size() - at_, "a string without its closing quote");
}

std::optional<std::string> TextCursor::string() {
  const std::size_t begin = position();
  if (!line_.substr(begin).starts_with('"')) return fail(begin, 1, "expected a string in quotes");
  const auto end = closingQuote();
  if (!end) return std::nullopt;
  std::string value;
  for (std::size_t i = begin + 1; i < *end; ++i) {
    if (line_[i] != '\\') {
      value += line_[i];
      continue;
    }
    const std::string_view escape = line_.substr(i + 1, *end - i - 1);
    unsigned char byte = 0;
    if (escape.starts_with('"') || escape.starts_with('\\'))
      value += escape[0], i += 1;
    else if (escape.size() >= 3 && escape[0] == 'x' && readWhole(escape.substr(1, 2), byte, 16))
      value += static_cast<char>(byte), i += 3;
    else
      return fail(i, 2, "unknown escape; there are \\\", \\\\ and \\xHH");
  }
  at_ = *end + 1;
  return value;
}

std::optional<std::string_view> TextCursor::hexString() {
  const std::size_t begin = position();
  if (!line_.substr(begin).starts_with('"')) return fail(begin, 1, "expected hexadecimal digits in quotes");
  const auto end = closingQuote();
  if (!end) return std::nullopt;
  at_ = *end + 1;
  return line_.substr(begin + 1, *end - begin - 1);
}

std::optional<Shape> TextCursor::shape() {
  const std::size_t begin = position();
  const std::string_view text = word();
  if (text == "scalar") return Shape{};
  Shape dims;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t to = std::min(text.find('x', from), text.size());
    std::int64_t dim = 0;
    if (!readWhole(text.substr(from, to - from), dim))
      return fail(begin, text.size(), "expected a shape such as 1x3x32x32, or scalar");
    dims.push_back(dim);
    from = to + 1;
  }
  if (auto count = checkedElementCount(dims); !count) return fail(begin, text.size(), count.error().message);
  return dims;
}

std::optional<Type> TextCursor::type() {
  const std::size_t begin = position();
  const std::string_view holder = word();
  Type type;
  if (holder == "weight")
    type.holder = Holder::Weight;
  else if (holder == "share")
    type.holder = Holder::Share;
  else if (holder != "clear")
    return fail(begin, holder.size(), "expected a type: clear<...>, weight<..., 2^s> or share<..., 2^s>");
  if (!expect("<")) return std::nullopt;
  auto dims = shape();
  if (!dims) return std::nullopt;
  type.shape = *std::move(dims);
  if (type.holder != Holder::Clear) {
    if (!expect(",") || !expect("2^")) return std::nullopt;
    const std::size_t at = position();
    const auto scale = integer();
    if (!scale) return std::nullopt;
    if (*scale < -kMaxScale || *scale > kMaxScale)
      return fail(at, at_ - at, fmt::format("a scale is from 2^-{0} to 2^{0}", kMaxScale));
    type.scale = static_cast<int>(*scale);
  }
  if (!expect(">")) return std::nullopt;
  return type;
}

std::optional<std::vector<std::int64_t>> TextCursor::integers() {
  if (!expect("[")) return std::nullopt;
  std::vector<std::int64_t> values;
  if (accept("]")) return values;
  do {
    const auto value = integer();
    if (!value) return std::nullopt;
    values.push_back(*value);
  } while (accept(","));
  if (!expect("]")) return std::nullopt;
  return values;
}

std::optional<std::vector<std::string>> TextCursor::strings() {
  if (!expect("[")) return std::nullopt;
  std::vector<std::string> values;
  if (accept("]")) return values;
  do {
    auto value = string();
    if (!value) return std::nullopt;
    values.push_back(*std::move(value));
  } while (accept(","));
  if (!expect("]")) return std::nullopt;
  return values;
}

} // namespace sd
