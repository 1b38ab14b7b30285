#include "runtime/vm/Records.h"

#include <cmath>

#include <gmock/gmock.h>

#include "test/unit/vm/Programs.h"

namespace sd {
namespace {

using testing::HasSubstr;

Program program(std::vector<std::pair<std::string, Shape>> inputs) {
  test::ProgramBuilder<Ring32> builder;
  std::vector<SlotId> slots;
  std::vector<std::string> names;
  for (auto &[name, shape] : inputs)
    slots.push_back(builder.input(name, shape)), names.push_back("out" + name);
  builder.add(OpKind::Return, slots, {{Attr::Names, names}});
  return builder.program();
}

Tensor<float> counting(Shape shape) {
  Tensor<float> tensor(std::move(shape));
  for (std::size_t i = 0; i < tensor.data.size(); ++i)
    tensor.data[i] = static_cast<float>(i);
  return tensor;
}

std::string splitError(const Program &p, NamedTensors inputs) {
  auto records = splitRecords(p, std::move(inputs));
  return records ? "no error" : records.error().message;
}

TEST(Records, EveryFormOfOneRecord) {
  const Program p = program({{"x", {1, 2, 3}}});
  for (const Shape &shape : {Shape{1, 2, 3}, Shape{2, 3}, Shape{1, 6}}) {
    auto records = splitRecords(p, {{"", counting(shape)}});
    ASSERT_TRUE(records) << records.error().message;
    ASSERT_EQ(records->size(), 1u);
    EXPECT_EQ((*records)[0].at("x"), counting({1, 2, 3}));
  }
}

TEST(Records, SeveralRecordsAreCutUp) {
  const Program p = program({{"x", {2, 2}}, {"y", {1}}});
  auto records = splitRecords(p, {{"x", counting({6, 2})}, {"y", counting({3})}});
  ASSERT_TRUE(records) << records.error().message;
  ASSERT_EQ(records->size(), 3u);
  EXPECT_EQ((*records)[1].at("x"), Tensor<float>({2, 2}, {4, 5, 6, 7}));
  EXPECT_EQ((*records)[2].at("y"), Tensor<float>({1}, {2}));
}

TEST(Records, WholeRecordsMayBeLinesOrStacked) {
  const Program p = program({{"x", {5, 1, 3}}});
  for (const Shape &shape : {Shape{2, 15}, Shape{2, 5, 1, 3}, Shape{10, 1, 3}, Shape{10, 3}}) {
    auto records = splitRecords(p, {{"", counting(shape)}});
    ASSERT_TRUE(records) << records.error().message;
    ASSERT_EQ(records->size(), 2u) << toString(shape);
    EXPECT_EQ((*records)[1].at("x").shape, (Shape{5, 1, 3}));
    EXPECT_EQ((*records)[1].at("x").data[0], 15);
  }
}

TEST(Records, ScalarsAreOneNumberARecord) {
  const Program p = program({{"x", {}}});
  for (const Shape &shape : {Shape{3}, Shape{3, 1}}) {
    auto records = splitRecords(p, {{"", counting(shape)}});
    ASSERT_TRUE(records) << records.error().message;
    ASSERT_EQ(records->size(), 3u);
    EXPECT_EQ((*records)[2].at("x"), Tensor<float>(Shape{}, 2.0f));
  }
  EXPECT_EQ(splitRecords(p, {{"", counting({})}}).value().size(), 1u);
  EXPECT_THAT(splitError(p, {{"x", counting({2, 2})}}),
              HasSubstr("has shape 2x2, the program takes one number a record (shape N or Nx1)"));
  EXPECT_THAT(splitError(p, {{"x", counting({0})}}), HasSubstr("holds 0 records"));
}

TEST(Records, RefusalsSayWhatFits) {
  const Program two = program({{"x", {2, 2}}, {"y", {1}}}), one = program({{"x", {2, 2}}});
  EXPECT_THAT(splitError(two, {{"", counting({2, 2})}}), HasSubstr("name each: 'x', 'y'"));
  EXPECT_THAT(splitError(two, {{"x", counting({2, 2})}}), HasSubstr("'y' is missing"));
  EXPECT_THAT(splitError(two, {{"x", counting({4, 2})}, {"y", counting({1})}}),
              HasSubstr("'y' holds 1 records, but 'x' holds 2"));
  EXPECT_THAT(splitError(one, {{"z", counting({2, 2})}}), HasSubstr("no input 'z'; its inputs: 'x'"));
  EXPECT_THAT(splitError(one, {{"x", counting({3, 2})}}),
              HasSubstr("holds 3 records, but the program takes 2 at a time"));
  EXPECT_THAT(splitError(one, {{"x", counting({2, 3})}}), HasSubstr("has shape 2x3, the program takes 2x2"));
  EXPECT_THAT(splitError(one, {{"x", counting({0, 2})}}), HasSubstr("holds 0 records"));
  EXPECT_THAT(splitError(one, {{"", counting({2, 2})}, {"x", counting({2, 2})}}), HasSubstr("given twice"));
}

TEST(Records, RangesAndNumbersAreChecked) {
  test::ProgramBuilder<Ring32> builder;
  const SlotId x =
      builder.add(OpKind::Input, {}, {{Attr::Name, "x"}, {Attr::Dims, Shape{2}}, {Attr::Low, 0.0}, {Attr::High, 1.0}});
  builder.add(OpKind::Return, {x}, {{Attr::Names, std::vector<std::string>{"y"}}});
  const auto error = [&](std::vector<float> values) {
    auto result = checkRecord(builder.program(), {{"x", Tensor<float>({2}, std::move(values))}});
    return result ? "no error" : result.error().message;
  };
  EXPECT_EQ(error({0, 1}), "no error");
  EXPECT_THAT(error({0, 1.5f}), HasSubstr("element 1 is outside the range 0 to 1"));
  EXPECT_THAT(error({-0.1f, 1}), HasSubstr("element 0 is outside"));
  EXPECT_THAT(error({std::nanf(""), 1}), HasSubstr("element 0 is not a number"));
  EXPECT_THAT(error({0, INFINITY}), HasSubstr("element 1 is not a number"));
  EXPECT_FALSE(checkRecord(builder.program(), {}));
  EXPECT_FALSE(checkRecord(builder.program(), {{"x", Tensor<float>({1})}}));
}

} // namespace
} // namespace sd
