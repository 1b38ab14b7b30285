#include "runtime/vm/Records.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sd {

namespace {

std::string inputNames(std::span<const RecordInput> inputs) {
  std::vector<std::string> names;
  for (const RecordInput &input : inputs)
    names.push_back(fmt::format("'{}'", input.name));
  return fmt::format("{}", fmt::join(names, ", "));
}

std::int64_t product(std::span<const std::int64_t> extents) {
  return elementCount(Shape(extents.begin(), extents.end()));
}

std::string wantedShape(const Shape &shape) {
  return shape.empty() ? "one number a record (shape N or Nx1)"
                       : toString(shape) + " (or several of them along the first axis)";
}

// How many records of `shape` the tensor holds.
Expected<std::int64_t> recordsIn(const std::string &name, const Shape &given, const Shape &shape) {
  if (given == shape) return 1;
  const auto misfit = [&] {
    return fail("input '{}' has shape {}, the program takes {}", name, toString(given), wantedShape(shape));
  };
  if (given.empty()) return misfit();
  const std::span<const std::int64_t> givenRest = std::span(given).subspan(1);
  const bool isTable = givenRest.size() == 1;
  if (shape.empty()) {
    if (!givenRest.empty() && !(isTable && givenRest[0] == 1)) return misfit();
    if (given[0] == 0) return fail("input '{}' holds 0 records", name);
    return given[0];
  }
  const std::span<const std::int64_t> rest = std::span(shape).subspan(1);
  if (shape[0] == 1 && std::ranges::equal(given, rest)) return 1;
  if (std::ranges::equal(givenRest, rest) || (isTable && givenRest[0] == product(rest))) {
    if (given[0] > 0 && given[0] % shape[0] == 0) return given[0] / shape[0];
    return fail("input '{}' holds {} records, but the program takes {} at a time", name, given[0], shape[0]);
  }
  if (std::ranges::equal(givenRest, shape) || (isTable && givenRest[0] == product(shape))) {
    if (given[0] > 0) return given[0];
    return fail("input '{}' holds 0 records", name);
  }
  return misfit();
}

} // namespace

RecordInput recordInput(const Attrs &attrs, const Shape &shape, const Schema &schema) {
  RecordInput input{attrs.str(Attr::Name), shape, std::nullopt, schema.input(attrs.str(Attr::Name))};
  if (attrs.has(Attr::Low)) input.range = ValueRange{attrs.f(Attr::Low), attrs.f(Attr::High)};
  return input;
}

namespace {

const Column *columnOf(const RecordInput &input, std::size_t element) {
  if (!input.meaning || input.meaning->columns.empty()) return nullptr;
  return &input.meaning->columns[element % input.meaning->columns.size()];
}

} // namespace

std::optional<ValueRange> RecordInput::rangeOf(std::size_t element) const {
  const Column *column = columnOf(*this, element);
  return column && column->range ? column->range : range;
}

std::string RecordInput::nameOf(std::size_t element) const {
  const Column *column = columnOf(*this, element);
  return column ? fmt::format("column '{}'", column->name) : fmt::format("element {}", element);
}

std::vector<RecordInput> recordInputs(const Program &program) {
  std::vector<RecordInput> inputs;
  for (const Instruction &instruction : program.instructions)
    if (instruction.op == OpKind::Input)
      inputs.push_back(recordInput(instruction.attrs, program.slots[instruction.result].shape, program.schema));
  return inputs;
}

Expected<std::vector<NamedTensors>> splitRecords(std::span<const RecordInput> inputs, NamedTensors tensors) {
  if (auto unnamed = tensors.find(""); unnamed != tensors.end()) {
    if (inputs.size() != 1) return fail("the program has {} inputs; name each: {}", inputs.size(), inputNames(inputs));
    if (tensors.size() != 1) return fail("input '{}' is given twice", inputs[0].name);
    auto node = tensors.extract(unnamed);
    node.key() = inputs[0].name;
    tensors.insert(std::move(node));
  }
  for (const auto &[name, tensor] : tensors)
    if (std::ranges::find(inputs, name, &RecordInput::name) == inputs.end())
      return fail("the program has no input '{}'; its inputs: {}", name, inputNames(inputs));

  std::vector<NamedTensors> records;
  for (const RecordInput &input : inputs) {
    const auto given = tensors.find(input.name);
    if (given == tensors.end()) return fail("input '{}' is missing", input.name);
    SD_ASSIGN(const std::int64_t count, recordsIn(input.name, given->second.shape, input.shape));
    if (records.empty()) records.resize(static_cast<std::size_t>(count));
    if (records.size() != static_cast<std::size_t>(count))
      return fail("input '{}' holds {} records, but '{}' holds {}", input.name, count, inputs[0].name, records.size());
    const std::int64_t size = elementCount(input.shape);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto begin = given->second.data.begin() + i * size;
      records[static_cast<std::size_t>(i)].emplace(input.name, Tensor<float>(input.shape, {begin, begin + size}));
    }
  }
  if (records.empty()) records.resize(1); // a program without inputs
  return records;
}

Expected<std::vector<NamedTensors>> splitRecords(const Program &program, NamedTensors tensors) {
  return splitRecords(recordInputs(program), std::move(tensors));
}

namespace {

std::string describeOrigin(const RecordInput &input) {
  if (!input.meaning || input.meaning->measuredOn == 0) return "the program was compiled for";
  return fmt::format("the program's bounds were measured in, on {} records; compile the model with --input-range, or "
                     "with --calibrate on records that are like this one, too",
                     input.meaning->measuredOn);
}

} // namespace

Expected<void> checkRecord(std::span<const RecordInput> inputs, const NamedTensors &record) {
  for (const RecordInput &input : inputs) {
    const auto given = record.find(input.name);
    if (given == record.end()) return fail("input '{}' is missing", input.name);
    if (given->second.shape != input.shape)
      return fail("input '{}' has shape {}, the program takes {}", input.name, toString(given->second.shape),
                  toString(input.shape));
    for (std::size_t i = 0; i < given->second.data.size(); ++i) {
      const float value = given->second.data[i];
      if (!std::isfinite(value)) return fail("input '{}': {} is not a number", input.name, input.nameOf(i));
      if (const auto range = input.rangeOf(i); range && !isWithin(value, *range))
        return fail("input '{}': {} is outside the range {} to {} that {}", input.name, input.nameOf(i), range->low,
                    range->high, describeOrigin(input));
    }
  }
  return {};
}

Expected<void> checkRecord(const Program &program, const NamedTensors &record) {
  return checkRecord(recordInputs(program), record);
}

Expected<void> checkEach(std::span<const NamedTensors> records,
                         const std::function<Expected<void>(const NamedTensors &)> &check) {
  for (std::size_t i = 0; i < records.size(); ++i)
    if (auto checked = check(records[i]); !checked)
      return records.size() == 1 ? checked : failAs(checked.error(), "record {}: {}", i + 1, checked.error().message);
  return {};
}

std::optional<float> valueOutside(std::span<const RecordInput> inputs, const NamedTensors &record) {
  for (const RecordInput &input : inputs) {
    const auto given = record.find(input.name);
    if (given == record.end()) continue;
    for (std::size_t i = 0; i < given->second.data.size(); ++i) {
      const float value = given->second.data[i];
      const auto range = input.rangeOf(i);
      if (range && std::isfinite(value) && !isWithin(value, *range)) return value;
    }
  }
  return std::nullopt;
}

float nearestInside(float value, double low, double high) {
  if (value > high) {
    const auto end = static_cast<float>(high);
    return end > high ? std::nextafter(end, -std::numeric_limits<float>::infinity()) : end;
  }
  if (!(value < low)) return value;
  const auto end = static_cast<float>(low);
  return end < low ? std::nextafter(end, std::numeric_limits<float>::infinity()) : end;
}

} // namespace sd
