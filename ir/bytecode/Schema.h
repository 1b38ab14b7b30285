// What a program's record and result mean: model, columns, units, ranges, classes, findings. A part of the program that
// both parties know; docs/schema.md is its JSON form, which SchemaJson.h reads and writes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/bytecode/ImageMeaning.h"
#include "ir/core/Error.h"
#include "ir/core/Tensor.h"

namespace sd {

// Another unit that a column's value may come in: the value is `factor` times as many of the column's unit, and
// `offset`.
struct UnitConversion {
  std::string unit;
  double factor = 1, offset = 0;
  bool operator==(const UnitConversion &) const = default;
};

struct Column {
  std::string name, unit;                 // the unit may be empty
  std::optional<ValueRange> range;        // values outside are refused
  std::optional<double> substitute;       // in place of a missing value, which is an error without it
  std::vector<std::string> codes = {};    // of FHIR observations that hold it, "system|code" each
  std::vector<UnitConversion> units = {}; // that such observations may be in, beside `unit`
  bool operator==(const Column &) const = default;
};

struct InputMeaning {
  std::string name;                     // of the program's input
  std::vector<Column> columns;          // in the order of the input's elements; empty: they have no names
  std::vector<std::string> identifiers; // further columns of a table, which go through to the result
  std::optional<ImageMeaning> image;    // not beside columns
  std::optional<ValueRange> range;      // of every element; in a program the input's low and high say it
  std::int64_t measuredOn = 0;          // records on which the input's low and high were measured; 0: declared
  bool operator==(const InputMeaning &) const = default;
};

enum class ResultKind : std::uint8_t {
  Values,   // numbers, each with its unit: nothing is decided
  Classes,  // one of several that exclude each other
  Findings, // each is present or not, whatever the others are
};

struct ResultItem {
  std::string name, unit;          // unit: of values alone
  std::optional<double> threshold; // of findings alone: present if the output's value is above it
  bool operator==(const ResultItem &) const = default;
};

// An output that holds the number of a class in place of scores: class i has the number first + i step.
struct ClassNumbers {
  double first = 0, step = 1;
  bool operator==(const ClassNumbers &) const = default;
};

struct OutputMeaning {
  std::string name; // of the program's output
  ResultKind kind = ResultKind::Values;
  // In the order of the elements, or of the classes; empty: they have no names.
  std::vector<ResultItem> items;
  // Of a single score with two classes: the second if it is above.
  std::optional<double> threshold;
  std::optional<ClassNumbers> numbers;
  bool decided = false; // the output holds decisions, 0 or 1 each, and no scores (--reveal class)
  bool operator==(const OutputMeaning &) const = default;
};

// A promise that a value stays within its bound, which is not proved.
struct OpenBound {
  std::string where;        // "Conv_0 (share.relu)"
  double limit = 0;         // of |y|, as a real number
  std::int64_t records = 0; // it was measured on so many; 0: neither proved nor measured
  bool operator==(const OpenBound &) const = default;
};

// What the compiler adds. Which bounds are proved depends on the weights; nothing else here does.
struct CompiledFacts {
  std::int64_t provedBounds = 0;
  std::vector<OpenBound> openBounds;
  bool operator==(const CompiledFacts &) const = default;
};

struct Schema {
  std::string modelName, modelVersion, description; // each may be empty
  std::vector<InputMeaning> inputs;                 // any of the program's, each once
  std::vector<OutputMeaning> outputs;               // the same
  std::optional<CompiledFacts> compiled;
  bool operator==(const Schema &) const = default;

  const InputMeaning *input(std::string_view name) const; // null: nothing is said of it
  const OutputMeaning *output(std::string_view name) const;
  InputMeaning &inputOrNew(std::string_view name);
  OutputMeaning &outputOrNew(std::string_view name);
};

// A tensor that a schema may speak of.
struct NamedShape {
  std::string name;
  Shape shape;
};

// Elements of one record, where a first dimension of several counts records.
std::int64_t elementsOfRecord(const Shape &shape);

// Whether the schema is consistent in itself; the error lists all that is not, a line each.
Expected<void> checkSchema(const Schema &schema);
// Whether it also fits a program with inputs and outputs of those names and shapes.
Expected<void> checkSchema(const Schema &schema, const std::vector<NamedShape> &inputs,
                           const std::vector<NamedShape> &outputs);

} // namespace sd
