#include "runtime/vm/ProgramIndex.h"

namespace sd {

ProgramIndex::ProgramIndex(const Program &program, const Plan &plan)
    : entryOf(program.instructions.size(), kNone), weightOf(program.slots.size(), kNone),
      lastUsedIn(program.groups.size()) {
  for (std::uint32_t i = 0; i < plan.entries.size(); ++i)
    entryOf[plan.entries[i].instruction] = i;
  std::uint32_t weights = 0;
  std::vector<std::uint32_t> lastGroup(program.slots.size(), kNone);
  for (std::uint32_t g = 0; g < program.groups.size(); ++g)
    for (std::uint32_t i = program.groups[g].begin; i < program.groups[g].end; ++i) {
      const Instruction &instruction = program.instructions[i];
      if (instruction.op == OpKind::ShareConstant) weightOf[instruction.result] = weights++;
      for (SlotId operand : instruction.operands)
        lastGroup[operand] = g;
    }
  for (SlotId slot = 0; slot < lastGroup.size(); ++slot)
    if (lastGroup[slot] != kNone) lastUsedIn[lastGroup[slot]].push_back(slot);
}

} // namespace sd
