// Columns by name, missing values, identifiers.
#include "runtime/vm/Columns.h"

#include <gmock/gmock.h>

namespace sd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

InputMeaning blood() {
  InputMeaning input;
  input.name = "x";
  input.columns = {{"glucose", "mmol/l", ValueRange{0, 30}, {}}, {"age", {}, {}, 50}, {"bmi", {}, {}, {}}};
  input.identifiers = {"patient"};
  return input;
}

struct Read {
  Expected<RecordTable> table;
  std::vector<std::string> notes;
};

Read read(const std::string &text, const InputMeaning *input, std::vector<std::string> identifiers = {}) {
  Read result{fail(""), {}};
  const ColumnOptions options{"f.csv", std::move(identifiers),
                              [&](std::string_view note) { result.notes.emplace_back(note); }};
  auto reader = CsvReader::open(text);
  if (!reader)
    result.table = tl::unexpected(reader.error());
  else
    result.table = readColumns(*std::move(reader), input, options);
  return result;
}

std::string errorOf(const std::string &text, std::vector<std::string> identifiers = {}) {
  const InputMeaning input = blood();
  const Read result = read(text, &input, std::move(identifiers));
  return result.table ? "" : result.table.error().message;
}

TEST(ColumnsTest, AreFoundByNameInAnyOrder) {
  const InputMeaning input = blood();
  const Read straight = read("glucose,age,bmi\n5,60,25\n6,70,26\n", &input);
  ASSERT_TRUE(straight.table) << straight.table.error().message;
  EXPECT_THAT(straight.notes, IsEmpty());
  EXPECT_THAT(straight.table->records.shape, ElementsAre(2, 3));
  for (const char *text : {"age,bmi,glucose\n60,25,5\n70,26,6\n", "bmi;patient;glucose;age\n25;A;5;60\n26;B;6;70\n",
                           ",bmi,age,glucose\n0,25,60,5\n1,26,70,6\n"}) {
    const Read other = read(text, &input);
    ASSERT_TRUE(other.table) << other.table.error().message;
    EXPECT_EQ(other.table->records, straight.table->records) << text;
    EXPECT_THAT(fmt::format("{}", fmt::join(other.notes, "\n")), HasSubstr("put right by name"));
  }
}

TEST(ColumnsTest, MissingUnknownAndRepeatedOnesAreNamed) {
  EXPECT_THAT(errorOf("glucose,bmi\n5,25\n"), HasSubstr("line 1: column 'age' missing"));
  EXPECT_THAT(errorOf("glucose,age,bmi,sodium\n5,60,25,140\n"),
              HasSubstr("column 'sodium' not known to the program (leave out what it does not take; --id NAME"));
  EXPECT_THAT(errorOf("Glucose,age,bmi\n5,60,25\n"),
              HasSubstr("'Glucose' seems to be what the program calls 'glucose'"));
  EXPECT_THAT(errorOf("glucose,age,age,bmi\n5,60,60,25\n"), HasSubstr("two columns are called 'age'"));
  EXPECT_THAT(errorOf("glucose,age,bmi,site\n5,60,25,1\n", {"ward"}), HasSubstr("--id ward: there is no such column"));
  EXPECT_THAT(errorOf("glucose,age,bmi\n5,60,25\n", {"age"}), HasSubstr("--id age: the program computes with that"));
}

TEST(ColumnsTest, MissingValuesTakeTheirSubstituteOrAreRefused) {
  const InputMeaning input = blood();
  const Read result = read("bmi,age,glucose\n25,NA,5\n26,,6\n27,?,7\n", &input);
  ASSERT_TRUE(result.table) << result.table.error().message;
  EXPECT_THAT(result.table->records.data, ElementsAre(5, 50, 25, 6, 50, 26, 7, 50, 27));
  EXPECT_THAT(errorOf("bmi,age,glucose\n25,60,5\nNA,60,5\n"),
              HasSubstr("line 3, column 1 ('bmi'): the value of 'bmi' is missing, and the program has no substitute"));
}

TEST(ColumnsTest, IdentifiersGoThrough) {
  const InputMeaning input = blood();
  const Read declared = read("patient,glucose,age,bmi\nP 1,5,60,25\n\"P,2\",6,70,26\n", &input);
  ASSERT_TRUE(declared.table) << declared.table.error().message;
  EXPECT_THAT(declared.table->identifiers, ElementsAre("P 1", "P,2"));
  EXPECT_THAT(declared.table->records.shape, ElementsAre(2, 3));
  const Read asked = read("ward,glucose,age,bmi\nA,5,60,25\n", &input, {"ward"});
  ASSERT_TRUE(asked.table) << asked.table.error().message;
  EXPECT_THAT(asked.table->identifiers, ElementsAre("A"));
  const Read unnamed = read("ward,a,b\nA,5,60\n", nullptr, {"ward"});
  ASSERT_TRUE(unnamed.table) << unnamed.table.error().message;
  EXPECT_THAT(unnamed.table->records.data, ElementsAre(5, 60));
}

TEST(ColumnsTest, TakenByPositionIsSaid) {
  const Read nameless = read("a,b,c,d,e,f\n1,2,3,4,5,6\n", nullptr);
  ASSERT_TRUE(nameless.table);
  EXPECT_THAT(nameless.notes,
              ElementsAre("f.csv: line 1 taken as column names; the program has no names to compare them "
                          "with, so columns are taken by position: 'a', 'b', 'c', 'd', 'e', ... (6 in "
                          "all)"));
  const InputMeaning input = blood();
  const Read headless = read("5,60,25\n", &input);
  ASSERT_TRUE(headless.table);
  EXPECT_THAT(headless.notes,
              ElementsAre("f.csv: no line of column names, so columns are taken in the program's order: "
                          "'glucose', 'age', 'bmi'"));
  EXPECT_THAT(errorOf("5,60\n"), HasSubstr("2 columns without names, and the program takes 3"));
  EXPECT_THAT(errorOf("5,60,25\n", {"ward"}), HasSubstr("--id ward: the file's first line names no columns"));
}

} // namespace
} // namespace sd
