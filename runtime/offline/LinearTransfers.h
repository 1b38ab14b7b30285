// The linear correlation u + v = W r mod 2^32 of one small layer by oblivious transfer.
//
//   P1 (holds r; receives the OTs)                       P0 (holds W; sends them)
//   for each element r_j and each bit k of it one OT: pads z0, z1 of one word for each output that reads r_j
//      choice ^ bit k of r_j, 32 bits an element  ->     swaps z0 and z1 where it is set
//                                                 <-     z0 + W_oj - z1 mod 2^(32-k), for each j, k, o
//   v_o = sum 2^k (z_bit + bit correction)               u_o = -sum 2^k z0
//
// Neither side branches on secrets. Privacy: docs/protocols.md, small linear layers.
#pragma once

#include "ir/core/LinearTransfer.h"
#include "ir/core/Ring.h"
#include "runtime/ot/Pads.h"

namespace sd {

// Seeds of the pads, 32 OTs for each element of r, and P1's choices as a word an element.
struct SenderSeeds {
  SecretVector<Block> zero, one;
};
struct ReceiverSeeds {
  SecretVector<Block> seeds;
  SecretVector<Ring> choices;
};

Expected<SenderSeeds> gatherSeeds(PadSender &ots, std::uint64_t inputs);
Expected<ReceiverSeeds> gatherSeeds(PadReceiver &ots, std::uint64_t inputs);

// P1: sends the choices of `r`, and leaves `r` itself in seeds.choices.
Expected<void> sendTransferChoices(Channel &channel, std::span<const Ring> r, ReceiverSeeds &seeds);
// P0: receives them, answers, writes u.
Expected<void> answerTransfers(Channel &channel, const LinearTaps &taps, std::span<const std::int32_t> weights,
                               SenderSeeds seeds, std::span<Ring> u);
// P1: receives the answer, writes v. `seeds` as sendTransferChoices() left them.
Expected<void> collectTransfers(Channel &channel, const LinearTaps &taps, const ReceiverSeeds &seeds,
                                std::span<Ring> v);

} // namespace sd
