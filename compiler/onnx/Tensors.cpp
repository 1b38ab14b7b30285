#include "compiler/onnx/Tensors.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include <onnx/onnx_pb.h>

namespace sd {
namespace {

using onnx::TensorProto;

float fromHalf(std::uint16_t bits) {
  const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16;
  const int exponent = (bits >> 10) & 31;
  const std::uint32_t mantissa = bits & 0x3ff;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | mantissa << 13);
  const float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -24)
                                        : std::ldexp(static_cast<float>(mantissa | 0x400), exponent - 25);
  return sign ? -magnitude : magnitude;
}

float fromBfloat16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

struct Half {
  std::uint16_t bits;
  operator float() const { return fromHalf(bits); }
};
struct Bfloat16 {
  std::uint16_t bits;
  operator float() const { return fromBfloat16(bits); }
};

constexpr std::string_view kSmallNames[] = {"FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ",
                                            "UINT4",        "INT4",           "FLOAT4E2M1", "FLOAT8E8M0"};

constexpr bool isSmall(int type) { return type >= kFloat8E4M3 && type <= kFloat8E8M0; }
constexpr bool hasFourBits(int type) { return type == kUint4 || type == kInt4 || type == kFloat4E2M1; }

// ONNX, "Float stored in 8 bits" and "4 bit types".
float fromSmall(std::uint8_t bits, int type) {
  constexpr float kNone = std::numeric_limits<float>::quiet_NaN();
  if (type == kFloat8E8M0) return bits == 0xff ? kNone : std::ldexp(1.0f, bits - 127);
  const bool isFnuz = type == kFloat8E4M3Fnuz || type == kFloat8E5M2Fnuz;
  const int width = type == kFloat4E2M1 ? 4 : 8;
  const int fraction = type == kFloat4E2M1 ? 1 : type == kFloat8E4M3 || type == kFloat8E4M3Fnuz ? 3 : 2;
  const int exponents = width - 1 - fraction;
  const int bias = (1 << (exponents - 1)) - (isFnuz ? 0 : 1);
  const int sign = bits >> (width - 1) & 1, exponent = bits >> fraction & ((1 << exponents) - 1),
            mantissa = bits & ((1 << fraction) - 1);
  if (isFnuz && bits == 0x80) return kNone;
  if (type == kFloat8E4M3 && (bits & 0x7f) == 0x7f) return kNone;
  if (type == kFloat8E5M2 && exponent == 31) {
    if (mantissa != 0) return kNone;
    return sign ? -std::numeric_limits<float>::infinity() : std::numeric_limits<float>::infinity();
  }
  const float magnitude = exponent == 0
                              ? std::ldexp(static_cast<float>(mantissa), 1 - bias - fraction)
                              : std::ldexp(static_cast<float>(mantissa | 1 << fraction), exponent - bias - fraction);
  return sign ? -magnitude : magnitude;
}

Expected<ExternalPart> externalPart(const TensorProto &proto) {
  ExternalPart part;
  for (const auto &entry : proto.external_data()) {
    if (entry.key() == "location") {
      part.location = entry.value();
    } else if (entry.key() == "offset" || entry.key() == "length") {
      std::uint64_t number = 0;
      for (char c : entry.value()) {
        if (c < '0' || c > '9' || number > (std::uint64_t{1} << 58))
          return fail("external data with the {} '{}'", entry.key(), printable(entry.value()));
        number = number * 10 + static_cast<std::uint64_t>(c - '0');
      }
      (entry.key() == "offset" ? part.offset : part.length) = number;
    }
  }
  return part;
}

// Reads `count` elements stored as Wire, little-endian, or one by one from a typed field.
template <class To, class Wire>
struct Reader {
  const TensorProto &proto;
  const ExternalData &external;
  Shape shape;

  template <class Field>
  Expected<Tensor<To>> read(const Field &field) const {
    static_assert(std::endian::native == std::endian::little);
    const auto count = static_cast<std::size_t>(elementCount(shape));
    if (proto.data_location() == TensorProto::EXTERNAL) return fromExternal(count);
    if (proto.has_raw_data() && (field.empty() || !proto.raw_data().empty())) {
      const std::string &raw = proto.raw_data();
      if (raw.size() != count * sizeof(Wire))
        return fail("{} bytes of data where the shape {} of {} needs {}", raw.size(), toString(shape),
                    elementTypeName(proto.data_type()), count * sizeof(Wire));
      return fromBytes(raw.data(), count);
    }
    if (static_cast<std::size_t>(field.size()) != count)
      return fail("{} elements of data where the shape {} needs {}", field.size(), toString(shape), count);
    Tensor<To> out(shape);
    for (std::size_t i = 0; i < count; ++i) {
      if constexpr (std::is_same_v<Wire, Half> || std::is_same_v<Wire, Bfloat16>)
        out.data[i] = Wire{static_cast<std::uint16_t>(field.Get(static_cast<int>(i)))};
      else
        out.data[i] = static_cast<To>(field.Get(static_cast<int>(i)));
    }
    return out;
  }

  Tensor<To> fromBytes(const char *bytes, std::size_t count) const {
    if constexpr (std::is_same_v<To, Wire>) {
      const auto *begin = bytes;
      std::vector<To> data(count);
      if (count) std::memcpy(data.data(), begin, count * sizeof(To));
      return Tensor<To>(shape, std::move(data));
    } else {
      Tensor<To> out(shape);
      for (std::size_t i = 0; i < count; ++i) {
        Wire element;
        std::memcpy(&element, bytes + i * sizeof(Wire), sizeof(Wire));
        out.data[i] = static_cast<To>(element);
      }
      return out;
    }
  }

  Expected<Tensor<To>> fromExternal(std::size_t count) const {
    SD_ASSIGN(const ExternalPart part, externalPart(proto));
    SD_TRY(external.check(part, count * sizeof(Wire))); // before memory is taken for it
    std::vector<Wire> wire(count);
    SD_TRY(external.read(part, std::as_writable_bytes(std::span(wire))));
    if constexpr (std::is_same_v<To, Wire>)
      return Tensor<To>(shape, std::move(wire));
    else
      return fromBytes(reinterpret_cast<const char *>(wire.data()), count);
  }
};

template <class Wire, class Field>
Expected<Value> floats(const TensorProto &proto, const ExternalData &external, Shape shape, const Field &field) {
  SD_ASSIGN(auto tensor, Reader<float, Wire>{proto, external, std::move(shape)}.read(field));
  return Value::of(std::move(tensor)).named(proto.name());
}

template <class Wire, class Field>
Expected<Value> ints(const TensorProto &proto, const ExternalData &external, Shape shape, const Field &field) {
  SD_ASSIGN(auto tensor, Reader<std::int64_t, Wire>{proto, external, std::move(shape)}.read(field));
  if constexpr (std::is_same_v<Wire, std::uint64_t>)
    for (std::int64_t element : tensor.data)
      if (element < 0) return fail("an integer beyond 2^63");
  return Value::of(std::move(tensor)).named(proto.name());
}

// Of 8 bits each, or two of 4 bits in a byte, the first one low.
Expected<Value> smallElements(const TensorProto &proto, const ExternalData &external, const Shape &shape) {
  const int type = proto.data_type();
  const auto count = static_cast<std::size_t>(elementCount(shape));
  const std::size_t each = hasFourBits(type) ? 2 : 1; // in a byte
  const Shape packed{static_cast<std::int64_t>((count + each - 1) / each)};
  SD_ASSIGN(const auto bytes, (Reader<std::int64_t, std::uint8_t>{proto, external, packed}.read(proto.int32_data())));
  for (const std::int64_t byte : bytes.data)
    if (byte < 0 || byte > 255) return fail("{} in a number of {}, where a byte is meant", byte, elementTypeName(type));
  const auto bits = [&](std::size_t i) {
    const auto byte = static_cast<std::uint8_t>(bytes.data[i / each]);
    return static_cast<std::uint8_t>(each == 1 ? byte : byte >> (4 * (i % 2)) & 15);
  };
  if (type != kUint4 && type != kInt4) {
    Tensor<float> out(shape);
    for (std::size_t i = 0; i < count; ++i)
      out.data[i] = fromSmall(bits(i), type);
    return Value::of(std::move(out)).named(proto.name());
  }
  Tensor<std::int64_t> out(shape);
  for (std::size_t i = 0; i < count; ++i)
    out.data[i] = type == kInt4 && bits(i) > 7 ? bits(i) - 16 : bits(i);
  return Value::of(std::move(out)).named(proto.name());
}

} // namespace

bool isFloatType(int type) {
  return type == TensorProto::FLOAT || type == TensorProto::FLOAT16 || type == TensorProto::BFLOAT16 ||
         type == TensorProto::DOUBLE;
}

bool isSmallFloatType(int type) { return isSmall(type) && type != kUint4 && type != kInt4; }

bool isIntegerType(int type) {
  return type == kUint4 || type == kInt4 || (type >= TensorProto::UINT8 && type <= TensorProto::INT64) ||
         type == TensorProto::BOOL || type == TensorProto::UINT32 || type == TensorProto::UINT64;
}

std::string elementTypeName(int type) {
  if (isSmall(type)) return std::string(kSmallNames[type - kFloat8E4M3]);
  if (!onnx::TensorProto_DataType_IsValid(type)) return fmt::format("element type {}", type);
  return onnx::TensorProto_DataType_Name(static_cast<onnx::TensorProto_DataType>(type));
}

namespace {

Expected<Value> readElements(const TensorProto &proto, const ExternalData &external) {
  Shape shape(proto.dims().begin(), proto.dims().end());
  SD_TRY(checkedElementCount(shape));
  if (isSmall(proto.data_type()) && !proto.has_segment()) return smallElements(proto, external, shape);
  if (proto.has_segment()) return fail("a tensor in segments; export the model again with a current version of ONNX");
  switch (proto.data_type()) {
  case TensorProto::FLOAT:
    return floats<float>(proto, external, std::move(shape), proto.float_data());
  case TensorProto::DOUBLE:
    return floats<double>(proto, external, std::move(shape), proto.double_data());
  case TensorProto::FLOAT16:
    return floats<Half>(proto, external, std::move(shape), proto.int32_data());
  case TensorProto::BFLOAT16:
    return floats<Bfloat16>(proto, external, std::move(shape), proto.int32_data());
  case TensorProto::INT64:
    return ints<std::int64_t>(proto, external, std::move(shape), proto.int64_data());
  case TensorProto::INT32:
    return ints<std::int32_t>(proto, external, std::move(shape), proto.int32_data());
  case TensorProto::INT16:
    return ints<std::int16_t>(proto, external, std::move(shape), proto.int32_data());
  case TensorProto::INT8:
    return ints<std::int8_t>(proto, external, std::move(shape), proto.int32_data());
  case TensorProto::UINT16:
    return ints<std::uint16_t>(proto, external, std::move(shape), proto.int32_data());
  case TensorProto::UINT8:
    return ints<std::uint8_t>(proto, external, std::move(shape), proto.int32_data());
  case TensorProto::BOOL:
    return ints<std::uint8_t>(proto, external, std::move(shape), proto.int32_data());
  case TensorProto::UINT32:
    return ints<std::uint32_t>(proto, external, std::move(shape), proto.uint64_data());
  case TensorProto::UINT64:
    return ints<std::uint64_t>(proto, external, std::move(shape), proto.uint64_data());
  default:
    return fail("holds {}; only floats and integers can be computed with, convert the model",
                elementTypeName(proto.data_type()));
  }
}

} // namespace

Expected<Value> readTensor(const TensorProto &proto, const ExternalData &external) {
  SD_ASSIGN(const Value value, readElements(proto, external));
  return value.storedAs(proto.data_type());
}

Expected<std::vector<double>> readNumbers(const TensorProto &proto, const ExternalData &external) {
  if (proto.data_type() == TensorProto::DOUBLE && !proto.has_segment()) {
    Shape shape(proto.dims().begin(), proto.dims().end());
    SD_TRY(checkedElementCount(shape));
    SD_ASSIGN(auto tensor, Reader<double, double>{proto, external, std::move(shape)}.read(proto.double_data()));
    return std::move(tensor.data);
  }
  SD_ASSIGN(const Value value, readTensor(proto, external));
  if (value.isInteger()) return std::vector<double>(value.ints()->data.begin(), value.ints()->data.end());
  return std::vector<double>(value.floats()->data.begin(), value.floats()->data.end());
}

Expected<Value> readStrings(const TensorProto &proto) {
  Shape shape(proto.dims().begin(), proto.dims().end());
  SD_ASSIGN(const std::int64_t size, checkedElementCount(shape));
  if (proto.string_data_size() != size || proto.data_location() == TensorProto::EXTERNAL)
    return fail("holds STRING, {} of them where the shape {} needs {}", proto.string_data_size(), toString(shape),
                size);
  std::vector<std::string> texts(proto.string_data().begin(), proto.string_data().end());
  return Value::of(std::make_shared<const Tensor<std::string>>(std::move(shape), std::move(texts)));
}

Expected<Value> readTensorBytes(std::span<const std::byte> bytes) {
  TensorProto proto;
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max()) ||
      !proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return fail("not a serialised ONNX tensor");
  return readTensor(proto, ExternalData());
}

float roundToHalf(float value) {
  if (!std::isfinite(value)) return value;
  int exponent = 0;
  std::frexp(value, &exponent);
  const int ulp = std::max(exponent - 11, -24); // 11 significant bits, subnormals below 2^-14
  const float rounded = std::ldexp(std::nearbyint(std::ldexp(value, -ulp)), ulp);
  return std::abs(rounded) > 65504.0f ? std::copysign(std::numeric_limits<float>::infinity(), value) : rounded;
}

float roundToBfloat16(float value) {
  if (!std::isfinite(value)) return value;
  auto bits = std::bit_cast<std::uint32_t>(value);
  bits += 0x7fff + ((bits >> 16) & 1); // to nearest, ties to even
  return std::bit_cast<float>(bits & 0xffff0000u);
}

} // namespace sd
