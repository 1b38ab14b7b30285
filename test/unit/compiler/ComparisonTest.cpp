// Errors as parts of an output's range, which may be that of groups of records.
#include "compiler/Comparison.h"

#include <gtest/gtest.h>

#include <cmath>

namespace sd {
namespace {

// y = x + shift, of one number.
Module shifted(float shift) {
  Builder b("shifted");
  const ValueId x = b.create(OpKind::Input, {}, {{Attr::Name, "x"}, {Attr::Dims, std::vector<std::int64_t>{1, 1}}});
  const ValueId c = b.constant(Tensor<float>({1, 1}, shift));
  b.create(OpKind::Return, {b.create(OpKind::Add, {x, c})}, {{Attr::Names, std::vector<std::string>{"y"}}});
  return b.take();
}

// Groups of 24 records, each of the range that is given, from 0 on.
std::vector<Record> records(const std::vector<double> &ranges) {
  std::vector<Record> all;
  for (const double range : ranges)
    for (int i = 0; i < 24; ++i)
      all.push_back({{"x", Tensor<float>({1, 1}, static_cast<float>(range * i / 23))}});
  return all;
}

double rangeError(const std::vector<double> &ranges, std::size_t group) {
  const auto compared = compare(shifted(0), shifted(0.5), records(ranges), {.group = group});
  EXPECT_TRUE(compared);
  EXPECT_NEAR(compared->errorMost, 0.5, 1e-6);
  return compared->rangeError;
}

TEST(Comparison, RangesOfGroupsAreNotThoseOfOutliersElsewhere) {
  EXPECT_NEAR(rangeError({1000, 10}, 0), 0.0005, 1e-8);
  EXPECT_NEAR(rangeError({1000, 10}, 24), 0.05, 1e-6);
}

TEST(Comparison, NineOfTenGroupsStayBelowWhatIsStated) {
  EXPECT_NEAR(rangeError({100, 100, 100, 100, 100, 100, 100, 100, 10, 1}, 24), 0.05, 1e-6);
  EXPECT_NEAR(rangeError({100, 100, 100, 100, 100, 100, 100, 10, 1}, 24), 0.5, 1e-6); // of fewer the largest
}

TEST(Comparison, WhatIsLeftBelongsToTheLastGroup) {
  std::vector<Record> all = records({100, 10});
  all.resize(24 + 10); // not a group of its own
  const auto compared = compare(shifted(0), shifted(0.5), all, {.group = 24});
  ASSERT_TRUE(compared);
  EXPECT_NEAR(compared->rangeError, 0.005, 1e-6);
}

} // namespace
} // namespace sd
