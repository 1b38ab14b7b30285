// The share ops that need no peer, on one party's part of x = X + r: on X as the service holds it, or on the mask r.
#pragma once

#include <span>

#include "ir/bytecode/Program.h"
#include "ir/core/Ring.h"
#include "runtime/kernels/ThreadPool.h"

namespace sd {

template <RingWord R>
struct LocalOp {
  const Program &program;
  const Instruction &instruction;
  std::vector<std::span<const R>> operands; // in the order of the instruction's; weights included, masks have none
  std::span<R> result;
};

// Whether the instruction runs without a word to the peer: isPacked(), whose mask comes from the offline phase, or one
// of the ops of runOnMask().
bool isLocal(OpKind op);

// X of the result. For linear ops W X + bias; the caller adds u.
template <RingWord R>
void runOnValue(ThreadPool &pool, const LocalOp<R> &op);

// r of the result; for all local ops but linear ones. Weights are not looked at: they are added to X alone.
template <RingWord R>
void runOnMask(ThreadPool &pool, const LocalOp<R> &op);

// y = W x of a linear instruction, without bias.
template <RingWord R>
void applyLinear(ThreadPool &pool, const LocalOp<R> &op, std::span<const R> weights, std::span<const R> x,
                 std::span<R> y);

} // namespace sd
