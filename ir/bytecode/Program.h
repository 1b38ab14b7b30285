// A compiled program in memory: what both parties know. Written to and read from .sdb; P0's weights are in .sdw.
#pragma once

#include <array>
#include <string>
#include <variant>
#include <vector>

#include "ir/bytecode/Format.h"
#include "ir/bytecode/Schema.h"
#include "ir/core/OpRules.h"
#include "ir/core/Ring.h"

namespace sd {

using SlotId = std::uint32_t;

// One op of a lowered module. Clear (nn.*) instructions are P1's alone: before share.input they prepare the record,
// after share.output they post-process the opened result.
struct Instruction {
  OpKind op = OpKind::Input;
  std::vector<SlotId> operands;
  SlotId result = ~SlotId{0}; // none for nn.return
  Attrs attrs;                // without Attr::Weights: the data are in .sdw
  std::string source;         // for diagnostics and statistics; may be empty
};

// Instructions [begin, end) of one round group: its interactive ops share their messages, and none of them depends on
// another. Local ops (begin != end, not interactive) are groups of their own with interactive = false.
struct Group {
  std::uint32_t begin = 0, end = 0;
  bool interactive = false;
};

using Digest = std::array<std::uint8_t, 32>; // SHA-256

struct Program {
  std::uint16_t formatVersion = format::kProgramVersion; // of the file that it was read from, or goes to
  std::string name;
  int ringBits = kBitsOf<Ring32>;        // isRingBits()
  std::vector<Type> slots;               // type of each slot; a slot is written once
  std::vector<Instruction> instructions; // share.constant instructions name P0's weights, in the order of .sdw
  std::vector<Group> groups;             // a partition of `instructions`, in order
  Schema schema;                         // nothing in format version 1
};

// P0's quantised weights, one tensor for each share.constant instruction, in order; R is the program's ring.
template <RingWord R>
struct WeightSet {
  Digest program{}; // digest of the .sdb they belong to
  std::vector<Tensor<SignedOf<R>>> tensors;
  bool operator==(const WeightSet &) const = default;
};
using AnyWeightSet = std::variant<WeightSet<Ring32>, WeightSet<Ring64>>;

} // namespace sd
