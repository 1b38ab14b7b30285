#include "runtime/ot/BitMatrix.h"

#include <cassert>

namespace sd {
namespace {

// Transposes a 64 x 64 bit matrix in place: bit j of word i goes to bit i of word j (Warren: Hacker's Delight, section
// 7-3).
void transpose64(std::uint64_t *m) {
  std::uint64_t mask = 0x00000000ffffffffu;
  for (int half = 32; half != 0; half >>= 1, mask ^= mask << half)
    for (int base = 0; base < 64; base += 2 * half)
      for (int i = base; i < base + half; ++i) {
        const std::uint64_t swap = (m[i] >> half ^ m[i + half]) & mask;
        m[i] ^= swap << half;
        m[i + half] ^= swap;
      }
}

} // namespace

void transposeToRows(const std::uint64_t *planes, std::size_t stride, std::span<Block> rows) {
  assert(rows.size() % 64 == 0);
  for (std::size_t word = 0; word < rows.size() / 64; ++word) {
    std::uint64_t low[64], high[64];
    for (std::size_t c = 0; c < 64; ++c) {
      low[c] = planes[c * stride + word];
      high[c] = planes[(c + 64) * stride + word];
    }
    transpose64(low);
    transpose64(high);
    for (std::size_t i = 0; i < 64; ++i)
      rows[64 * word + i] = {low[i], high[i]};
  }
}

} // namespace sd
