#include "runtime/vm/Csv.h"

#include <gmock/gmock.h>

namespace sd {
namespace {

using testing::HasSubstr;

std::string errorOf(std::string_view content) {
  auto result = parseCsv(content);
  return result ? "no error" : result.error().message;
}

TEST(Csv, RecordsWithAndWithoutNames) {
  const Tensor<float> expected({2, 3}, {1, -2.5f, 3e4f, 0, 5, 6});
  for (std::string_view text : {"1,-2.5,3e4\n0,5,6\n", "a,b,c\n1, -2.5 ,+3e4\r\n\r\n0,5,6",
                                "\xEF\xBB\xBF"
                                "1,-2.5,3e4\n0,5,6"}) {
    auto result = parseCsv(text);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(*result, expected);
  }
}

TEST(Csv, ARecordWithoutNumbersIsNoNames) {
  EXPECT_THAT(errorOf(",\n1,2\n"), HasSubstr("line 1, column 1: '' is not a number"));
  auto result = parseCsv("nan,inf\n1,2\n"); // refused later, where the record's number is known
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->shape, (Shape{2, 2}));
}

TEST(Csv, SmallerThanAnyFloatIsZero) {
  auto result = parseCsv("1e-60,-1e-60,1e-40\n");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->data, (std::vector<float>{0, 0, 1e-40f}));
}

TEST(Csv, ErrorsNameLineAndColumn) {
  EXPECT_THAT(errorOf("1,2\n3,x\n"), HasSubstr("line 2, column 2: 'x' is not a number"));
  EXPECT_THAT(errorOf("1,2\n3\n"), HasSubstr("line 2 has 1 numbers, the first record has 2"));
  EXPECT_THAT(errorOf("1,2,\n"), HasSubstr("line 1, column 3: '' is not a number"));
  EXPECT_THAT(errorOf("a,1\n"), HasSubstr("line 1, column 1"));
  EXPECT_THAT(errorOf("1\n2 3\n"), HasSubstr("'2 3' is not a number; commas stand between numbers"));
  EXPECT_THAT(errorOf("0.5;1\n"), HasSubstr("commas stand between numbers"));
  EXPECT_THAT(errorOf("1\n\x01\n"), HasSubstr("'?'"));
  EXPECT_THAT(errorOf("1e99\n"), HasSubstr("not a number"));
  EXPECT_THAT(errorOf(""), HasSubstr("no record"));
  EXPECT_THAT(errorOf("name,other\n"), HasSubstr("no record"));
}

} // namespace
} // namespace sd
