#include "runtime/vm/Npy.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

namespace sd {

static_assert(std::endian::native == std::endian::little, "the writer stores words as they are");

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxHeader = 4096;

struct Header {
  char order = 0, kind = 0; // '<' '>' '|'; 'b' 'i' 'u' 'f'
  std::size_t itemBytes = 0;
  bool columnsFirst = false;
  Shape shape;
  std::size_t dataOffset = 0;
};

// The header is a Python dictionary literal; this reads just what numpy writes.
class HeaderParser {
public:
  explicit HeaderParser(std::string_view text) : rest_(text) {}

  Expected<void> parse(Header &header) {
    bool seen[3] = {};
    SD_TRY(expect('{'));
    while (!take('}')) {
      SD_ASSIGN(const std::string_view key, quoted());
      const int which = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : -1;
      if (which < 0 || seen[which]) return bad();
      seen[which] = true;
      SD_TRY(expect(':'));
      SD_TRY(which == 0 ? parseType(header) : which == 1 ? parseOrder(header) : parseShape(header));
      if (!take(',') && !(skip(), rest_.starts_with('}'))) return bad();
    }
    if (!(seen[0] && seen[1] && seen[2])) return bad();
    if (!rest_.ends_with('\n') || rest_.find_first_not_of(' ') != rest_.size() - 1) return bad();
    return {};
  }

private:
  static tl::unexpected<Error> bad() { return fail("the .npy header is damaged"); }
  void skip() { rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size())); }
  bool take(char c) {
    skip();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  Expected<void> expect(char c) {
    if (!take(c)) return bad();
    return {};
  }
  Expected<std::string_view> quoted() {
    SD_TRY(expect('\''));
    const std::size_t end = rest_.find('\'');
    if (end == std::string_view::npos) return bad();
    const std::string_view text = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    return text;
  }

  Expected<void> parseType(Header &header) {
    skip();
    if (rest_.starts_with('['))
      return fail("it holds records with named fields; save the columns as one array of numbers, e.g. as float32");
    SD_ASSIGN(const std::string_view type, quoted());
    if (type.size() != 3) return fail("element type '{}' is not supported; save numbers, e.g. as float32", type);
    header.order = type[0], header.kind = type[1], header.itemBytes = static_cast<std::size_t>(type[2] - '0');
    const bool integer = header.kind == 'i' || header.kind == 'u';
    const std::size_t n = header.itemBytes;
    const bool known = (header.kind == 'f' && (n == 2 || n == 4 || n == 8)) || (header.kind == 'b' && n == 1) ||
                       (integer && (n == 1 || n == 2 || n == 4 || n == 8));
    const bool ordered = header.order == '<' || header.order == '>' || (header.order == '|' && n == 1);
    if (!known || !ordered) return fail("element type '{}' is not supported; save numbers, e.g. as float32", type);
    return {};
  }
  Expected<void> parseOrder(Header &header) {
    skip();
    header.columnsFirst = rest_.starts_with("True");
    if (!header.columnsFirst && !rest_.starts_with("False")) return bad();
    rest_.remove_prefix(header.columnsFirst ? 4 : 5);
    return {};
  }
  Expected<void> parseShape(Header &header) {
    SD_TRY(expect('('));
    while (!take(')')) {
      std::int64_t extent = -1;
      skip();
      const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), extent);
      const bool leadingZero = extent != 0 && rest_.starts_with('0');
      if (error != std::errc{} || extent < 0 || leadingZero || header.shape.size() == kMaxRank) return bad();
      rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
      header.shape.push_back(extent);
      const bool comma = take(',');
      if (!comma && (header.shape.size() == 1 || !(skip(), rest_.starts_with(')')))) return bad();
    }
    return {};
  }

  std::string_view rest_;
};

Expected<Header> parseHeader(std::string_view content) {
  if (!content.starts_with(kMagic)) return fail("this is not a .npy file");
  if (content.size() < 12) return fail("the .npy file ends inside its header");
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(content[i])); };
  const std::size_t major = byte(6), minor = byte(7);
  if (major < 1 || major > 3 || minor != 0) return fail(".npy version {}.{} is not supported", major, minor);
  std::size_t length = byte(8) | byte(9) << 8, start = 10;
  if (major > 1) length |= byte(10) << 16 | byte(11) << 24, start = 12;
  if (length > kMaxHeader) return fail("the .npy header is damaged");
  if (content.size() < start + length) return fail("the .npy file ends inside its header");
  Header header;
  header.dataOffset = start + length;
  SD_TRY(HeaderParser(content.substr(start, length)).parse(header));
  return header;
}

template <class T>
float load(const char *bytes, bool swap) {
  char raw[sizeof(T)];
  for (std::size_t i = 0; i < sizeof(T); ++i)
    raw[i] = bytes[swap ? sizeof(T) - 1 - i : i];
  T value;
  std::memcpy(&value, raw, sizeof(T));
  return static_cast<float>(value);
}

float loadHalf(const char *bytes, bool swap) {
  const auto bits = static_cast<unsigned>(load<std::uint16_t>(bytes, swap)); // exact as a float
  const int exponent = bits >> 10 & 31;
  const auto mantissa = static_cast<float>(bits & 1023);
  float size = exponent ? std::ldexp(mantissa + 1024, exponent - 25) : std::ldexp(mantissa, -24);
  if (exponent == 31)
    size = mantissa != 0 ? std::numeric_limits<float>::quiet_NaN() : std::numeric_limits<float>::infinity();
  return bits >> 15 ? -size : size;
}

using Loader = float (*)(const char *, bool);

Loader loaderFor(const Header &header) {
  switch (header.kind) {
  case 'f':
    return header.itemBytes == 2 ? loadHalf : header.itemBytes == 4 ? load<float> : load<double>;
  case 'i':
    return header.itemBytes == 1   ? load<std::int8_t>
           : header.itemBytes == 2 ? load<std::int16_t>
           : header.itemBytes == 4 ? load<std::int32_t>
                                   : load<std::int64_t>;
  default:
    return header.itemBytes == 1   ? load<std::uint8_t>
           : header.itemBytes == 2 ? load<std::uint16_t>
           : header.itemBytes == 4 ? load<std::uint32_t>
                                   : load<std::uint64_t>;
  }
}

// Element i of a columns-first array goes to the place of its index among rows.
std::vector<float> rowsFirst(const Shape &shape, const std::vector<float> &columns) {
  std::vector<float> rows(columns.size());
  const Shape strides = rowMajorStrides(shape);
  Shape index(shape.size(), 0);
  std::int64_t to = 0;
  for (float value : columns) {
    rows[static_cast<std::size_t>(to)] = value;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      to += strides[i];
      if (++index[i] < shape[i]) break;
      to -= strides[i] * shape[i];
      index[i] = 0;
    }
  }
  return rows;
}

std::string headerFor(std::string_view type, const Shape &shape) {
  std::string dims;
  for (std::int64_t extent : shape)
    dims += fmt::format("{}, ", extent);
  if (shape.size() > 1) dims.resize(dims.size() - 2);
  if (shape.size() == 1) dims.pop_back();
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", type, dims);
  // The data start at a multiple of 64 bytes.
  header.append(63 - (10 + header.size()) % 64, ' ').push_back('\n');
  std::string out(kMagic);
  out += {1, 0, static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  return out + header;
}

template <class T>
std::string encode(std::string_view type, const Tensor<T> &tensor) {
  std::string out = headerFor(type, tensor.shape);
  out.append(reinterpret_cast<const char *>(tensor.data.data()), tensor.data.size() * sizeof(T));
  return out;
}

} // namespace

Expected<Tensor<float>> parseNpy(std::string_view content) {
  SD_ASSIGN(const Header header, parseHeader(content));
  SD_ASSIGN(const std::int64_t count, checkedElementCount(header.shape));
  const std::string_view data = content.substr(header.dataOffset);
  if (data.size() != static_cast<std::size_t>(count) * header.itemBytes)
    return fail("a tensor of shape {} needs {} bytes of data, the .npy file has {}", toString(header.shape),
                static_cast<std::size_t>(count) * header.itemBytes, data.size());

  std::vector<float> values(static_cast<std::size_t>(count));
  const Loader loader = loaderFor(header);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = loader(data.data() + i * header.itemBytes, header.order == '>');
    if (header.kind == 'f' && header.itemBytes == 8 && std::isinf(values[i])) {
      std::uint64_t bits = 0;
      for (std::size_t b = 0; b < 8; ++b)
        bits |= std::uint64_t{static_cast<unsigned char>(data[i * 8 + (header.order == '>' ? 7 - b : b)])} << (8 * b);
      if (!std::isinf(std::bit_cast<double>(bits))) return fail("element {} is too large for a float32", i);
    }
    if (header.kind == 'b' && values[i] > 1) return fail("element {} is not a bool", i);
  }
  if (header.columnsFirst) values = rowsFirst(header.shape, values);
  return Tensor<float>(header.shape, std::move(values));
}

std::string npyHeader(const Shape &shape) { return headerFor("<f4", shape); }
std::string encodeNpy(const Tensor<float> &tensor) { return encode("<f4", tensor); }
std::string encodeNpy(const Tensor<std::int64_t> &tensor) { return encode("<i8", tensor); }

} // namespace sd
