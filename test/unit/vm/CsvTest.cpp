#include "runtime/vm/Csv.h"

#include <gmock/gmock.h>

namespace sd {
namespace {

using namespace std::string_view_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Header = CsvOptions::Header;

std::string errorOf(std::string_view content, const CsvOptions &options = {}) {
  auto result = parseCsv(std::string(content), options);
  return result ? "no error" : result.error().message;
}

Tensor<float> read(std::string_view content, const CsvOptions &options = {}) {
  auto result = parseCsv(std::string(content), options);
  EXPECT_TRUE(result) << result.error().message;
  return result ? result->records : Tensor<float>();
}

std::string utf16(std::string_view ascii, bool bigEndian) {
  std::string text;
  for (const char c : ascii)
    text += bigEndian ? std::string{0, c} : std::string{c, 0};
  return text;
}

TEST(Csv, RecordsWithAndWithoutNames) {
  const Tensor<float> expected({2, 3}, {1, -2.5f, 3e4f, 0, 5, 6});
  for (std::string_view text : {"1,-2.5,3e4\n0,5,6\n", "a,b,c\n1, -2.5 ,+3e4\r\n0,5,6\r\n\r\n \n",
                                "\xEF\xBB\xBF"
                                "1,-2.5,3e4\n0,5,6"}) {
    auto result = parseCsv(std::string(text));
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
    EXPECT_THAT(errorOf(mixed + "1,2\n"),
                HasSubstr("line 1, column 1: not a number; if this line names the columns, say --header yes"));
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

TEST(Csv, ErrorsNameLineAndColumnButNoCell) {
  EXPECT_EQ(errorOf("1,2\n3,x\n"), "line 2, column 2: not a number");
  EXPECT_EQ(errorOf("a,b\n3,x\n"), "line 2, column 2 ('b'): not a number");
  EXPECT_THAT(errorOf("1,2\n3\n"), HasSubstr("line 2 has 1 cells, the first line has 2; they are split at ','"));
  EXPECT_THAT(errorOf("a,b\n7,3,4\n"), HasSubstr("if the lines begin with row names, name that column too"));
  EXPECT_THAT(errorOf("1,2,\n"), HasSubstr("line 1, column 3: not a number; fill in missing values"));
  EXPECT_THAT(errorOf("a,1\n"), HasSubstr("line 1, column 1"));
  EXPECT_THAT(errorOf("1\n2 3\n"), HasSubstr("line 2, column 1: not a number; cells are split at ','"));
  EXPECT_EQ(errorOf("1e99\n"), "line 1, column 1: the number is too large for a float32");
  EXPECT_EQ(errorOf("1e999\n"), "line 1, column 1: the number is too large for a float32");
  EXPECT_EQ(read("1e-999\n"), Tensor<float>({1, 1}, {0}));
  EXPECT_THAT(errorOf(""), HasSubstr("no record"));
  EXPECT_THAT(errorOf("name,other\n"), HasSubstr("no record"));
  for (std::string_view patient : {"1,2\n3,Smith\n", "1,2\n3,4,Smith\n", "1,2\n3,\"Smith\n", "1,2\n3,\"Smith\"Smith\n",
                                   "1,2\n\n3,Smith\n", "1,Smith\n", "a,b\n1,Smi th 1\n", "1,2\n3,19.5.1970 Smith\n"})
    EXPECT_THAT(errorOf(patient), AllOf(HasSubstr("line "), Not(HasSubstr("Smith")), Not(HasSubstr("1970"))));
}

TEST(Csv, Delimiters) {
  const Tensor<float> expected({2, 3}, {0.5f, 0.25f, 0.125f, 1, 2, 3});
  for (std::string_view text : {"0.5;0.25;0.125\n1;2;3\n", "0.5\t0.25\t0.125\r\n1\t2\t3\r\n",
                                "sep=,\n0.5,0.25,0.125\n1,2,3\n", "\"sep=;\"\r\n0.5;0.25;0.125\r\n1;2;3\r\n",
                                "a, b;c;d\n0.5;0.25;0.125\n1;2;3\n", "sep=|\na|b|c\n0.5|0.25|0.125\n1|2|3",
                                "\"a;b\",\"c\td\",e\n0.5,0.25,0.125\n1,2,3\n", "0.5\t0.25\t 0.125 \n1\t2\t3"})
    EXPECT_EQ(read(text), expected) << text;
  EXPECT_EQ(read("0.5|0.25|0.125\n1|2|3\n", {.delimiter = '|'}), expected);
  EXPECT_EQ(read(" 0.5   0.25 0.125 \n1 2  3\n", {.delimiter = ' '}), expected);
  EXPECT_EQ(read("\"a b\" c d\n0.5 0.25 0.125\n1 2 3\n", {.delimiter = ' '}), expected);
  EXPECT_EQ(errorOf("1,,3\n", {.delimiter = ','}), "line 1, column 2: not a number; fill in missing values first");
  EXPECT_THAT(errorOf("1\t\t3\n"), HasSubstr("line 1, column 2: not a number; fill in missing values"));
  EXPECT_THAT(errorOf("\t2\t3\n"), HasSubstr("line 1, column 1: not a number; fill in missing values"));
  EXPECT_THAT(errorOf("1\t2\t\n"), HasSubstr("line 1, column 3: not a number; fill in missing values"));
  EXPECT_THAT(errorOf("sep=;\n1,2\n"), HasSubstr("--delimiter ,"));
  EXPECT_THAT(errorOf("a,b;c\n1,2\n"), HasSubstr("line 2 has 1 cells, the first line has 2; they are split at ';'; if "
                                                 "something else separates them, say --delimiter"));
  EXPECT_THAT(errorOf("0.5 0.25\n"), HasSubstr("cells are split at ','"));
}

TEST(Csv, DecimalCommas) {
  const CsvOptions comma{.decimal = ','};
  EXPECT_EQ(read("0,5;0,25;-1,5e1\n", comma), Tensor<float>({1, 3}, {0.5f, 0.25f, -15}));
  EXPECT_EQ(read("0,5\t0,25\n", comma), Tensor<float>({1, 2}, {0.5f, 0.25f}));
  EXPECT_EQ(read("a\n0,5\n1\n", comma), Tensor<float>({2, 1}, {0.5f, 1}));
  EXPECT_EQ(read("\"0,5\",\"0,25\"\n", {.delimiter = ',', .decimal = ','}), Tensor<float>({1, 2}, {0.5f, 0.25f}));
  EXPECT_THAT(errorOf("0,5;0,25;0,125\n"),
              HasSubstr("line 1, column 1: not a number; it holds a comma: say --decimal , "
                        "if it is a decimal comma, --delimiter ,"));
  EXPECT_THAT(errorOf("\"0,5\",1\n"), HasSubstr("--decimal ,"));
  EXPECT_EQ(read("1,5;2\n", {.delimiter = ';', .decimal = ','}), Tensor<float>({1, 2}, {1.5f, 2}));
  EXPECT_THAT(errorOf("0.5;0.25\n", comma), HasSubstr("with --decimal , no point may occur in a number"));
  EXPECT_THAT(errorOf("0,5,0,25\n", comma), HasSubstr("no second comma"));
  EXPECT_THAT(errorOf("1,2\n", {.delimiter = ';'}), HasSubstr("it holds a comma"));
}

TEST(Csv, GroupedThousandsAreRefused) {
  for (std::string_view grouped : {"\"1,234\"", "\"1,234.5\"", "\"1,234,567\"", "1 234",
                                   "1\xC2\xA0"
                                   "234",
                                   "1'234"})
    EXPECT_THAT(errorOf(fmt::format("1;{}\n", grouped), {.delimiter = ';'}),
                HasSubstr("line 1, column 2: not a number"))
        << grouped;
  for (std::string_view grouped : {"1.234", "1.234,5", "1.234.567", "1 234,5"})
    EXPECT_THAT(errorOf(fmt::format("1;{}\n", grouped), {.decimal = ','}), HasSubstr("line 1, column 2: not a number"))
        << grouped;
}

TEST(Csv, Quotes) {
  EXPECT_EQ(read("\"a\",\"b\"\n\"0.5\",\"-2\"\n \"1\" ,2\n"), Tensor<float>({2, 2}, {0.5f, -2, 1, 2}));
  auto reader = CsvReader::open("id,note,x\nP\"1\",\"says \"\"no\"\",\nthen yes\",3\n\"\", b ,4\n");
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_THAT(reader->names(), ElementsAre("id", "note", "x"));
  ASSERT_TRUE(*reader->next());
  EXPECT_EQ(reader->cells()[0].text, "P\"1\"");
  EXPECT_EQ(reader->cells()[1].text, "says \"no\",\nthen yes");
  EXPECT_EQ(reader->number(2), 3);
  ASSERT_TRUE(*reader->next());
  EXPECT_TRUE(reader->cells()[0].isMissing());
  EXPECT_EQ(reader->line(), 4);
  EXPECT_EQ(reader->place(2), "line 4, column 3 ('x')");
  EXPECT_FALSE(*reader->next());
  EXPECT_THAT(errorOf("1,\"2\n3,4\n"), HasSubstr("line 1, column 2: a quote is opened and not closed"));
  EXPECT_THAT(errorOf("1,\"2\"3\n"), HasSubstr("line 1, column 2: something follows a closed quote"));
}

TEST(Csv, Encodings) {
  const Tensor<float> expected({1, 2}, {0.5f, -0.25f});
  for (const bool big : {false, true}) {
    const std::string text = utf16("0.5,-0.25\n", big);
    EXPECT_EQ(read((big ? "\xfe\xff" : "\xff\xfe") + text), expected);
    auto unmarked = parseCsv(text);
    ASSERT_TRUE(unmarked) << unmarked.error().message;
    EXPECT_EQ(unmarked->records, expected);
    EXPECT_THAT(unmarked->remarks, ElementsAre("read as UTF-16"));
  }
  EXPECT_EQ(read("\xEF\xBB\xBF\"a\",b\n0.5,-0.25\n"), expected);
  EXPECT_EQ(read("0.5,\xE2\x88\x92"
                 "0.25\n"),
            expected);
  EXPECT_EQ(read("\xC2\xA0"
                 "0.5\xC2\xA0,-0.25\n"),
            expected);
  auto windows = CsvReader::open("temp \xB0"
                                 "C,\x80\n37,1\n");
  ASSERT_TRUE(windows) << windows.error().message;
  EXPECT_THAT(windows->names(), ElementsAre("temp \xC2\xB0"
                                            "C",
                                            "\xE2\x82\xAC"));
  EXPECT_THAT(windows->remarks(), ElementsAre(HasSubstr("Windows-1252")));
  EXPECT_THAT(errorOf("0.5,\xE2\x80\x93"
                      "0.25\n"),
              HasSubstr("line 1, column 2: not a number"));
  EXPECT_THAT(errorOf("1,2\n0.5,\xE2\x80\x93"
                      "0.25\n"),
              HasSubstr("a dash in place of a minus"));
  EXPECT_THAT(errorOf("\xff\xfe"
                      "1\0,"sv),
              HasSubstr("UTF-16 text ends inside a character"));
  EXPECT_THAT(errorOf("\xff\xfe"
                      "1\0\0\xdc"sv),
              HasSubstr("UTF-16 text is damaged at byte 2"));
  EXPECT_THAT(errorOf("1,2\0\n"sv), HasSubstr("NUL"));
  EXPECT_THAT(errorOf("\xff\xfe\0\0"
                      "1\0\0\0"sv),
              HasSubstr("UTF-32"));
  EXPECT_THAT(errorOf("PK\x03\x04 and so on"), HasSubstr("spreadsheet"));
  EXPECT_THAT(errorOf("\x1f\x8b\x08"), HasSubstr("gunzip"));
  EXPECT_THAT(errorOf("\x93NUMPY\x01"), HasSubstr(".npy"));
}

TEST(Csv, LineEnds) {
  const Tensor<float> expected({2, 2}, {1, 2, 3, 4});
  for (std::string_view text : {"1,2\r3,4\r", "1,2\r3,4", "1,2\r\n3,4\r\n", "1,2\r\r\n3,4\r\r\n", "a,b\r1,2\r3,4\r\r"})
    EXPECT_EQ(read(text), expected) << text;
  EXPECT_THAT(errorOf("1,2\r3,4\n5,6\n"), HasSubstr("line 1"));
  EXPECT_THAT(errorOf("1\r\r2\r"), HasSubstr("line 2 is empty, and others follow"));
}

TEST(Csv, WhetherTheFirstLineIsNames) {
  EXPECT_THAT(errorOf("0,1,2\n5,6,7\n"), HasSubstr("line 1 counts 0, 1, 2, ...: say --header yes"));
  EXPECT_EQ(read("0,1,2\n5,6,7\n", {.header = Header::Yes}), Tensor<float>({1, 3}, {5, 6, 7}));
  EXPECT_EQ(read("0,1,2\n5,6,7\n", {.header = Header::No}), Tensor<float>({2, 3}, {0, 1, 2, 5, 6, 7}));
  EXPECT_EQ(read("1st,2nd\n5,6\n", {.header = Header::Yes}), Tensor<float>({1, 2}, {5, 6}));
  EXPECT_THAT(errorOf("1st,2nd\n5,6\n"), HasSubstr("if this line names the columns, say --header yes"));
  EXPECT_THAT(errorOf("a,b\n5,6\n", {.header = Header::No}), HasSubstr("line 1, column 1: not a number"));
  // What laboratories write below a limit of detection is no name.
  EXPECT_THAT(errorOf("<5,<3\n5,6\n"), HasSubstr("line 1, column 1: not a number"));
  EXPECT_THAT(errorOf(",5;,25\n5,6\n"), HasSubstr("line 1"));
  EXPECT_EQ(read("# a,b\n1,2\n"), Tensor<float>({1, 2}, {1, 2}));
}

TEST(Csv, ColumnsThatCountTheRecordsAreLeftOut) {
  for (std::string_view text :
       {",a,b\n0,5,6\n1,7,8\n", "\"\",\"a\",\"b\"\n\"1\",5,6\n\"2\",7,8\n", ",0,1\n0,5,6\n1,7,8\n"}) {
    auto result = parseCsv(std::string(text));
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->records, Tensor<float>({2, 2}, {5, 6, 7, 8}));
    EXPECT_THAT(result->remarks, ElementsAre(HasSubstr("left out")));
  }
  EXPECT_THAT(errorOf(",a,b\n0,5,6\n2,7,8\n"), HasSubstr("line 3: the first column has no name and does not count"));
  EXPECT_THAT(errorOf(",a,b\n0.5,5,6\n"), HasSubstr("line 2: the first column has no name"));
  EXPECT_THAT(errorOf("a,b,\n1,2,\n"), HasSubstr("say --header yes"));
  EXPECT_THAT(errorOf("+-5\n"), HasSubstr("not a number"));
}

} // namespace
} // namespace sd
