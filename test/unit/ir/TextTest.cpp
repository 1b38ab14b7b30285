#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <set>

#include "RandomModule.h"
#include "ir/Parser.h"
#include "ir/Printer.h"
#include "ir/Verifier.h"

using namespace sd;

namespace {

std::string errorsOf(std::string_view text) {
  Diagnostics diagnostics;
  auto module = parse(text, "t.sdir", diagnostics);
  EXPECT_EQ(module.has_value(), !diagnostics.hasErrors());
  return diagnostics.render();
}

TEST(Text, ParseOfPrintIsTheModule) {
  std::set<OpKind> seen;
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    const Module module = test::randomModule(seed, seed % 2 != 0, seed % 4 < 2 ? kBitsOf<Ring32> : kBitsOf<Ring64>);
    ASSERT_TRUE(verify(module)) << verify(module).error().message;
    Diagnostics diagnostics;
    const std::string text = print(module);
    auto again = parse(text, "random.sdir", diagnostics);
    ASSERT_TRUE(again) << diagnostics.render() << text;
    EXPECT_TRUE(*again == module) << text;
    EXPECT_EQ(print(*again), text);
    for (auto &op : module.ops)
      seen.insert(op.kind);
  }
  for (auto &op : allOps())
    EXPECT_TRUE(seen.contains(op.kind)) << "the generator never makes " << op.mnemonic;
}

TEST(Text, FloatsAreKeptBitForBit) {
  const std::vector<std::uint32_t> bits = {0x00000000, 0x80000000, 0x00000001, 0x807fffff, 0x7f7fffff, 0x7f800000,
                                           0xff800000, 0x7fc00001, 0x3dcccccd, 0x00800000, 0x5f000000};
  Tensor<float> value(Shape{static_cast<std::int64_t>(bits.size())});
  for (std::size_t i = 0; i < bits.size(); ++i)
    value.data[i] = std::bit_cast<float>(bits[i]);
  Builder builder("bits");
  auto constant = builder.constant(value);
  builder.create(OpKind::Return, {constant}, {{Attr::Names, std::vector<std::string>{"y"}}});
  Diagnostics diagnostics;
  auto again = parse(print(builder.module()), "t", diagnostics);
  ASSERT_TRUE(again) << diagnostics.render();
  for (std::size_t i = 0; i < bits.size(); ++i)
    EXPECT_EQ(std::bit_cast<std::uint32_t>(again->ops[0].attrs.floats(Attr::Value).data[i]), bits[i]);
}

TEST(Text, IntegersTakeEightDigitsOrSixteen) {
  for (const std::int64_t extreme : {std::int64_t{-1} << 31, std::int64_t{1} << 31, std::int64_t{-1} << 63}) {
    Builder builder("m", kBitsOf<Ring64>);
    Tensor<std::int64_t> value(Shape{40}, -5);
    value.data[7] = extreme;
    builder.weights(value, 3);
    auto x = builder.create(OpKind::Input, {}, {{Attr::Name, "x"}, {Attr::Dims, Shape{1}}});
    builder.create(OpKind::Return, {x}, {{Attr::Names, std::vector<std::string>{"y"}}});
    const std::string text = print(builder.module());
    const std::size_t digits = extreme == static_cast<std::int32_t>(extreme) ? 8 : 16;
    EXPECT_NE(text.find(fmt::format("hex \"{}{}", std::string(digits - 1, 'f') + 'b', 'f')), std::string::npos) << text;
    EXPECT_EQ(text.find("\"}", text.find("hex")) - text.find("hex"), 5 + 40 * digits);
    Diagnostics diagnostics;
    auto again = parse(text, "t", diagnostics);
    ASSERT_TRUE(again) << diagnostics.render();
    EXPECT_EQ(again->ops[0].attrs.integers(Attr::Weights), Integers(value));
  }
}

TEST(Text, TypesMayBeLeftOut) {
  Diagnostics diagnostics;
  auto module = parse("module \"m\" { // comment\n\n%in = nn.input {name = \"x\", shape = [2]}\n"
                      "%r.1 = nn.relu %in\r\nnn.return %r.1 {names = [\"y\"]}\n}\n",
                      "t", diagnostics);
  ASSERT_TRUE(module) << diagnostics.render();
  EXPECT_EQ(module->type(1), Type::clear({2}));
}

TEST(Text, ElidedConstantsAreRefused) {
  Builder builder("m");
  Tensor<float> value(Shape{100});
  value.data[3] = 1;
  auto constant = builder.constant(value);
  builder.create(OpKind::Return, {constant}, {{Attr::Names, std::vector<std::string>{"y"}}});
  const std::string text = print(builder.module(), {.elide = true});
  EXPECT_LT(text.size(), 200U);
  EXPECT_NE(errorsOf(text).find("left out when this was printed"), std::string::npos);
}

TEST(Text, SeveralErrorsInOneRun) {
  const std::string errors = errorsOf("module \"m\" {\n"
                                      "  %0 = nn.input {name = \"x\", shape = [2, 3]}\n"
                                      "  %1 = nn.rleu %0\n"
                                      "  %2 = nn.relu %1\n"
                                      "  %3 = nn.relu %9\n"
                                      "  %4 = nn.transpose %0 {perm = [0, 0]}\n"
                                      "  nn.return %3 {names = [\"y\"]}\n"
                                      "}\n");
  EXPECT_EQ(errors, "t.sdir:3:8: error: there is no op 'nn.rleu'\n"
                    "  %1 = nn.rleu %0\n"
                    "       ^^^^^^^\n"
                    "t.sdir:5:16: error: %9 is not defined by an earlier line\n"
                    "  %3 = nn.relu %9\n"
                    "               ^^\n"
                    "t.sdir:6:8: error: nn.transpose: C1: perm [0, 0] is no permutation of the 2 axes of 2x3\n"
                    "  %4 = nn.transpose %0 {perm = [0, 0]}\n"
                    "       ^^^^^^^^^^^^\n");
}

TEST(Text, CorruptBlobsAreErrors) {
  auto with = [](std::string_view value) {
    return errorsOf(
        fmt::format("module \"m\" {{\n%0 = nn.constant {{value = {}}}\nnn.return %0 {{names = [\"y\"]}}\n}}", value));
  };
  EXPECT_EQ(with("floats<2> hex \"3f80000000000000\""), "");
  EXPECT_NE(with("floats<2> hex \"3f8000000000000\"").find("expected 16 digits"), std::string::npos);
  EXPECT_NE(with("floats<2> hex \"3f800000000000g0\"").find("expected a digit"), std::string::npos);
  EXPECT_NE(with("floats<2> hex \"3f80").find("closing quote"), std::string::npos);
  EXPECT_NE(with("floats<2> [1, 2, 3]").find("expected 2 elements"), std::string::npos);
  EXPECT_NE(with("floats<2147483648> splat 0").find("at most"), std::string::npos);
  EXPECT_NE(with("floats<4294967296> []").find("more than 2^31"), std::string::npos);
  EXPECT_NE(with("floats<2> [1, 1e40]").find("expected a number"), std::string::npos);
  EXPECT_NE(with("ints<1> [1]").find("expected 'floats"), std::string::npos);
}

// Whatever the bytes, the parser ends with a module or errors.
TEST(Text, MutatedTextNeverCrashes) {
  std::mt19937 random(7);
  std::vector<std::string> texts;
  for (std::uint32_t seed = 0; seed < 8; ++seed)
    texts.push_back(print(test::randomModule(seed, seed % 2 != 0)));
  const std::string alphabet = "%\"{}[]<>=,:\\-x^0123456789 \n\t\xff";
  int refused = 0;
  for (int i = 0; i < 10000; ++i) {
    std::string text = texts[random() % texts.size()];
    for (auto edits = 1 + random() % 4; edits > 0 && !text.empty(); --edits) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
      case 0:
        text[at] = alphabet[random() % alphabet.size()];
        break;
      case 1:
        text.erase(at, 1 + random() % 20);
        break;
      case 2:
        text.insert(at, text.substr(random() % text.size(), random() % 30));
        break;
      default:
        text.resize(at + 1);
      }
    }
    Diagnostics diagnostics;
    auto module = parse(text, "fuzz", diagnostics);
    ASSERT_EQ(module.has_value(), !diagnostics.hasErrors());
    ASSERT_TRUE(!module || verify(*module));
    refused += !module;
  }
  EXPECT_GT(refused, 5000);
}

TEST(Text, HostileNumbersAreErrors) {
  for (auto attrs : {"kernel = [9223372036854775807, 1]", "kernel = [-9223372036854775808, 1]", "kernel = [0, 1]",
                     "kernel = [99999999999999999999, 1]", "kernel = [1048576, 1048576]"})
    EXPECT_NE(
        errorsOf(fmt::format("module \"m\" {{\n%0 = nn.input {{name = \"x\", shape = [1, 1, 8, 8]}}\n"
                             "%1 = nn.maxpool %0 {{{}, strides = [1, 1], pads = [1048576, 1048576, 1048576, 1048576], "
                             "dilations = [1048576, 1048576], ceil_mode = 1}}\n"
                             "nn.return %1 {{names = [\"y\"]}}\n}}",
                             attrs)),
        "");
}

} // namespace
