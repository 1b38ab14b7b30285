#include "runtime/vm/MaskWalk.h"

#include <algorithm>

#include "ir/core/LinearPacking.h"
#include "runtime/vm/LocalOps.h"

namespace sd {

namespace {

bool carriesMask(const Instruction &instruction) { return isLocal(instruction.op) && !isPacked(instruction.op); }

std::uint64_t size(const Program &program, SlotId slot) {
  return static_cast<std::uint64_t>(elementCount(program.slots[slot].shape));
}

} // namespace

template <RingWord R>
ProgramMaskWalk<R>::ProgramMaskWalk(const Program &program, const Plan &plan, ThreadPool &pool)
    : program_(program), plan_(plan), pool_(pool), masks_(program.slots.size()), known_(program.slots.size()),
      writer_(program.slots.size()), users_(program.slots.size()), missing_(program.instructions.size()) {
  for (std::uint32_t i = 0; i < program.instructions.size(); ++i) {
    const Instruction &instruction = program.instructions[i];
    if (instruction.result < writer_.size()) writer_[instruction.result] = i;
    if (!carriesMask(instruction)) continue;
    for (SlotId operand : instruction.operands)
      if (program.slots[operand].holder == Holder::Share) users_[operand].push_back(i), ++missing_[i];
  }
}

template <RingWord R>
void ProgramMaskWalk<R>::markKnown(SlotId slot) {
  std::vector<SlotId> work{slot};
  while (!work.empty()) {
    const SlotId next = work.back();
    work.pop_back();
    known_[next] = true;
    for (std::uint32_t user : users_[next])
      if (--missing_[user] == 0) work.push_back(program_.instructions[user].result);
  }
}

template <RingWord R>
Expected<void> ProgramMaskWalk<R>::announce(std::size_t entry, std::span<const R> mask) {
  if (entry >= plan_.entries.size() || !plan_.entries[entry].newMask())
    return fail("entry {} of the plan has no mask of its own", entry);
  const SlotId slot = program_.instructions[plan_.entries[entry].instruction].result;
  std::lock_guard lock(mutex_);
  if (known_[slot]) return fail("the mask of entry {} has been announced already", entry);
  if (mask.size() != size(program_, slot))
    return fail("the mask of entry {} has {} elements instead of {}", entry, mask.size(), size(program_, slot));
  masks_[slot] = SecretVector<R>(mask.size());
  std::copy(mask.begin(), mask.end(), masks_[slot].data());
  markKnown(slot);
  return {};
}

template <RingWord R>
bool ProgramMaskWalk<R>::ready(std::size_t entry) const {
  std::lock_guard lock(mutex_);
  return isReady(entry);
}

template <RingWord R>
bool ProgramMaskWalk<R>::isReady(std::size_t entry) const {
  if (entry >= plan_.entries.size()) return false;
  const auto &operands = program_.instructions[plan_.entries[entry].instruction].operands;
  for (int i = 0; i < plan_.entries[entry].operands(); ++i)
    if (!known_[operands[static_cast<std::size_t>(i)]]) return false;
  return true;
}

template <RingWord R>
void ProgramMaskWalk<R>::compute(SlotId slot) {
  std::vector<SlotId> work{slot};
  while (!work.empty()) {
    const SlotId next = work.back();
    if (!masks_[next].empty()) {
      work.pop_back();
      continue;
    }
    const Instruction &instruction = program_.instructions[writer_[next]];
    assert(carriesMask(instruction));
    bool waits = false;
    LocalOp<R> op{program_, instruction, {}, {}};
    for (SlotId operand : instruction.operands) {
      if (program_.slots[operand].holder == Holder::Share && masks_[operand].empty())
        work.push_back(operand), waits = true;
      op.operands.push_back(std::as_const(masks_[operand]).span());
    }
    if (waits) continue;
    SecretVector<R> result(size(program_, next));
    op.result = result.span();
    runOnMask(pool_, op);
    masks_[next] = std::move(result);
    work.pop_back();
  }
}

template <RingWord R>
Expected<SecretVector<R>> ProgramMaskWalk<R>::operand(std::size_t entry, int which) {
  std::lock_guard lock(mutex_);
  if (!isReady(entry) || which < 0 || which >= plan_.entries[entry].operands())
    return fail("the mask of operand {} of entry {} is not known yet", which, entry);
  const Instruction &instruction = program_.instructions[plan_.entries[entry].instruction];
  const SlotId slot = instruction.operands[static_cast<std::size_t>(which)];
  compute(slot);
  return masks_[slot].clone();
}

template <RingWord R>
typename LinearMaps<R>::Sizes ProgramLinearMaps<R>::sizes(std::size_t entry) const {
  const Instruction &instruction = program_.instructions[plan_.entries[entry].instruction];
  return {.weights = size(program_, instruction.operands[1]),
          .x = size(program_, instruction.operands[0]),
          .y = size(program_, instruction.result)};
}

template <RingWord R>
void ProgramLinearMaps<R>::apply(std::size_t entry, std::span<const R> weights, std::span<const R> x, std::span<R> y) {
  const Instruction &instruction = program_.instructions[plan_.entries[entry].instruction];
  applyLinear<R>(pool_, {program_, instruction, {}, {}}, weights, x, y);
}

template class ProgramMaskWalk<Ring32>;
template class ProgramMaskWalk<Ring64>;
template class ProgramLinearMaps<Ring32>;
template class ProgramLinearMaps<Ring64>;

} // namespace sd
