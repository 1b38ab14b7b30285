#include "runtime/offline/Plan.h"

#include <algorithm>
#include <map>
#include <optional>

#include "ir/core/OpFamilies.h"
#include "ir/core/Ring.h"
#include "ir/core/ScheduleAttr.h"

namespace sd {
namespace {

std::optional<EntryKind> kindOf(OpKind op) {
  switch (op) {
  case OpKind::ShareInput:
    return EntryKind::Input;
  case SD_SHARE_PACKED:
    return EntryKind::Linear;
  case OpKind::ShareTruncate:
    return EntryKind::Truncate;
  case OpKind::ShareRelu:
    return EntryKind::Compare;
  case OpKind::ShareMax:
    return EntryKind::Maximum;
  case OpKind::ShareMul:
    return EntryKind::Product;
  case OpKind::ShareDot:
    return EntryKind::Dot;
  case OpKind::ShareOutput:
    return EntryKind::Output;
  case OpKind::ShareConstant: // local: r of the result follows from r of the operands
  case OpKind::ShareAddW:
  case SD_SHARE_SUMS:
  case SD_SHARE_CONSTANTS:
  case SD_SHARE_LAYOUT:
#include "ir/core/NnCases.def"
    break;
  }
  return std::nullopt;
}

} // namespace

ProtocolCost PlanEntry::cost(int ringBits) const {
  switch (kind) {
  case EntryKind::Input:
    return inputCost(ringBits);
  case EntryKind::Output:
    return outputCost(ringBits);
  case EntryKind::Truncate:
  case EntryKind::Compare:
  case EntryKind::Maximum:
    return compareCost(ringBits, compare);
  case EntryKind::Product:
    return productCost(ringBits);
  case EntryKind::Dot:
    return dotCost(dot);
  case EntryKind::Linear:
    break;
  }
  return {};
}

Plan::Totals Plan::totals() const {
  Totals totals;
  for (const PlanEntry &entry : entries) {
    const ProtocolCost cost = entry.cost(ringBits);
    totals.onlineBytesFromP0 += cost.onlineBytes(0, entry.elements);
    totals.onlineBytesFromP1 += cost.onlineBytes(1, entry.elements);
    totals.offlineBits += cost.offlineBits() * entry.elements;
    totals.ots += cost.ots * entry.elements;
    totals.reverseOts += cost.reverseOts * entry.elements;
    if (entry.transfers) {
      totals.offlineBits += 8 * (entry.transfers.bytesUp() + entry.transfers.bytesDown());
      totals.reverseOts += entry.transfers.ots();
    }
    totals.dealerBytes += (cost.dealerBits * entry.elements + 7) / 8;
    if (entry.kind == EntryKind::Linear) totals.linearElements += entry.elements;
    if (entry.kind == EntryKind::Dot) totals.dotElements += entry.elements;
  }
  return totals;
}

bool Plan::hasLinear() const {
  return std::ranges::any_of(entries, [](const PlanEntry &entry) {
    return entry.elements > 0 && (entry.kind == EntryKind::Linear || entry.kind == EntryKind::Dot);
  });
}

const PlanEntry *Plan::find(std::uint32_t instruction) const {
  for (const PlanEntry &entry : entries)
    if (entry.instruction == instruction) return &entry;
  return nullptr;
}

LinearGeometry geometryOf(const Program &program, const PlanEntry &entry) {
  const Instruction &instruction = program.instructions[entry.instruction];
  std::vector<Type> operands;
  for (SlotId slot : instruction.operands)
    operands.push_back(program.slots[slot]);
  return linearGeometry(instruction.op, operands, instruction.attrs, program.slots[instruction.result],
                        program.ringBits);
}

Expected<Plan> makePlan(const Program &program) {
  Plan plan;
  plan.ringBits = program.ringBits;
  std::vector<LinearGeometry> layers;
  std::map<SlotId, std::uint32_t> weightOf; // slot of a share.constant to its tensor
  for (std::uint32_t i = 0; i < program.instructions.size(); ++i) {
    const Instruction &instruction = program.instructions[i];
    if (instruction.op == OpKind::ShareConstant) {
      const auto index = static_cast<std::uint32_t>(weightOf.size());
      weightOf[instruction.result] = index;
      continue;
    }
    const auto kind = kindOf(instruction.op);
    if (!kind) continue;
    PlanEntry entry;
    entry.kind = *kind;
    entry.instruction = i;
    entry.elements = static_cast<std::uint64_t>(elementCount(program.slots[instruction.result].shape));
    if (compares(*kind)) {
      entry.compare = compareShape(instruction.op, instruction.attrs);
      if (auto ok = check(program.ringBits, entry.compare); !ok)
        return fail("instruction {} ({}): {}", i, info(instruction.op).mnemonic, ok.error().message);
    }
    if (kind == EntryKind::Dot)
      entry.dot =
          dotShape(program.slots[instruction.operands[0]], program.slots[instruction.operands[1]], program.ringBits);
    if (kind == EntryKind::Linear) {
      const auto weights = weightOf.find(instruction.operands[1]);
      if (weights == weightOf.end())
        return fail("instruction {} ({}): its matrix is no constant of the service", i, info(instruction.op).mnemonic);
      entry.weights = weights->second;
      layers.push_back(geometryOf(program, entry));
    }
    plan.entries.push_back(entry);
  }
  const std::vector<TransferCost> transfers = chooseTransfers(layers);
  std::size_t layer = 0;
  for (PlanEntry &entry : plan.entries)
    if (entry.kind == EntryKind::Linear) entry.transfers = transfers[layer++];
  return plan;
}

} // namespace sd
