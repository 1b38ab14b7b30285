#include "ir/bytecode/Verify.h"

#include <algorithm>
#include <set>

#include "ir/bytecode/ByteIo.h"
#include "ir/bytecode/Format.h"
#include "ir/bytecode/ProgramIo.h"
#include "ir/core/ScheduleAttr.h"

namespace sd {

namespace {

constexpr std::uint32_t kUnwritten = ~std::uint32_t{0};

class Verifier {
public:
  explicit Verifier(const Program &program) : program_(program) {}

  Expected<void> run() {
    if (!isRingBits(program_.ringBits)) return fail("B8: a ring of {} bits", program_.ringBits);
    SD_TRY(text(program_.name, "the program's name"));
    SD_TRY(slots());
    SD_TRY(instructions());
    SD_TRY(groups());
    return schema();
  }

private:
  static Expected<void> text(const std::string &value, std::string_view what) {
    if (value.size() > format::kMaxStringBytes)
      return fail("B6: {} has {} bytes; at most {} are allowed", what, value.size(), format::kMaxStringBytes);
    if (!isPlainText(value)) return fail("B6: {} is not UTF-8 text without control characters", what);
    return {};
  }

  Expected<void> slots() {
    if (program_.slots.size() > format::kMaxSlots)
      return fail("B7: {} slots; at most {} are allowed", program_.slots.size(), format::kMaxSlots);
    std::int64_t total = 0;
    for (std::size_t i = 0; i < program_.slots.size(); ++i) {
      if (auto good = checkType(program_.slots[i]); !good) return fail("B1: slot {}: {}", i, good.error().message);
      const std::int64_t count = elementCount(program_.slots[i].shape);
      if (count > format::kMaxSlotElements)
        return fail("B7: slot {}: {} has more than 2^28 elements", i, toString(program_.slots[i]));
      total += count;
      if (total > format::kMaxTotalElements) return fail("B7: the slots have more than 2^36 elements in all");
    }
    writer_.assign(program_.slots.size(), kUnwritten);
    return {};
  }

  Expected<void> instructions() {
    const auto &list = program_.instructions;
    if (list.size() > format::kMaxInstructions)
      return fail("B7: {} instructions; at most {} are allowed", list.size(), format::kMaxInstructions);
    if (list.empty() || list.back().op != OpKind::Return) return fail("B4: the last instruction is not nn.return");
    for (std::uint32_t i = 0; i < list.size(); ++i) {
      if (auto checked = instruction(i); !checked) {
        const std::string_view mnemonic = info(list[i].op).mnemonic;
        std::string_view message = checked.error().message;
        if (message.starts_with(mnemonic)) message.remove_prefix(mnemonic.size() + 2); // resultType() says it too
        return fail("instruction {} ({}{}{}): {}", i, mnemonic, list[i].source.empty() ? "" : ", ",
                    isPlainText(list[i].source) ? list[i].source : "", message);
      }
    }
    auto unwritten = std::ranges::find(writer_, kUnwritten);
    if (unwritten != writer_.end())
      return fail("B1: slot {} is never written", static_cast<std::size_t>(unwritten - writer_.begin()));
    return {};
  }

  Expected<void> instruction(std::uint32_t index) {
    const Instruction &it = program_.instructions[index];
    const OpInfo &op = info(it.op);
    if (op.opcode == 0) return fail("B2: this op does not occur in programs");
    if (it.operands.size() < op.minOperands || it.operands.size() > op.maxOperands)
      return fail("B2: {} operands; it takes {} to {}", it.operands.size(), op.minOperands, op.maxOperands);
    for (SlotId operand : it.operands) {
      if (operand >= program_.slots.size()) return fail("B2: operand slot {} does not exist", operand);
      if (writer_[operand] == kUnwritten) return fail("B2: operand slot {} is used before it is written", operand);
    }
    if (op.hasResult()) {
      if (it.result >= program_.slots.size()) return fail("B2: result slot {} does not exist", it.result);
      if (writer_[it.result] != kUnwritten)
        return fail("B1: slot {} is written a second time, after instruction {}", it.result, writer_[it.result]);
    } else if (it.result != ~SlotId{0}) {
      return fail("B2: it has no result, and slot {} is named as one", it.result);
    }
    SD_TRY(text(it.source, "the source name"));
    SD_TRY(types(it));
    SD_TRY(attributes(it));
    SD_TRY(order(index, it));
    if (op.hasResult()) writer_[it.result] = index;
    return {};
  }

  // What resultType() leaves open.
  static Expected<void> attributes(const Instruction &it) {
    for (const auto &[attr, value] : it.attrs) {
      const std::string_view name = findAttr(attr)->text;
      if (attr == Attr::Weights || attr == Attr::Round)
        return fail("B2: attribute '{}' does not occur in programs", name);
      if (const auto *string = std::get_if<std::string>(&value)) SD_TRY(text(*string, name));
      if (const auto *strings = std::get_if<std::vector<std::string>>(&value)) {
        for (const auto &item : *strings)
          SD_TRY(text(item, name));
      }
    }
    if (compares(it.op) && !it.attrs.has(Attr::Schedule)) return fail("B2: attribute 'schedule' is not chosen");
    if (it.op == OpKind::ShareTruncate && it.attrs.i(Attr::Bits) < 1) return fail("B2: a truncation by no bits");
    return {};
  }

  Expected<void> order(std::uint32_t index, const Instruction &it) {
    const bool clear = info(it.op).level == Level::Nn;
    if (it.op == OpKind::ShareConstant) {
      if (part_ != Part::Before) return fail("B4: weights are named before the secure part");
    } else if (!clear) {
      if (part_ == Part::After) return fail("B4: no secure op may follow a clear one that follows the secure part");
      part_ = Part::Secure;
    } else if (part_ == Part::Secure) {
      part_ = Part::After;
    }
    if (it.op == OpKind::Input) {
      if (part_ != Part::Before) return fail("B4: inputs come before the secure part");
      if (!inputs_.insert(it.attrs.str(Attr::Name)).second)
        return fail("B6: a second input is called '{}'", it.attrs.str(Attr::Name));
    }
    if (it.op == OpKind::Return && index + 1 != program_.instructions.size())
      return fail("B4: nn.return is not the last instruction");
    return {};
  }

  Expected<void> types(const Instruction &it) {
    std::vector<Type> operands;
    for (SlotId operand : it.operands)
      operands.push_back(program_.slots[operand]);
    SD_TRY(resultType(it.op, operands, it.attrs, info(it.op).hasResult() ? &program_.slots[it.result] : nullptr,
                      program_.ringBits));
    return {};
  }

  Expected<void> groups() {
    std::uint32_t next = 0;
    for (std::size_t g = 0; g < program_.groups.size(); ++g) {
      const Group &group = program_.groups[g];
      if (group.begin != next) return fail("B5: group {} begins at {} where {} was due", g, group.begin, next);
      if (group.end <= group.begin) return fail("B5: group {} is empty", g);
      if (group.end > program_.instructions.size())
        return fail("B5: group {} ends at {}, after the last instruction", g, group.end);
      for (std::uint32_t i = group.begin; i < group.end; ++i) {
        if (auto checked = member(group, i); !checked) return fail("B5: group {}: {}", g, checked.error().message);
      }
      next = group.end;
    }
    if (next != program_.instructions.size())
      return fail("B5: the groups end at {} of {} instructions", next, program_.instructions.size());
    return {};
  }

  Expected<void> member(const Group &group, std::uint32_t index) {
    const Instruction &it = program_.instructions[index];
    if (info(it.op).isInteractive() != group.interactive)
      return fail("instruction {} ({}) does not belong in a group that is {}interactive", index, info(it.op).mnemonic,
                  group.interactive ? "" : "not ");
    if (!group.interactive) return {};
    const OpKind first = program_.instructions[group.begin].op;
    for (const OpKind kind : {OpKind::ShareInput, OpKind::ShareOutput}) {
      if ((first == kind) != (it.op == kind)) return fail("{} shares a group only with its like", info(kind).mnemonic);
    }
    for (SlotId operand : it.operands) {
      if (writer_[operand] >= group.begin) return fail("instruction {} depends on another of its group", index);
    }
    return {};
  }

  Expected<void> schema() {
    const Schema &schema = program_.schema;
    if (program_.formatVersion < format::kLeastProgramVersion || program_.formatVersion > format::kProgramVersion)
      return fail("B9: format version {}", program_.formatVersion);
    if (program_.formatVersion == 1 && schema != Schema{}) return fail("B9: format version 1 has no schema");
    std::vector<NamedShape> inputs, outputs;
    const ProgramIo io = ioOf(program_);
    for (const Port &port : io.inputs)
      inputs.push_back({port.name, program_.slots[port.slot].shape});
    for (const Port &port : io.outputs)
      outputs.push_back({port.name, program_.slots[port.slot].shape});
    if (auto good = checkSchema(schema, inputs, outputs); !good) return fail("B9: {}", good.error().message);
    for (const Instruction &it : program_.instructions) {
      const InputMeaning *input = it.op == OpKind::Input ? schema.input(it.attrs.str(Attr::Name)) : nullptr;
      if (!input) continue;
      if (input->range) return fail("B9: input '{}': its range is said by nn.input", input->name);
      if (input->measuredOn && !it.attrs.has(Attr::Low))
        return fail("B9: input '{}': no range was measured", input->name);
      if (!it.attrs.has(Attr::Low)) continue;
      const ValueRange all{it.attrs.f(Attr::Low), it.attrs.f(Attr::High)};
      for (const Column &column : input->columns)
        if (column.range && !(all.contains(column.range->low) && all.contains(column.range->high)))
          return fail("B9: input '{}', column '{}': its range is not within the input's", input->name, column.name);
    }
    return {};
  }

  enum class Part { Before, Secure, After };

  const Program &program_;
  std::vector<std::uint32_t> writer_; // instruction that writes each slot
  std::set<std::string> inputs_;
  Part part_ = Part::Before;
};

} // namespace

Expected<void> verifyProgram(const Program &program) { return Verifier(program).run(); }

} // namespace sd
