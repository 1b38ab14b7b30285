// The linear correlation u + v = W r mod 2^L of one small layer, L = 32 or 64, by oblivious transfer.
//
//   P1 (holds r; receives the OTs)                       P0 (holds W; sends them)
//   for each element r_j and each bit k of it one OT: pads z0, z1 of one word for each output that reads r_j
//      choice ^ bit k of r_j, L bits an element   ->     swaps z0 and z1 where it is set
//                                                 <-     z0 + W_oj - z1 mod 2^(L-k), for each j, k, o
//   v_o = sum 2^k (z_bit + bit correction)               u_o = -sum 2^k z0
//
// Neither side branches on secrets. Privacy: docs/protocols.md, small linear layers.
#pragma once

#include "ir/core/LinearTransfer.h"
#include "ir/core/Ring.h"
#include "runtime/ot/Pads.h"

namespace sd {

// Seeds of the pads, L OTs for each element of r, and P1's choices as a word an element.
struct SenderSeeds {
  SecretVector<Block> zero, one;
};
template <RingWord R>
struct ReceiverSeeds {
  SecretVector<Block> seeds;
  SecretVector<R> choices;
};

template <RingWord R>
Expected<SenderSeeds> gatherSeeds(PadSender &ots, std::uint64_t inputs);
template <RingWord R>
Expected<ReceiverSeeds<R>> gatherSeeds(PadReceiver &ots, std::uint64_t inputs);

// P1: sends the choices of `r`, and leaves `r` itself in seeds.choices.
template <RingWord R>
Expected<void> sendTransferChoices(Channel &channel, std::span<const R> r, ReceiverSeeds<R> &seeds);
// P0: receives them, answers, writes u.
template <RingWord R>
Expected<void> answerTransfers(Channel &channel, const LinearTaps &taps, std::span<const SignedOf<R>> weights,
                               SenderSeeds seeds, std::span<R> u);
// P1: receives the answer, writes v. `seeds` as sendTransferChoices() left them.
template <RingWord R>
Expected<void> collectTransfers(Channel &channel, const LinearTaps &taps, const ReceiverSeeds<R> &seeds,
                                std::span<R> v);

} // namespace sd
