// The correlation plan: the exact list of correlations one inference of a program consumes. Both parties, and the
// dealer, derive the same list from the same program.
#pragma once

#include "ir/bytecode/Program.h"
#include "ir/core/LinearTransfer.h"
#include "ir/core/ProtocolCost.h"

namespace sd {

enum class EntryKind : std::uint8_t {
  Input,    // P1 draws the mask of its input
  Linear,   // y = W x + b: u + v = W r (share.conv, share.matmul, share.scale)
  Truncate, // y / 2^t, rounded
  Compare,  // max(y / 2^t, 0), rounded
  Maximum,  // b + relu(a - b): a Compare of a - b at t = 0, its result re-masked together with b
  Product,  // x y
  Dot,      // x y^T of matrices
  Output,   // nothing to prepare: P1 keeps the mask that opens the result
};

constexpr bool compares(EntryKind kind) {
  return kind == EntryKind::Truncate || kind == EntryKind::Compare || kind == EntryKind::Maximum;
}

struct PlanEntry {
  EntryKind kind = EntryKind::Input;
  std::uint32_t instruction = 0; // in Program::instructions: shapes and geometry stand there
  std::uint64_t elements = 0;    // of the result
  CompareShape compare;          // if it compares()
  DotShape dot;                  // Dot
  std::uint32_t weights = 0;     // Linear: the index of its matrix in WeightSet::tensors
  TransferCost transfers;        // Linear, two parties: none if by RLWE

  // Masks that the entry is a function of: of operand 0, and for Maximum, Product and Dot also operand 1.
  int operands() const {
    const bool two = kind == EntryKind::Maximum || kind == EntryKind::Product || kind == EntryKind::Dot;
    return two ? 2 : kind != EntryKind::Input;
  }
  // Of a Product's or a Dot's operands.
  std::uint64_t left() const { return kind == EntryKind::Dot ? static_cast<std::uint64_t>(dot.left()) : elements; }
  std::uint64_t right() const { return kind == EntryKind::Dot ? static_cast<std::uint64_t>(dot.right()) : elements; }
  // Whether P1 (or, for Linear, the provider) gives its result a new mask.
  bool newMask() const { return kind != EntryKind::Output; }
  ProtocolCost cost(int ringBits) const; // per element; all zero for Linear
};

struct Plan {
  std::vector<PlanEntry> entries; // in the order of the instructions
  int ringBits = kBitsOf<Ring32>; // the program's

  struct Totals {
    std::uint64_t onlineBytesFromP0 = 0, onlineBytesFromP1 = 0; // payloads, without frames
    std::uint64_t offlineBits = 0, ots = 0, reverseOts = 0;     // two parties, all that is made of OTs
    std::uint64_t dealerBytes = 0;                              // corrections from the dealer, without seeds and frames
    std::uint64_t linearElements = 0, dotElements = 0;          // results of such entries
  };
  Totals totals() const;
  bool hasLinear() const; // a Linear or Dot entry

  const PlanEntry *find(std::uint32_t instruction) const; // null for a local instruction
};

// The geometry of a linear entry.
LinearGeometry geometryOf(const Program &program, const PlanEntry &entry);

// Errors where an instruction's shape is outside a protocol's limits, which a checked program never is.
Expected<Plan> makePlan(const Program &program);

} // namespace sd
