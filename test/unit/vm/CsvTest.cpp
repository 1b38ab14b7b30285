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
  for (std::string_view text : {"1,-2.5,3e4\n0,5,6\n", "a,b,c\n1, -2.5 ,+3e4\r\n0,5,6\r\n\r\n \n",
                                "\xEF\xBB\xBF"
                                "1,-2.5,3e4\n0,5,6"}) {
    auto result = parseCsv(text);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->records, expected);
    EXPECT_EQ(result->named, text.starts_with('a'));
  }
}

TEST(Csv, ColumnNames) {
  for (std::string_view names :
       {"age,blood pressure", "mean_radius,_2", "\"a\",\"b\"", "nanograms,nullity", "\xC3\xA4,b"}) {
    auto result = parseCsv(std::string(names) + "\n1,2\n");
    ASSERT_TRUE(result) << names << ": " << result.error().message;
    EXPECT_TRUE(result->named) << names;
    EXPECT_EQ(result->records, Tensor<float>({1, 2}, {1, 2}));
  }
}

// A first record of missing values would otherwise be dropped as names, and each result belong to the record before.
TEST(Csv, MissingValuesAreNeitherNamesNorNumbers) {
  for (std::string_view missing : {"NA", "n/a", "N/A", "#N/A", "<NA>", "NaN", "-nan", "nan(ind)", "NULL", "None",
                                   "Missing", "?", "", "\"NA\"", "\"\"", " na "}) {
    const std::string row = fmt::format("{0},{0}\n", missing), mixed = fmt::format("name,{}\n", missing);
    EXPECT_THAT(errorOf(row + "1,2\n"), AllOf(HasSubstr("line 1, column 1: "), HasSubstr("fill in missing values")));
    EXPECT_THAT(errorOf(mixed + "1,2\n"), HasSubstr("line 1, column 1: 'name' is not a number"));
    EXPECT_THAT(errorOf("1,2\n" + row), AllOf(HasSubstr("line 2, column 1: "), HasSubstr("fill in missing values")));
  }
  for (std::string_view sign : {".", "-", "--", "#"})
    EXPECT_THAT(errorOf(fmt::format("{}\n1\n", sign)), HasSubstr("line 1, column 1: "));
}

TEST(Csv, EmptyLinesEndTheFile) {
  EXPECT_THAT(errorOf("1\n\n3\n"), HasSubstr("line 2 is empty, and others follow"));
  EXPECT_THAT(errorOf("1\n \r\n\n3\n"), HasSubstr("line 2 is empty"));
  EXPECT_THAT(errorOf("\n1\n"), HasSubstr("line 1 is empty"));
  EXPECT_THAT(errorOf("a\n\n1\n"), HasSubstr("line 2 is empty"));
  EXPECT_EQ(errorOf("1\n3\n\n\r\n"), "no error");
}

TEST(Csv, InfinitiesAreNoNames) {
  auto result = parseCsv("inf,-inf\n1,2\n"); // refused later, where the record's number is known
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->records.shape, (Shape{2, 2}));
}

TEST(Csv, SmallerThanAnyFloatIsZero) {
  auto result = parseCsv("1e-60,-1e-60,1e-40\n");
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->records.data, (std::vector<float>{0, 0, 1e-40f}));
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
