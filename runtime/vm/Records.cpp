#include "runtime/vm/Records.h"

#include <algorithm>
#include <cmath>

namespace sd {

namespace {

std::string inputNames(const ProgramIo &io) {
  std::vector<std::string> names;
  for (const Port &port : io.inputs)
    names.push_back(fmt::format("'{}'", port.name));
  return fmt::format("{}", fmt::join(names, ", "));
}

std::int64_t product(std::span<const std::int64_t> extents) {
  return elementCount(Shape(extents.begin(), extents.end()));
}

// How many records of `shape` the tensor holds.
Expected<std::int64_t> recordsIn(const std::string &name, const Shape &given, const Shape &shape) {
  if (given == shape) return 1;
  const std::span<const std::int64_t> rest = std::span(shape).subspan(shape.empty() ? 0 : 1);
  if (!shape.empty() && shape[0] == 1 && std::ranges::equal(given, rest)) return 1;
  if (!shape.empty() && !given.empty()) {
    const std::span<const std::int64_t> givenRest = std::span(given).subspan(1);
    const bool sameRest = std::ranges::equal(givenRest, rest);
    const bool table = givenRest.size() == 1 && givenRest[0] == product(rest);
    if (sameRest || table) {
      if (given[0] > 0 && given[0] % shape[0] == 0) return given[0] / shape[0];
      return fail("input '{}' holds {} records, but the program takes {} at a time", name, given[0], shape[0]);
    }
  }
  return fail("input '{}' has shape {}, the program takes {} (or several of them along the first axis)", name,
              toString(given), toString(shape));
}

} // namespace

Expected<std::vector<NamedTensors>> splitRecords(const Program &program, NamedTensors inputs) {
  const ProgramIo io = ioOf(program);
  if (auto unnamed = inputs.find(""); unnamed != inputs.end()) {
    if (io.inputs.size() != 1)
      return fail("the program has {} inputs; name each: {}", io.inputs.size(), inputNames(io));
    if (inputs.size() != 1) return fail("input '{}' is given twice", io.inputs[0].name);
    auto node = inputs.extract(unnamed);
    node.key() = io.inputs[0].name;
    inputs.insert(std::move(node));
  }
  for (const auto &[name, tensor] : inputs)
    if (std::ranges::none_of(io.inputs, [&](const Port &port) { return port.name == name; }))
      return fail("the program has no input '{}'; its inputs: {}", name, inputNames(io));

  std::vector<NamedTensors> records;
  for (const Port &port : io.inputs) {
    const auto input = inputs.find(port.name);
    if (input == inputs.end()) return fail("input '{}' is missing", port.name);
    const Shape &shape = program.slots[port.slot].shape;
    SD_ASSIGN(const std::int64_t count, recordsIn(port.name, input->second.shape, shape));
    if (records.empty()) records.resize(static_cast<std::size_t>(count));
    if (records.size() != static_cast<std::size_t>(count))
      return fail("input '{}' holds {} records, but '{}' holds {}", port.name, count, io.inputs[0].name,
                  records.size());
    const std::int64_t size = elementCount(shape);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto begin = input->second.data.begin() + i * size;
      records[static_cast<std::size_t>(i)].emplace(port.name, Tensor<float>(shape, {begin, begin + size}));
    }
  }
  if (records.empty()) records.resize(1); // a program without inputs
  return records;
}

Expected<void> checkRecord(const Program &program, const NamedTensors &record) {
  for (const Instruction &instruction : program.instructions) {
    if (instruction.op != OpKind::Input) continue;
    const std::string &name = instruction.attrs.str(Attr::Name);
    const auto input = record.find(name);
    if (input == record.end()) return fail("input '{}' is missing", name);
    const Shape &shape = program.slots[instruction.result].shape;
    if (input->second.shape != shape)
      return fail("input '{}' has shape {}, the program takes {}", name, toString(input->second.shape),
                  toString(shape));
    const bool ranged = instruction.attrs.has(Attr::Low);
    const double low = ranged ? instruction.attrs.f(Attr::Low) : 0, high = ranged ? instruction.attrs.f(Attr::High) : 0;
    for (std::size_t i = 0; i < input->second.data.size(); ++i) {
      const float value = input->second.data[i];
      if (!std::isfinite(value)) return fail("input '{}': element {} is not a number", name, i);
      if (ranged && !(value >= low && value <= high))
        return fail("input '{}': element {} is outside the range {} to {} that the program was compiled for", name, i,
                    low, high);
    }
  }
  return {};
}

Tensor<float> joinOutputs(std::span<const std::vector<Tensor<float>>> records, std::size_t output) {
  assert(!records.empty());
  Tensor<float> joined;
  joined.shape = records[0][output].shape;
  if (joined.shape.empty()) joined.shape = {1};
  joined.shape[0] *= static_cast<std::int64_t>(records.size());
  for (const auto &outputs : records)
    joined.data.insert(joined.data.end(), outputs[output].data.begin(), outputs[output].data.end());
  return joined;
}

} // namespace sd
