#include "ir/TextAttrs.h"

#include <algorithm>
#include <bit>
#include <concepts>
#include <type_traits>

namespace sd {

namespace {

// A constant whose elements are not in the text must not make the parser take memory without bound.
constexpr std::int64_t kMaxSplat = std::int64_t{1} << 26;

std::string element(float value) { return printNumber(value); }
std::string element(std::integral auto value) { return fmt::format("{}", value); }

template <class T>
using BitsOf = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;

template <class T>
std::string printTensor(std::string_view keyword, const Tensor<T> &tensor, bool elide) {
  std::string text = fmt::format("{}<{}> ", keyword, toString(tensor.shape));
  auto bits = [](T v) { return std::bit_cast<BitsOf<T>>(v); };
  if (tensor.size() <= kListedElements) {
    text += "[";
    for (std::int64_t i = 0; i < tensor.size(); ++i)
      text += (i > 0 ? ", " : "") + element(tensor.data[i]);
    return text + "]";
  }
  if (tensor.size() <= kMaxSplat &&
      std::ranges::all_of(tensor.data, [&](T v) { return bits(v) == bits(tensor.data[0]); }))
    return text + "splat " + element(tensor.data[0]);
  if (elide) return text + "elided";
  text += "hex \"";
  constexpr std::size_t digits = 2 * sizeof(T);
  text.reserve(text.size() + digits * tensor.data.size() + 1);
  for (T v : tensor.data)
    for (std::size_t digit = digits; digit-- > 0;)
      text += "0123456789abcdef"[bits(v) >> 4 * digit & 15];
  return text + '"';
}

template <class T>
std::optional<T> parseElement(TextCursor &cursor) {
  if constexpr (std::is_same_v<T, float>) {
    return cursor.number<float>();
  } else {
    return cursor.integer();
  }
}

int hexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

template <class T>
std::optional<std::vector<T>> parseHex(TextCursor &cursor, std::int64_t count) {
  const std::size_t begin = cursor.position();
  const auto text = cursor.hexString();
  if (!text) return std::nullopt;
  const bool wide = sizeof(T) == 8 && count > 0 && static_cast<std::int64_t>(text->size()) == 16 * count;
  const std::size_t digits = wide ? 16 : 8;
  if (text->size() != digits * static_cast<std::size_t>(count))
    return cursor.fail(begin, text->size() + 2,
                       fmt::format("expected {} digits, {} an element, not {}", 8 * count,
                                   sizeof(T) == 8 ? "8 (or twice as many, 16)" : "8", text->size()));
  std::vector<T> values(count);
  for (std::size_t i = 0; i < text->size(); i += digits) {
    BitsOf<T> bits = 0;
    for (std::size_t k = i; k < i + digits; ++k) {
      const int digit = hexDigit((*text)[k]);
      if (digit < 0) return cursor.fail(begin + 1 + k, 1, "expected a digit of 0 to 9 or a to f");
      bits = bits << 4 | static_cast<BitsOf<T>>(digit);
    }
    if (sizeof(T) == 8 && !wide) bits = static_cast<BitsOf<T>>(static_cast<std::int32_t>(bits)); // its sign
    values[i / digits] = std::bit_cast<T>(bits);
  }
  return values;
}

template <class T>
std::optional<std::vector<T>> parseList(TextCursor &cursor, std::int64_t count) {
  const std::size_t begin = cursor.position();
  if (!cursor.expect("[")) return std::nullopt;
  std::vector<T> values;
  if (!cursor.accept("]")) {
    do {
      const auto value = parseElement<T>(cursor);
      if (!value) return std::nullopt;
      values.push_back(*value);
    } while (cursor.accept(","));
    if (!cursor.expect("]")) return std::nullopt;
  }
  if (static_cast<std::int64_t>(values.size()) != count)
    return cursor.fail(begin, cursor.lastEnd() - begin,
                       fmt::format("expected {} elements, not {}", count, values.size()));
  return values;
}

template <class T>
std::optional<AttrValue> parseTensor(TextCursor &cursor, std::string_view keyword) {
  const std::size_t begin = cursor.position();
  if (cursor.word() != keyword) return cursor.fail(begin, 1, fmt::format("expected '{}<...>'", keyword));
  if (!cursor.expect("<")) return std::nullopt;
  auto shape = cursor.shape();
  if (!shape || !cursor.expect(">")) return std::nullopt;
  const std::int64_t count = elementCount(*shape);
  std::optional<std::vector<T>> values;
  const std::size_t at = cursor.position();
  if (cursor.accept("splat")) {
    const auto value = parseElement<T>(cursor);
    if (!value) return std::nullopt;
    if (count > kMaxSplat) return cursor.fail(at, 5, fmt::format("a splat has at most {} elements", kMaxSplat));
    values.emplace(count, *value);
  } else if (cursor.accept("hex")) {
    values = parseHex<T>(cursor, count);
  } else if (cursor.accept("elided")) {
    return cursor.fail(at, 6, "the constant was left out when this was printed; print it in full to read it again");
  } else {
    values = parseList<T>(cursor, count);
  }
  if (!values) return std::nullopt;
  using Held = std::conditional_t<std::is_same_v<T, float>, Tensor<float>, Integers>;
  return AttrValue(std::make_shared<const Held>(*std::move(shape), *std::move(values)));
}

template <class T>
std::optional<AttrValue> wrapped(std::optional<T> value) {
  if (!value) return std::nullopt;
  return AttrValue(*std::move(value));
}

std::string quoted(const std::vector<std::string> &texts) {
  std::string result;
  for (auto &text : texts)
    result += (result.empty() ? "" : ", ") + printString(text);
  return "[" + result + "]";
}

} // namespace

std::string printValue(const AttrValue &value, bool elide) {
  switch (kindOf(value)) {
  case AttrKind::Int:
    return fmt::format("{}", std::get<std::int64_t>(value));
  case AttrKind::Ints:
    return fmt::format("[{}]", fmt::join(std::get<std::vector<std::int64_t>>(value), ", "));
  case AttrKind::Float:
    return printNumber(std::get<double>(value));
  case AttrKind::String:
    return printString(std::get<std::string>(value));
  case AttrKind::Strings:
    return quoted(std::get<std::vector<std::string>>(value));
  case AttrKind::Floats32:
    return printTensor("floats", *std::get<Floats32>(value), elide);
  case AttrKind::Ints64:
    return std::get<Ints64>(value)->visit([&](const auto &tensor) { return printTensor("ints", tensor, elide); });
  }
  return {};
}

std::optional<AttrValue> parseValue(TextCursor &cursor, AttrKind kind) {
  switch (kind) {
  case AttrKind::Int:
    return wrapped(cursor.integer());
  case AttrKind::Ints:
    return wrapped(cursor.integers());
  case AttrKind::Float:
    return wrapped(cursor.number<double>());
  case AttrKind::String:
    return wrapped(cursor.string());
  case AttrKind::Strings:
    return wrapped(cursor.strings());
  case AttrKind::Floats32:
    return parseTensor<float>(cursor, "floats");
  case AttrKind::Ints64:
    return parseTensor<std::int64_t>(cursor, "ints");
  }
  return std::nullopt;
}

} // namespace sd
