// What passes between the dealer and the parties, on stream 0 of each one's connection to it, and between the parties
// on kDealerPeerStream of theirs.
//
//   once a session
//     P0 -> dealer   hello | program: the .sdb | matrix seed: of the masks A of P0's matrices
//     P1 -> dealer   hello
//     dealer -> both ready
//     P0 -> P1       for each matrix that a linear entry uses: W - A
//   for each inference
//     P0 -> dealer   draw: number, P0's seed            P1 -> dealer   draw: number, P1's seed
//     dealer -> P0   drawn: number
//     dealer -> P1   for each entry that needs any: corrections (Linear: A r - s)
//     P1 -> P0       for each linear entry: (W - A) r + (A r - s) - v, to which P0 adds s
//
// The dealer learns the program, A and all masks, but neither W nor any input. P1 learns W - A and A r - s, uniform
// for want of A and s. P0 learns W r - v, uniform for want of v.
#pragma once

#include "ir/bytecode/Program.h"
#include "ir/core/Ring.h"
#include "runtime/crypto/Random.h"
#include "runtime/crypto/Secret.h"
#include "runtime/net/Channel.h"

namespace sd {

inline constexpr std::uint16_t kDealerStream = 0, kDealerPeerStream = 0x20;

namespace tag {
inline constexpr std::uint16_t kDealerHello = 0x0301, kDealerProgram = 0x0302, kDealerMatrixSeed = 0x0303,
                               kDealerReady = 0x0304, kDealerDraw = 0x0305, kDealerDrawn = 0x0306,
                               kDealerCorrections = 0x0307, kDealerMatrix = 0x0308, kDealerLinear = 0x0309;
} // namespace tag

inline constexpr std::size_t kMaxDealtProgramBytes = std::size_t{64} << 20;

using DealerSession = std::array<std::uint8_t, 16>; // the same for both parties, new for each session

struct DealerHello {
  int party = 0;
  DealerSession session{};
  Digest program{};
};
inline constexpr std::size_t kDealerHelloBytes = 4 + 2 + 2 + 16 + 32; // magic, version, party, session, digest
std::array<std::uint8_t, kDealerHelloBytes> encode(const DealerHello &hello);
Expected<DealerHello> decodeHello(std::span<const std::uint8_t, kDealerHelloBytes> bytes);

// One party's secret for one inference.
struct DealerDraw {
  std::uint64_t number = 0; // counts the session's inferences from 0
  Seed seed;
};
inline constexpr std::size_t kDealerDrawBytes = 8 + Seed::kBytes;
Expected<void> sendDraw(Channel &channel, const DealerDraw &draw);
Expected<DealerDraw> receiveDraw(Channel &channel);

// The stream of an entry's randomness.
Prg entryStream(const Seed &seed, std::size_t entry);
// A for the matrix `weights` of a WeightSet.
template <RingWord R>
SecretVector<R> matrixMask(const Seed &matrixSeed, std::size_t weights, std::size_t elements);

// Words as the payload of a message.
template <RingWord R>
Expected<void> sendWords(Channel &channel, std::uint16_t tag, std::span<const R> words);
template <RingWord R>
Expected<SecretVector<R>> receiveWords(Channel &channel, std::uint16_t tag, std::size_t count);

} // namespace sd
