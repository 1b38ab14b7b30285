#include "runtime/vm/Report.h"

#include <algorithm>
#include <cmath>

#include "ir/bytecode/ProgramIo.h"

namespace sd {

namespace {

constexpr std::size_t kMostValues = 20; // of a tensor, before it is cut short

OpKind opBehind(const Program &program, SlotId slot) {
  for (const Instruction &instruction : program.instructions)
    if (instruction.result == slot && info(instruction.op).hasResult()) return instruction.op;
  return OpKind::Identity;
}

std::string className(std::size_t index, const std::vector<std::string> &classes) {
  return index < classes.size() ? classes[index] : fmt::format("class {}", index);
}

std::string listed(std::span<const float> values, const std::vector<std::string> &classes) {
  std::vector<std::string> items;
  for (std::size_t i = 0; i < std::min(values.size(), kMostValues); ++i)
    items.push_back(i < classes.size() ? fmt::format("{} {:.4g}", classes[i], values[i])
                                       : fmt::format("{:.4g}", values[i]));
  if (values.size() > kMostValues) items.push_back(fmt::format("... ({} values)", values.size()));
  return fmt::format("{}", fmt::join(items, ", "));
}

// One vector of at least two scores, whatever axes of size 1 stand around it.
bool isVector(const Shape &shape) {
  return std::ranges::count_if(shape, [](auto n) { return n > 1; }) == 1;
}

bool namesClasses(OpKind op) { return op == OpKind::ArgMax || op == OpKind::ArgTopK; }

// How many classes an output tells apart; 0: it names none.
std::size_t classCount(const Program &program, SlotId slot) {
  const Shape &shape = program.slots[slot].shape;
  for (const Instruction &instruction : program.instructions) {
    if (instruction.result != slot) continue;
    if (instruction.op == OpKind::TopK) return 0;
    if (namesClasses(instruction.op))
      return static_cast<std::size_t>(
          program.slots[instruction.operands[0]].shape[static_cast<std::size_t>(instruction.attrs.i(Attr::Axis))]);
  }
  return isVector(shape) ? static_cast<std::size_t>(elementCount(shape)) : 0;
}

std::string describe(OpKind op, const Tensor<float> &output, const std::vector<std::string> &classes) {
  const std::span<const float> values(output.data);
  if (!isValid(values)) return "no valid result";
  if (namesClasses(op)) {
    std::vector<std::string> names;
    for (float value : values)
      names.push_back(className(static_cast<std::size_t>(value), classes));
    return fmt::format("{}", fmt::join(names, ", "));
  }
  if (op == OpKind::TopK || !isVector(output.shape)) return listed(values, {});
  const auto best = static_cast<std::size_t>(std::ranges::max_element(values) - values.begin());
  const char *what = op == OpKind::Softmax      ? "probabilities"
                     : op == OpKind::LogSoftmax ? "log-probabilities"
                                                : "scores";
  return fmt::format("{} ({}: {})", className(best, classes), what, listed(values, classes));
}

} // namespace

bool isValid(std::span<const float> output) {
  return std::ranges::none_of(output, [](float v) { return std::isnan(v); });
}

std::string describeRecord(const Program &program, std::span<const Tensor<float>> outputs, std::uint64_t number,
                           const std::vector<std::string> &classes) {
  const ProgramIo io = ioOf(program);
  std::string text;
  for (std::size_t i = 0; i < io.outputs.size(); ++i) {
    if (number > 0) text += fmt::format("record {}: ", number);
    if (io.outputs.size() > 1) text += fmt::format("{}: ", io.outputs[i].name);
    text += describe(opBehind(program, io.outputs[i].slot), outputs[i], classes) + "\n";
  }
  return text;
}

Expected<void> checkValid(std::span<const std::uint64_t> invalid) {
  if (invalid.empty()) return {};
  std::vector<std::uint64_t> named(invalid.begin(), invalid.begin() + std::min(invalid.size(), kMostValues));
  for (std::uint64_t &record : named)
    ++record;
  const std::size_t more = invalid.size() - named.size();
  return fail(ErrorKind::Invalid,
              "record {}{}: a value inside the network left its bound, so there is no valid result; compile the model "
              "with --input-range and --calibrate so that the bounds hold for such records",
              fmt::join(named, ", "), more > 0 ? fmt::format(" and {} more", more) : "");
}

Expected<void> checkClasses(const Program &program, const std::vector<std::string> &classes) {
  if (classes.empty()) return {};
  const ProgramIo io = ioOf(program);
  std::size_t most = 0;
  for (const Port &port : io.outputs) {
    const std::size_t count = classCount(program, port.slot);
    if (count == classes.size()) return {};
    most = std::max(most, count);
  }
  if (most == 0) return fail("--classes: the program's result is no choice between classes");
  return fail("--classes names {}, but the program tells {} classes apart", classes.size(), most);
}

} // namespace sd
