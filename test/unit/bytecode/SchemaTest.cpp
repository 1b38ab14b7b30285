// The schema's JSON: what is read, what is refused and where, and the one form that programs hold.
#include "ir/bytecode/SchemaJson.h"

#include <gmock/gmock.h>

namespace sd {
namespace {

using testing::HasSubstr;

constexpr std::string_view kTable = R"({
  "model": {"name": "heart", "version": "3", "description": "risk"},
  "inputs": [{"name": "x", "identifiers": ["id"], "range": [0, 200],
    "columns": ["age", {"name": "glucose", "unit": "mmol/l", "range": [1, 30], "missing": 5.5},
                {"name": "bmi", "missing": "error"}]}],
  "outputs": [{"name": "risk", "classes": ["low", {"name": "high"}], "threshold": 0.25},
              {"name": "found", "findings": [{"name": "a", "threshold": 0.75}, "b"]},
              {"name": "size", "values": [{"name": "volume", "unit": "ml"}]}]
})";

std::string errorOf(std::string_view json) {
  const auto read = parseSchema(json);
  return read ? "" : read.error().message;
}

TEST(SchemaTest, IsReadAsWritten) {
  const auto schema = parseSchema(kTable);
  ASSERT_TRUE(schema) << schema.error().message;
  EXPECT_EQ(schema->modelName, "heart");
  EXPECT_EQ(schema->modelVersion, "3");
  const InputMeaning &x = *schema->input("x");
  EXPECT_EQ(x.columns[0], (Column{"age", {}, {}, {}}));
  EXPECT_EQ(x.columns[1], (Column{"glucose", "mmol/l", ValueRange{1, 30}, 5.5}));
  EXPECT_EQ(x.columns[2], (Column{"bmi", {}, {}, {}}));
  EXPECT_EQ(x.identifiers, std::vector<std::string>{"id"});
  EXPECT_EQ(x.range, (ValueRange{0, 200}));
  EXPECT_EQ(schema->output("risk")->kind, ResultKind::Classes);
  EXPECT_EQ(schema->output("risk")->threshold, 0.25);
  EXPECT_EQ(schema->output("found")->items[0], (ResultItem{"a", {}, 0.75}));
  EXPECT_EQ(schema->output("found")->items[1], (ResultItem{"b", {}, {}}));
  EXPECT_EQ(schema->output("size")->items[0].unit, "ml");
  EXPECT_EQ(schema->input("y"), nullptr);
  EXPECT_TRUE(parseSchema("\xEF\xBB\xBF{}"));
}

TEST(SchemaTest, OneFormComesBackToTheByteAndNoOtherDoes) {
  Schema schema = *parseSchema(kTable);
  schema.compiled = CompiledFacts{3, {{"Conv_0 (share.relu)", 4.5, 100}, {"Y", 2, 0}}};
  schema.inputs[0].measuredOn = 100;
  schema.outputs[1].decided = true;
  schema.outputs[0].threshold.reset();
  schema.outputs[0].numbers = ClassNumbers{3, 2};
  const std::string json = toJson(schema);
  const auto again = parseProgramSchema(json);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_TRUE(*again == schema);
  EXPECT_EQ(toJson(*again), json);
  EXPECT_THAT(parseProgramSchema(json + " ").error().message, HasSubstr("one form"));
  EXPECT_THAT(parseProgramSchema(R"({"inputs":[{"name":"x","range":[0,1]}]})").error().message, HasSubstr("one form"));
  EXPECT_TRUE(parseProgramSchema("{}"));
}

TEST(SchemaTest, WhatTheCompilerAddsIsNotForUsers) {
  EXPECT_THAT(errorOf(R"({"compiled": {}})"), HasSubstr("'compiled' is the compiler's own"));
  EXPECT_THAT(errorOf(R"({"inputs": [{"name": "x", "measured_on": 4}]})"), HasSubstr("inputs[0]: 'measured_on' is"));
  EXPECT_THAT(errorOf(R"({"outputs": [{"name": "y", "classes": [], "decided": true}]})"),
              HasSubstr("outputs[0]: 'decided' is"));
}

TEST(SchemaTest, ErrorsSayWhereAndComeTogether) {
  const std::string message = errorOf(R"({"inputs": [{"columns": [{"nam": "a"}, {"name": 3}], "range": [1]}],
    "outputs": [{"name": "y", "classes": [], "values": []}, {"name": "z"}, {"name": "w", "findings": {}}], "more": 1})");
  for (const char *part :
       {"inputs[0]: 'name' is missing",
        "inputs[0].columns[0]: 'nam' is unknown here; known are name, unit, range, missing",
        "inputs[0].columns[0]: 'name' is missing", "inputs[0].columns[1].name: must be text",
        "inputs[0].range: must be two numbers", "outputs[0]: must have one of the lists values, classes, findings",
        "outputs[1]: must have one of the lists", "outputs[2].findings: must be a list",
        "the schema: 'more' is unknown"})
    EXPECT_THAT(message, HasSubstr(part));
  EXPECT_THAT(errorOf("[]"), HasSubstr("the schema: must be an object"));
  EXPECT_THAT(errorOf("{\n\"inputs\": [,]}"), HasSubstr("not JSON: parse error at line 2"));
  EXPECT_THAT(errorOf(R"({"inputs": [], "inputs": []})"), HasSubstr("'inputs' is given twice in one object"));
  EXPECT_THAT(errorOf(R"({"model": [[[[[[[[[[[]]]]]]]]]]]})"), HasSubstr("nested too deeply"));
  EXPECT_THAT(errorOf(R"({"model": {"name": 1e999}})"), HasSubstr("not JSON"));
}

TEST(SchemaTest, EachInconsistencyIsNamed) {
  const auto input = [](std::string_view fields) {
    return errorOf(fmt::format(R"({{"inputs": [{{"name": "x", {}}}]}})", fields));
  };
  const auto output = [](std::string_view fields) {
    return errorOf(fmt::format(R"({{"outputs": [{{"name": "y", {}}}]}})", fields));
  };
  EXPECT_THAT(input(R"("columns": ["a", "a"])"), HasSubstr("two columns are called 'a'"));
  EXPECT_THAT(input(R"("columns": ["a"], "identifiers": ["a"])"), HasSubstr("two columns are called 'a'"));
  EXPECT_THAT(input(R"("identifiers": ["a"])"), HasSubstr("identifiers need columns"));
  EXPECT_THAT(input(R"("columns": [""])"), HasSubstr("a column's name is empty"));
  EXPECT_THAT(input(R"("columns": ["a\nb"])"), HasSubstr("without control characters"));
  EXPECT_THAT(input(R"("columns": [{"name": "a", "range": [2, 1]}])"), HasSubstr("a range from 2 to 1"));
  EXPECT_THAT(input(R"("columns": [{"name": "a", "range": [1, 2], "missing": 3}])"), HasSubstr("outside its range"));
  EXPECT_THAT(input(R"("columns": [{"name": "a", "missing": true}])"), HasSubstr(".missing: must be"));
  EXPECT_THAT(input(R"("image": {"height": 2, "width": 2})"), HasSubstr("an image without channels"));
  EXPECT_THAT(input(R"("image": {"height": 0, "width": 2, "channels": ["grey"]})"), HasSubstr("0 x 2 pixels"));
  EXPECT_THAT(input(R"("image": {"height": 1, "width": 2, "channels": ["grey"], "white": 0})"),
              HasSubstr("white is 0"));
  EXPECT_THAT(input(R"("image": {"height": 1, "width": 2, "channels": ["grey"], "window": 0})"),
              HasSubstr("image.window: must be one of stored, image, file"));
  EXPECT_THAT(input(R"("image": {"height": 1, "width": 2, "channels": ["grey"], "gamma": 2})"),
              HasSubstr("'gamma' is unknown"));
  EXPECT_THAT(input(R"("image": {"height": 1, "width": 2, "channels": ["grey"], "photometric": ["GREY"]})"),
              HasSubstr("the photometric interpretation 'GREY'"));
  EXPECT_THAT(
      input(R"("image": {"height": 1, "width": 2, "channels": ["grey"], "normalization": {"mean": [1], "std": [0]}})"),
      HasSubstr("a standard deviation of 0"));
  EXPECT_THAT(output(R"("classes": ["a", "a"])"), HasSubstr("the class 'a' is given twice"));
  EXPECT_THAT(output(R"("classes": [{"name": "a", "threshold": 1}])"), HasSubstr("which only findings have"));
  EXPECT_THAT(output(R"("findings": [{"name": "a", "unit": "ml"}])"), HasSubstr("which only values have"));
  EXPECT_THAT(output(R"("classes": ["a", "b", "c"], "threshold": 1)"), HasSubstr("a single score with two classes"));
  EXPECT_THAT(errorOf(R"({"inputs": [{"name": "x"}, {"name": "x"}]})"), HasSubstr("the input 'x' is given twice"));
}

TEST(SchemaTest, IsHeldAgainstShapes) {
  const auto fits = [](std::string_view json, Shape input, Shape output) {
    const auto checked = checkSchema(*parseSchema(json), {{"x", std::move(input)}}, {{"y", std::move(output)}});
    return checked ? "" : checked.error().message;
  };
  constexpr std::string_view kColumns = R"({"inputs": [{"name": "x", "columns": ["a", "b"]}]})";
  EXPECT_EQ(fits(kColumns, {1, 2}, {1}), "");
  EXPECT_EQ(fits(kColumns, {5, 2}, {1}), ""); // five records
  EXPECT_EQ(fits(kColumns, {2}, {1}), "");
  EXPECT_THAT(fits(kColumns, {2, 3}, {1}), HasSubstr("has 2 columns, and the model takes 3 numbers"));
  EXPECT_THAT(fits(R"({"inputs": [{"name": "z"}]})", {1}, {1}), HasSubstr("there is no input 'z'; the model has 'x'"));
  constexpr std::string_view kImage =
      R"({"inputs": [{"name": "x", "image": {"height": 4, "width": 5, "channels": ["r", "g", "b"]}}]})";
  for (const Shape &shape : {Shape{1, 3, 4, 5}, Shape{1, 4, 5, 3}, Shape{7, 3, 4, 5}, Shape{3, 4, 5}})
    EXPECT_EQ(fits(kImage, shape, {1}), "") << toString(shape);
  EXPECT_THAT(fits(kImage, {1, 3, 5, 4}, {1}), HasSubstr("an image of 4 x 5 pixels and 3 channels"));
  EXPECT_THAT(fits(kImage, {1, 60}, {1}), HasSubstr("the model takes 1x60")); // in which order would channels be?
  constexpr std::string_view kGrey =
      R"({"inputs": [{"name": "x", "image": {"height": 4, "width": 5, "channels": ["grey"]}}]})";
  for (const Shape &shape : {Shape{1, 20}, Shape{20}, Shape{4, 5}, Shape{1, 4, 5}, Shape{7, 1, 4, 5}})
    EXPECT_EQ(fits(kGrey, shape, {1}), "") << toString(shape);
  for (const Shape &shape : {Shape{1, 21}, Shape{20, 1}, Shape{5, 4}})
    EXPECT_THAT(fits(kGrey, shape, {1}), HasSubstr("an image of 4 x 5 pixels and 1 channels")) << toString(shape);
  constexpr std::string_view kValues = R"({"outputs": [{"name": "y", "values": ["a", "b"]}]})";
  EXPECT_EQ(fits(kValues, {1}, {3, 2}), "");
  EXPECT_THAT(fits(kValues, {1}, {1, 3}), HasSubstr("has 2 names, and the model gives 3 numbers"));
}

} // namespace
} // namespace sd
