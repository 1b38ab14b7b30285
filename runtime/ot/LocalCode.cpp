#include "runtime/ot/LocalCode.h"

#include <algorithm>
#include <cassert>

#include "runtime/ot/LpnParameters.h"

namespace sd {
namespace {

using Vector = std::uint64_t __attribute__((vector_size(16), may_alias));

// Rows whose places are drawn at once: 40 KB of places stay in the first-level cache, and the processor sees through to
// the loads of the rows that follow, which is what hides the latency of a table larger than the second-level cache.
constexpr std::size_t kTile = 512;
constexpr std::size_t kBlocksPerPair = kCodeWeight * 2 / 4;

} // namespace

void addCodeRows(const AesKey &code, std::uint64_t firstRow, const Block *secret, int logSecret,
                 std::span<Block> words) {
  static_assert(kCodeWeight * 2 % 4 == 0 && kTile % 2 == 0);
  assert(firstRow % 2 == 0 && logSecret >= 4 && logSecret <= 28);
  const AesKernels &aes = aesKernels();
  alignas(64) Block draws[kTile / 2 * kBlocksPerPair];
  // A place is taken from bits 4 and up of its word, so that the masked word is the offset in bytes.
  const std::uint32_t mask = ((std::uint32_t{1} << logSecret) - 1) << 4;
  const auto *table = reinterpret_cast<const char *>(secret);
  for (std::size_t at = 0; at < words.size(); at += kTile) {
    const std::size_t n = std::min(kTile, words.size() - at);
    aes.counter(code, (firstRow + at) / 2 * kBlocksPerPair, draws, (n + 1) / 2 * kBlocksPerPair);
    for (std::size_t i = 0; i < n; ++i) {
      const Block *draw = draws + i / 2 * kBlocksPerPair;
      Vector sum = *reinterpret_cast<const Vector *>(&words[at + i]);
      // Ten words of four bytes: two and a half blocks, from the pair's start or its middle.
      std::uint32_t places[kCodeWeight];
      __builtin_memcpy(places, reinterpret_cast<const char *>(draw) + (i % 2) * sizeof places, sizeof places);
      for (int j = 0; j < kCodeWeight; ++j)
        sum ^= *reinterpret_cast<const Vector *>(table + (places[j] & mask));
      *reinterpret_cast<Vector *>(&words[at + i]) = sum;
    }
  }
}

} // namespace sd
