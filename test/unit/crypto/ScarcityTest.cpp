// Where OpenSSL has no memory, randomness, hashes and keys are an error of this side's: no abort, and no output.
#include <gmock/gmock.h>
#include <openssl/crypto.h>

#include <cstdlib>

#include "ir/core/Guard.h"
#include "runtime/crypto/AesBackends.h"
#include "runtime/crypto/Hkdf.h"
#include "runtime/crypto/Random.h"

namespace sd {
namespace {

thread_local bool scarce = false;

void *give(std::size_t n, const char *, int) { return scarce ? nullptr : std::malloc(n); }
void *extend(void *p, std::size_t n, const char *, int) { return scarce ? nullptr : std::realloc(p, n); }
void release(void *p, const char *, int) { std::free(p); }

// Before OpenSSL allocates anything, or it refuses.
const bool kHooked = CRYPTO_set_mem_functions(give, extend, release) == 1;

template <class Body>
Expected<void> withoutMemory(Body &&body) {
  return guarded([&]() -> Expected<void> {
    struct Scarcity {
      Scarcity() { scarce = true; }
      ~Scarcity() { scarce = false; }
    } here;
    body();
    return {};
  });
}

TEST(Scarcity, CryptographyWithoutMemoryIsAnErrorThatAccusesNobody) {
  ASSERT_TRUE(kHooked);
  const Expected<Seed> seed = Seed::fresh();
  ASSERT_TRUE(seed);
  (void)seed->derive("fetches what is fetched once");
  const AesKey key(Block{1, 2});
  std::array<Block, 4> blocks{};
  detail::portableAes()->counter(key, 0, blocks.data(), blocks.size());
  const auto untouched = blocks;
  for (const auto &failed : {
           withoutMemory([&] { (void)seed->derive("key"); }),
           withoutMemory([&] { (void)Prg(*seed); }),
           withoutMemory([&] { detail::portableAes()->counter(key, 1, blocks.data(), blocks.size()); }),
       }) {
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().kind, ErrorKind::Resources);
    EXPECT_THAT(failed.error().message, testing::Not(testing::HasSubstr("peer")));
  }
  EXPECT_TRUE(std::equal(blocks.begin(), blocks.end(), untouched.begin()));
}

} // namespace
} // namespace sd
