// Records: tensors that hold several of them, cut up and checked. One set of rules for the
// compiler, which checks and calibrates on records, and for the machine that runs them.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "ir/bytecode/Program.h"

namespace sd {

using NamedTensors = std::map<std::string, Tensor<float>>;

// What records must fit: an nn.input, and what the schema says of it.
struct RecordInput {
  std::string name;
  Shape shape;
  std::optional<ValueRange> range;       // of every value, where no column has its own
  const InputMeaning *meaning = nullptr; // null: nothing is said

  // By position in the input's tensor.
  std::optional<ValueRange> rangeOf(std::size_t element) const;
  std::string nameOf(std::size_t element) const; // "column 'age'", or "element 7"
};
// Of an nn.input's attributes. The schema outlives the result.
RecordInput recordInput(const Attrs &attrs, const Shape &shape, const Schema &schema);
std::vector<RecordInput> recordInputs(const Program &program); // which outlives the result, too

// Whether a value lies in the range, whose ends are rounded to floats as the record's numbers were.
inline bool isWithin(float value, const ValueRange &range) {
  return value >= static_cast<float>(range.low) && value <= static_cast<float>(range.high);
}

// One map of inputs a record. An input of shape [B, ...] may come as [N, ...] with N a multiple of B (N / B records,
// run one after another), as a table of N lines with as many numbers as [...] or as [B, ...] has, as [N, B, ...], or,
// if B is 1, without the leading dimension; a scalar as one number a record, [N] or [N, 1]. All inputs must have as
// many records. An input without a name, "", is the only one's.
Expected<std::vector<NamedTensors>> splitRecords(std::span<const RecordInput> inputs, NamedTensors tensors);
Expected<std::vector<NamedTensors>> splitRecords(const Program &program, NamedTensors tensors);

// Checks one record against the declared shapes and ranges; no NaN, no infinity.
Expected<void> checkRecord(std::span<const RecordInput> inputs, const NamedTensors &record);
Expected<void> checkRecord(const Program &program, const NamedTensors &record);

// Checks one after another; the error names the record, where there are several.
Expected<void> checkEach(std::span<const NamedTensors> records,
                         const std::function<Expected<void>(const NamedTensors &)> &check);

// The first value of a record that is outside its input's range, if that is what is wrong with the record.
std::optional<float> valueOutside(std::span<const RecordInput> inputs, const NamedTensors &record);

// The float in [low, high] that is nearest to `value`.
float nearestInside(float value, double low, double high);

} // namespace sd
