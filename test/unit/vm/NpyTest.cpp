#include "runtime/vm/Npy.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

#include <gmock/gmock.h>

#include "runtime/vm/TensorFile.h"

namespace sd {
namespace {

using testing::HasSubstr;

// A file with that dictionary as NumPy would pad it.
std::string file(std::string dictionary, std::string_view data, int version = 1) {
  const std::size_t start = version == 1 ? 10 : 12;
  dictionary.append(63 - (start + dictionary.size()) % 64, ' ').push_back('\n');
  std::string out = "\x93NUMPY";
  out.push_back(static_cast<char>(version)), out.push_back(0);
  for (std::size_t i = 0; i < start - 8; ++i)
    out.push_back(static_cast<char>(dictionary.size() >> (8 * i)));
  return out + dictionary + std::string(data);
}

std::string dictionary(std::string_view type, std::string_view shape, bool columnsFirst = false) {
  return fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}", type, columnsFirst ? "True" : "False",
                     shape);
}

template <class T>
std::string bytes(std::initializer_list<T> values, bool swap = false) {
  std::string out;
  for (T value : values) {
    std::string word(reinterpret_cast<const char *>(&value), sizeof(T));
    if (swap) std::reverse(word.begin(), word.end());
    out += word;
  }
  return out;
}

std::string errorOf(std::string_view content) {
  auto result = parseNpy(content);
  return result ? "no error" : result.error().message;
}

TEST(Npy, RoundTrips) {
  for (const Shape &shape : {Shape{}, Shape{0}, Shape{3}, Shape{2, 3}, Shape{1, 2, 3, 4}}) {
    Tensor<float> tensor(shape);
    for (std::size_t i = 0; i < tensor.data.size(); ++i)
      tensor.data[i] = static_cast<float>(i) - 1.5f;
    const std::string content = encodeNpy(tensor);
    EXPECT_EQ((content.size() - 4 * tensor.data.size()) % 64, 0u);
    auto result = parseNpy(content);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(*result, tensor);
  }
  auto integers = parseNpy(encodeNpy(Tensor<std::int64_t>({2}, {-7, 1 << 20})));
  ASSERT_TRUE(integers);
  EXPECT_EQ(integers->data, (std::vector<float>{-7, 1 << 20}));
}

TEST(Npy, EveryTypeOrderAndVersion) {
  const std::vector<float> expected{1, 0, 1};
  const std::pair<const char *, std::string> cases[] = {
      {"|b1", bytes<char>({1, 0, 1})},
      {"|u1", bytes<char>({1, 0, 1})},
      {"|i1", bytes<char>({1, 0, 1})},
      {"<i2", bytes<std::int16_t>({1, 0, 1})},
      {">i2", bytes<std::int16_t>({1, 0, 1}, true)},
      {"<u4", bytes<std::uint32_t>({1, 0, 1})},
      {"<i8", bytes<std::int64_t>({1, 0, 1})},
      {"<f4", bytes<float>({1, 0, 1})},
      {"<f8", bytes<double>({1, 0, 1})},
      {">f8", bytes<double>({1, 0, 1}, true)},
  };
  for (const auto &[type, data] : cases)
    for (int version : {1, 2, 3}) {
      auto result = parseNpy(file(dictionary(type, "(3,)"), data, version));
      ASSERT_TRUE(result) << type << ": " << result.error().message;
      EXPECT_EQ(result->data, expected) << type;
    }
  EXPECT_EQ(parseNpy(file(dictionary("|i1", "(1,)"), "\xff"))->data[0], -1);
  EXPECT_EQ(parseNpy(file(dictionary("|u1", "(1,)"), "\xff"))->data[0], 255);
}

TEST(Npy, Halves) {
  const std::initializer_list<std::uint16_t> halves = {0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff, 0x0400, 0x8000, 0x7c00};
  for (bool swap : {false, true}) {
    auto result = parseNpy(file(dictionary(swap ? ">f2" : "<f2", "(8,)"), bytes(halves, swap)));
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->data, (std::vector<float>{1, -2, 65504, 0x1p-24f, 1023 * 0x1p-24f, 0x1p-14f, -0.0f,
                                                std::numeric_limits<float>::infinity()}));
  }
  auto nan = parseNpy(file(dictionary("<f2", "(1,)"), bytes<std::uint16_t>({0x7e00})));
  ASSERT_TRUE(nan);
  EXPECT_TRUE(std::isnan(nan->data[0]));
}

TEST(Npy, ColumnsFirst) {
  auto result = parseNpy(file(dictionary("<i4", "(2, 3)", true), bytes<std::int32_t>({1, 4, 2, 5, 3, 6})));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(*result, Tensor<float>({2, 3}, {1, 2, 3, 4, 5, 6}));
}

TEST(Npy, Refusals) {
  const std::string four = bytes<float>({1, 2, 3, 4});
  EXPECT_THAT(errorOf(""), HasSubstr("not a .npy file"));
  EXPECT_THAT(errorOf("\x93NUMPY"), HasSubstr("ends inside"));
  EXPECT_THAT(errorOf(file(dictionary("<f4", "(4,)"), four, 4)), HasSubstr("version 4.0"));
  EXPECT_THAT(errorOf(file(dictionary("<f1", "(4,)"), four)), HasSubstr("'<f1' is not supported"));
  EXPECT_THAT(errorOf(file(dictionary("|O8", "(4,)"), four)), HasSubstr("not supported"));
  EXPECT_THAT(errorOf(file(dictionary("<c16", "(4,)"), four)), HasSubstr("not supported"));
  EXPECT_THAT(errorOf(file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4,), }", four)),
              HasSubstr("named fields"));
  EXPECT_THAT(errorOf(file(dictionary("<f4", "(5,)"), four)), HasSubstr("needs 20 bytes"));
  EXPECT_THAT(errorOf(file(dictionary("<f4", "(3,)"), four)), HasSubstr("needs 12 bytes"));
  EXPECT_THAT(errorOf(file(dictionary("<f4", "(4)"), four)), HasSubstr("damaged"));
  EXPECT_THAT(errorOf(file(dictionary("<f4", "(-4,)"), four)), HasSubstr("damaged"));
  EXPECT_NE(errorOf(file(dictionary("<f4", "(4294967296, 4294967296)"), four)), "no error");
  EXPECT_NE(errorOf(file(dictionary("<f4", "(99999999999999999999,)"), four)), "no error");
  EXPECT_THAT(errorOf(file("{'descr': '<f4', 'shape': (4,), }", four)), HasSubstr("damaged"));
  EXPECT_THAT(errorOf(file("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (4,), }", four)),
              HasSubstr("damaged"));
  EXPECT_THAT(errorOf(file(dictionary("<f8", "(1,)"), bytes<double>({1e300}))), HasSubstr("too large"));
  EXPECT_THAT(errorOf(file(dictionary("|b1", "(1,)"), "\x02")), HasSubstr("not a bool"));
  auto infinite = parseNpy(file(dictionary("<f8", "(1,)"), bytes<double>({std::numeric_limits<double>::infinity()})));
  ASSERT_TRUE(infinite);
  EXPECT_TRUE(std::isinf(infinite->data[0]));
}

// A changed byte of the header is found, unless it names another type of the same size or changes nothing.
TEST(Npy, EveryHeaderByteCounts) {
  const Tensor<float> tensor({2, 3}, {1, 2, 3, 4, 5, 6});
  const std::string good = encodeNpy(tensor);
  const std::size_t type = good.find("<f4"), header = good.size() - 24;
  for (std::size_t i = 0; i < header; ++i)
    for (int change = 1; change < 256; ++change) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ change);
      const auto result = parseNpy(bad);
      const bool inType = i >= type && i < type + 2;
      ASSERT_TRUE(!result || inType || *result == tensor) << "byte " << i << " changed by " << change;
    }
  for (std::size_t length = 0; length < good.size(); ++length)
    ASSERT_FALSE(parseNpy(std::string_view(good).substr(0, length))) << length;
}

TEST(TensorFile, WritesAndReadsByName) {
  std::string folder = (std::filesystem::temp_directory_path() / "sd-tensor-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const Tensor<float> tensor({1, 2}, {3, 4});
  const auto write = [&](const std::string &name, std::string_view text) {
    std::ofstream(folder + name, std::ios::binary) << text;
  };
  write("/a.csv", "3,4\n");
  write("/named.csv", "a,b\n3,4\n");
  write("/bad.csv", "3,x\n");
  write("/bad.npy", "3,4\n");
  ASSERT_TRUE(writeTensor(folder + "/a.npy", tensor));
  EXPECT_EQ(*readTensor(folder + "/a.npy"), tensor);
  EXPECT_EQ(*readTensor(folder + "/a.csv"), tensor);
  std::string noted;
  const auto note = [&](std::string_view text) { noted += text; };
  EXPECT_EQ(*readTensor(folder + "/a.csv", {}, note), tensor);
  EXPECT_EQ(noted, "");
  EXPECT_EQ(*readTensor(folder + "/named.csv", {}, note), tensor);
  EXPECT_EQ(noted, folder + "/named.csv: line 1 taken as column names");
  EXPECT_THAT(readTensor(folder + "/bad.csv").error().message, HasSubstr("bad.csv: line 1, column 2"));
  EXPECT_THAT(readTensor(folder + "/bad.npy").error().message, HasSubstr("bad.npy: this is not a .npy file"));
  EXPECT_THAT(readTensor(folder + "/none.npy").error().message, HasSubstr("none.npy"));
  EXPECT_THAT(readTensor(folder + "/a.txt").error().message, HasSubstr("neither a .npy nor a .csv"));
  EXPECT_FALSE(writeTensor(folder + "/no/file.npy", tensor));
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(folder + "/a.npy").permissions(), perms::owner_read | perms::owner_write);
  std::filesystem::remove_all(folder);
}

} // namespace
} // namespace sd
