// What is freed in sd-run and sd-deal was wiped before: seen by free() itself, which this program replaces.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

extern "C" void __libc_free(void *);

namespace {

thread_local const void *watched = nullptr;
thread_local std::size_t watchedBytes = 0;
thread_local int wiped = -1; // of the watched block, when it was freed

} // namespace

extern "C" void free(void *block) {
  if (block != nullptr && block == watched) {
    const auto *bytes = static_cast<const std::uint8_t *>(block);
    wiped = std::all_of(bytes, bytes + watchedBytes, [](std::uint8_t b) { return b == 0; });
    watched = nullptr;
  }
  __libc_free(block);
}

namespace {

template <class T>
int wipedAfterUse(std::size_t n) {
  wiped = -1;
  {
    std::vector<T> values(n, T{77});
    watched = values.data();
    watchedBytes = n * sizeof(T);
  }
  return wiped;
}

struct alignas(64) Line {
  std::uint8_t bytes[64];
};

TEST(WipedHeap, VectorsOfAnyKindAreWiped) {
  EXPECT_EQ(wipedAfterUse<float>(1), 1);
  EXPECT_EQ(wipedAfterUse<float>(1000), 1);
  EXPECT_EQ(wipedAfterUse<std::uint8_t>(1 << 20), 1); // from mmap
  EXPECT_EQ(wipedAfterUse<Line>(10), 1);
}

} // namespace

#endif
