#include <array>
#include <vector>

#include "runtime/kernels/ByteTiles.h"

#if defined(__x86_64__) && defined(__linux__)

#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sd {

namespace {

struct alignas(64) TileConfiguration {
  std::uint8_t palette = 1, startRow = 0;
  std::array<std::uint8_t, 14> reserved{};
  std::array<std::uint16_t, 16> bytesPerRow{64, 64, 64, 64, 64, 64, 64, 64};
  std::array<std::uint8_t, 16> rows{16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfiguration) == 64);
constexpr TileConfiguration kConfiguration{};

// Intel's AMX (Software Developer's Manual, volume 1, chapter 18).
class Amx {
public:
  Amx() { asm volatile("ldtilecfg %0" ::"m"(kConfiguration)); }
  ~Amx() { asm volatile("tilerelease"); }
  Amx(const Amx &) = delete;
  Amx &operator=(const Amx &) = delete;

  template <int Tile>
  static void zero() {
    asm volatile("tilezero %%tmm%c0" ::"i"(Tile));
  }
  template <int Tile>
  static void load(const void *rows, std::int64_t stride) {
    asm volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(Tile), "r"(rows), "r"(stride) : "memory");
  }
  template <int Tile>
  static void store(void *rows, std::int64_t stride) {
    asm volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(Tile), "r"(rows), "r"(stride) : "memory");
  }
  template <int Sum, int A, int B>
  static void add() {
    asm volatile("tdpbuud %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(Sum), "i"(A), "i"(B));
  }
};

bool hasAmx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kTile = 1u << 24, kInt8 = 1u << 25;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & kTile) || !(d & kInt8)) return false;
  // Linux has a process ask for the tiles' state (Documentation/arch/x86/xstate.rst).
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

// These instructions are in few machines, and emulators of whole machines lack them: what tests can't assure is
// computed once.
bool multipliesRightly() {
  constexpr std::int64_t kOffsets[] = {1, 0};
  constexpr std::int64_t kQuads = kByteDepth / 4, kStride = kByteColumns + 1;
  std::vector<std::uint8_t> w(2 * kByteStep);
  std::vector<Ring32> x(kLimbs * kQuads * kStride), y(kByteRows * kByteColumns);
  Ring32 state = 1;
  const auto next = [&] { return (state = state * 1664525 + 1013904223) >> 8; };
  std::ranges::generate(w, next);
  std::ranges::generate(x, [&] { return next() << 16 ^ next(); });
  multiplyBytes<Amx>({w.data(), x.data(), kStride, kQuads * kStride, 1, kOffsets, y.data(), kByteColumns}, kByteRows,
                     kByteColumns);
  const auto sum = [&](std::int64_t m, std::int64_t q) {
    Ring32 total = 0;
    for (int t = 0; t < 2; ++t)
      for (int i = 0; i < kLimbs; ++i)
        for (int j = 0; i + j < kLimbs; ++j)
          for (std::int64_t k = 0; k < kByteDepth; ++k) {
            const Ring32 word = x[(j * kQuads + k / 4) * kStride + kOffsets[t] + q];
            total += Ring32{w[t * kByteStep + (i * kByteRows + m) * kByteDepth + k]} * (word >> 8 * (k % 4) & 255)
                     << 8 * (i + j);
          }
    return total;
  };
  for (std::int64_t m = 0; m < kByteRows; ++m)
    for (std::int64_t q = 0; q < kByteColumns; ++q)
      if (y[m * kByteColumns + q] != sum(m, q)) return false;
  return true;
}

} // namespace

ByteKernel *byteKernel() {
  static const bool usable = hasAmx() && multipliesRightly();
  return usable ? multiplyBytes<Amx> : nullptr;
}

} // namespace sd

#else

namespace sd {
ByteKernel *byteKernel() { return nullptr; }
} // namespace sd

#endif
