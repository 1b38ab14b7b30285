#include "runtime/crypto/Random.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "runtime/crypto/Hkdf.h"

namespace sd {
namespace {

// Fetched once: a fetch by name costs more than a short stream.
const EVP_CIPHER *aesCtr() {
  static const EVP_CIPHER *const cipher = EVP_CIPHER_fetch(nullptr, "AES-128-CTR", nullptr);
  return cipher;
}

} // namespace

Seed::Seed(std::span<const std::uint8_t, kBytes> bytes) { std::copy(bytes.begin(), bytes.end(), bytes_.begin()); }

Seed::~Seed() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

Expected<Seed> Seed::fresh() {
  if (aesCtr() == nullptr) return fail("OpenSSL offers no AES-128-CTR; check its configuration (openssl.cnf)");
  Seed seed;
  if (RAND_priv_bytes(seed.bytes_.data(), kBytes) != 1)
    return fail("the operating system gives no random bytes (OpenSSL's RAND_priv_bytes failed)");
  return seed;
}

Seed Seed::derive(std::string_view name) const {
  Seed derived;
  hkdfSha256(bytes_, {}, {reinterpret_cast<const std::uint8_t *>(name.data()), name.size()}, derived.bytes_);
  return derived;
}

struct Prg::Impl {
  // Short streams, of which there are many, don't pay for a full buffer: the first refill is a small one.
  static constexpr std::size_t kFirstRefill = 256, kRefill = 4096;
  // In-place encryption of zeros; a chunk stays in the first-level cache between the two passes.
  static constexpr std::size_t kChunk = 16384;

  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  alignas(64) std::array<std::uint8_t, kRefill> buffer;
  std::size_t begin = 0, end = 0; // the unused part of the buffer
  std::size_t refill = kFirstRefill;

  Impl(const Seed &seed, std::uint64_t nonce) {
    std::uint8_t counter[16] = {};
    std::memcpy(counter, &nonce, sizeof nonce);
    // As in hkdfSha256: rather no output than a guessable one. The destructor does not run after a constructor fails.
    if (context == nullptr || EVP_EncryptInit_ex2(context, aesCtr(), seed.bytes().data(), counter, nullptr) != 1) {
      EVP_CIPHER_CTX_free(context);
      throw std::bad_alloc();
    }
  }
  Impl(const Impl &) = delete;
  Impl &operator=(const Impl &) = delete;
  ~Impl() {
    EVP_CIPHER_CTX_free(context); // wipes the key
    OPENSSL_cleanse(buffer.data(), buffer.size());
  }

  void generate(std::uint8_t *out, std::size_t size) {
    while (size > 0) {
      const std::size_t chunk = std::min(size, kChunk);
      std::memset(out, 0, chunk);
      int written = 0;
      if (EVP_EncryptUpdate(context, out, &written, out, static_cast<int>(chunk)) != 1) throw std::bad_alloc();
      out += chunk;
      size -= chunk;
    }
  }

  void take(std::uint8_t *out, std::size_t size) {
    std::memcpy(out, buffer.data() + begin, size);
    OPENSSL_cleanse(buffer.data() + begin, size); // what was given out can't be read here later
    begin += size;
  }
};

Prg::Prg(const Seed &seed, std::uint64_t nonce) : impl_(std::make_unique<Impl>(seed, nonce)) {}
Prg::Prg(Prg &&) noexcept = default;
Prg &Prg::operator=(Prg &&) noexcept = default;
Prg::~Prg() = default;

void Prg::fill(std::span<std::uint8_t> out) {
  Impl &impl = *impl_;
  const std::size_t ready = std::min(out.size(), impl.end - impl.begin);
  if (ready > 0) impl.take(out.data(), ready);
  out = out.subspan(ready);
  if (out.empty()) return;
  if (out.size() >= impl.refill) {
    impl.generate(out.data(), out.size());
    return;
  }
  impl.generate(impl.buffer.data(), impl.refill);
  impl.begin = 0;
  impl.end = impl.refill;
  impl.refill = Impl::kRefill;
  impl.take(out.data(), out.size());
}

} // namespace sd
