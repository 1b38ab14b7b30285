// Every element type and way of storing it gives the same numbers.
#include <gmock/gmock.h>

#include <cstring>
#include <limits>

#include <onnx/onnx_pb.h>

#include "compiler/onnx/Tensors.h"

using onnx::TensorProto;
using testing::ElementsAre;
using testing::HasSubstr;

namespace sd {
namespace {

TensorProto proto(int type, std::initializer_list<std::int64_t> dims) {
  TensorProto out;
  out.set_data_type(type);
  for (std::int64_t dim : dims)
    out.add_dims(dim);
  return out;
}

template <class T>
TensorProto raw(int type, std::vector<T> elements) {
  TensorProto out = proto(type, {static_cast<std::int64_t>(elements.size())});
  std::string bytes(elements.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), elements.data(), bytes.size());
  out.set_raw_data(bytes);
  return out;
}

std::vector<float> floatsOf(const TensorProto &tensor) {
  auto value = readTensor(tensor, ExternalData());
  EXPECT_TRUE(value) << value.error().message;
  return value->floats()->data;
}

std::vector<std::int64_t> intsOf(const TensorProto &tensor) {
  auto value = readTensor(tensor, ExternalData());
  EXPECT_TRUE(value) << value.error().message;
  return value->ints()->data;
}

std::string refusal(const TensorProto &tensor) {
  auto value = readTensor(tensor, ExternalData());
  EXPECT_FALSE(value);
  return value ? "" : value.error().message;
}

TEST(Tensors, FloatsOfEightAndFourBits) {
  const auto bytes = [](int type, std::vector<std::uint8_t> content) {
    return floatsOf(raw<std::uint8_t>(type, content));
  };
  using testing::IsNan;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_THAT(bytes(kFloat8E4M3, {0x38, 0x7e, 0x01, 0xc0, 0x7f}), ElementsAre(1, 448, 0x1p-9f, -2, IsNan()));
  EXPECT_THAT(bytes(kFloat8E4M3Fnuz, {0x40, 0x7f, 0x01, 0xc8, 0x80}), ElementsAre(1, 240, 0x1p-10f, -2, IsNan()));
  EXPECT_THAT(bytes(kFloat8E5M2, {0x3c, 0x7b, 0x01, 0xfc, 0x7d}), ElementsAre(1, 57344, 0x1p-16f, -kInfinity, IsNan()));
  EXPECT_THAT(bytes(kFloat8E5M2Fnuz, {0x40, 0x7f, 0x01, 0xc4, 0x80}), ElementsAre(1, 57344, 0x1p-17f, -2, IsNan()));
  EXPECT_THAT(bytes(kFloat8E8M0, {127, 130, 0, 255}), ElementsAre(1, 8, 0x1p-127f, IsNan()));
  TensorProto four = proto(kFloat4E2M1, {16}); // each number once, the low one of a byte first
  std::string packed;
  for (int i = 0; i < 8; ++i)
    packed.push_back(static_cast<char>((2 * i) | (2 * i + 1) << 4));
  four.set_raw_data(packed);
  EXPECT_THAT(floatsOf(four), ElementsAre(0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0f, -0.5, -1, -1.5, -2, -3, -4, -6));
}

TEST(Tensors, IntegersOfFourBits) {
  TensorProto odd = proto(kInt4, {3});
  odd.set_raw_data(std::string("\x8f\x07", 2));
  EXPECT_THAT(intsOf(odd), ElementsAre(-1, -8, 7));
  odd.set_data_type(kUint4);
  EXPECT_THAT(intsOf(odd), ElementsAre(15, 8, 7));
  TensorProto fields = proto(kInt4, {2, 2}); // a byte in each number
  fields.add_int32_data(0x21);
  fields.add_int32_data(0xf3);
  EXPECT_THAT(intsOf(fields), ElementsAre(1, 2, 3, -1));
  fields.set_int32_data(1, 0x1f3);
  EXPECT_FALSE(readTensor(fields, ExternalData()));
  odd.set_raw_data(std::string(3, '\0'));
  EXPECT_FALSE(readTensor(odd, ExternalData()));
}

TEST(Tensors, FloatsOfEveryWidth) {
  EXPECT_THAT(floatsOf(raw<float>(TensorProto::FLOAT, {1.5f, -2})), ElementsAre(1.5f, -2));
  EXPECT_THAT(floatsOf(raw<double>(TensorProto::DOUBLE, {0.1, -2})), ElementsAre(0.1f, -2));
  EXPECT_THAT(floatsOf(raw<std::uint16_t>(TensorProto::FLOAT16, {0x3c00, 0xc000, 0x0001, 0x7bff, 0x8000})),
              ElementsAre(1, -2, 0x1p-24f, 65504, 0));
  EXPECT_THAT(floatsOf(raw<std::uint16_t>(TensorProto::BFLOAT16, {0x3f80, 0xc040})), ElementsAre(1, -3));
}

TEST(Tensors, TypedFieldsMeanTheSame) {
  TensorProto floats = proto(TensorProto::FLOAT, {2});
  floats.add_float_data(1.5f);
  floats.add_float_data(-2);
  EXPECT_THAT(floatsOf(floats), ElementsAre(1.5f, -2));
  TensorProto doubles = proto(TensorProto::DOUBLE, {1});
  doubles.add_double_data(0.25);
  EXPECT_THAT(floatsOf(doubles), ElementsAre(0.25f));
  TensorProto halves = proto(TensorProto::FLOAT16, {1});
  halves.add_int32_data(0x3800);
  EXPECT_THAT(floatsOf(halves), ElementsAre(0.5f));
  TensorProto bytes = proto(TensorProto::INT8, {2});
  bytes.add_int32_data(-128);
  bytes.add_int32_data(127);
  EXPECT_THAT(intsOf(bytes), ElementsAre(-128, 127));
  TensorProto longs = proto(TensorProto::INT64, {1});
  longs.add_int64_data(std::int64_t{1} << 40);
  EXPECT_THAT(intsOf(longs), ElementsAre(std::int64_t{1} << 40));
  TensorProto words = proto(TensorProto::UINT32, {1});
  words.add_uint64_data(0xffffffff);
  EXPECT_THAT(intsOf(words), ElementsAre(0xffffffff));
}

TEST(Tensors, IntegersOfEveryWidth) {
  EXPECT_THAT(intsOf(raw<std::int64_t>(TensorProto::INT64, {-5, 7})), ElementsAre(-5, 7));
  EXPECT_THAT(intsOf(raw<std::int32_t>(TensorProto::INT32, {-5, 7})), ElementsAre(-5, 7));
  EXPECT_THAT(intsOf(raw<std::int16_t>(TensorProto::INT16, {-5, 7})), ElementsAre(-5, 7));
  EXPECT_THAT(intsOf(raw<std::uint16_t>(TensorProto::UINT16, {65535})), ElementsAre(65535));
  EXPECT_THAT(intsOf(raw<std::uint8_t>(TensorProto::UINT8, {255})), ElementsAre(255));
  EXPECT_THAT(intsOf(raw<std::uint8_t>(TensorProto::BOOL, {1, 0})), ElementsAre(1, 0));
  EXPECT_THAT(intsOf(raw<std::uint32_t>(TensorProto::UINT32, {0x80000000})), ElementsAre(0x80000000));
  EXPECT_THAT(refusal(raw<std::uint64_t>(TensorProto::UINT64, {~std::uint64_t{0}})), HasSubstr("2^63"));
}

TEST(Tensors, ScalarsAndEmptyLists) {
  TensorProto scalar = proto(TensorProto::FLOAT, {});
  scalar.add_float_data(3);
  EXPECT_EQ(readTensor(scalar, ExternalData())->shape(), Shape{});
  EXPECT_THAT(intsOf(proto(TensorProto::INT64, {0})), ElementsAre());
}

TEST(Tensors, DataOfTheWrongLength) {
  TensorProto shortRaw = raw<float>(TensorProto::FLOAT, {1, 2});
  shortRaw.mutable_raw_data()->pop_back();
  EXPECT_THAT(refusal(shortRaw), HasSubstr("7 bytes of data where the shape 2 of FLOAT needs 8"));
  TensorProto missing = proto(TensorProto::FLOAT, {3});
  missing.add_float_data(1);
  EXPECT_THAT(refusal(missing), HasSubstr("1 elements of data where the shape 3 needs 3"));
}

TEST(Tensors, ShapesBeyondTheLimits) {
  EXPECT_FALSE(refusal(proto(TensorProto::FLOAT, {-1})).empty());
  EXPECT_FALSE(refusal(proto(TensorProto::FLOAT, {1 << 20, 1 << 20, 1 << 20})).empty());
  EXPECT_FALSE(refusal(proto(TensorProto::FLOAT, {std::int64_t{1} << 62, std::int64_t{1} << 62})).empty());
}

TEST(Tensors, UnusableElementTypes) {
  EXPECT_THAT(refusal(proto(TensorProto::STRING, {1})), HasSubstr("STRING"));
  EXPECT_THAT(refusal(proto(TensorProto::COMPLEX64, {1})), HasSubstr("COMPLEX64"));
  EXPECT_THAT(refusal(proto(0, {1})), HasSubstr("UNDEFINED"));
  EXPECT_THAT(refusal(proto(77, {1})), HasSubstr("77"));
}

TEST(Tensors, RoundingToSixteenBits) {
  EXPECT_EQ(roundToHalf(1.0f + 0x1p-11f), 1.0f); // ties to even
  EXPECT_EQ(roundToHalf(1.0f + 0x1.8p-10f), 1.0f + 0x1p-9f);
  EXPECT_EQ(roundToHalf(0x1p-25f), 0.0f);
  EXPECT_EQ(roundToHalf(0x1.8p-24f), 0x1p-23f);
  EXPECT_EQ(roundToHalf(65519.0f), 65504.0f);
  EXPECT_EQ(roundToHalf(-65520.0f), -std::numeric_limits<float>::infinity());
  EXPECT_EQ(roundToBfloat16(1.0f + 0x1p-8f), 1.0f);
  EXPECT_EQ(roundToBfloat16(1.0f + 0x1.8p-7f), 1.0f + 0x1p-6f);
}

} // namespace
} // namespace sd
