// Plain code over OpenSSL's AES, on any machine; the reference of the other backends.
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>

#include "runtime/crypto/AesBackends.h"

namespace sd::detail {
namespace {

constexpr std::size_t kTile = 256;

class Ecb {
public:
  explicit Ecb(const AesKey &key) : context_(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free) {
    static const EVP_CIPHER *const cipher = EVP_CIPHER_fetch(nullptr, "AES-128-ECB", nullptr);
    if (!context_ ||
        EVP_EncryptInit_ex2(context_.get(), cipher, reinterpret_cast<const unsigned char *>(&key.roundKeys[0]), nullptr,
                            nullptr) != 1)
      throw std::bad_alloc();
    EVP_CIPHER_CTX_set_padding(context_.get(), 0);
  }
  void encrypt(const Block *in, Block *out, std::size_t n) {
    int written = 0;
    if (EVP_EncryptUpdate(context_.get(), reinterpret_cast<unsigned char *>(out), &written,
                          reinterpret_cast<const unsigned char *>(in), static_cast<int>(n * sizeof(Block))) != 1)
      throw std::bad_alloc();
  }

private:
  std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context_;
};

void counter(const AesKey &key, std::uint64_t first, Block *out, std::size_t n) {
  Ecb cipher(key);
  for (std::size_t at = 0; at < n; at += kTile) {
    const std::size_t count = std::min(kTile, n - at);
    for (std::size_t i = 0; i < count; ++i)
      out[at + i] = {first + at + i, 0};
    cipher.encrypt(out + at, out + at, count);
  }
}

// Calls use(i, H(in[i] ^ offset)) in ascending order.
template <class Use>
void hashEach(const AesKey &key, Block offset, const Block *in, std::size_t n, Use use) {
  Ecb cipher(key);
  std::array<Block, kTile> plain, coded;
  for (std::size_t at = 0; at < n; at += kTile) {
    const std::size_t count = std::min(kTile, n - at);
    for (std::size_t i = 0; i < count; ++i)
      plain[i] = orthomorphism(in[at + i] ^ offset);
    cipher.encrypt(plain.data(), coded.data(), count);
    for (std::size_t i = 0; i < count; ++i)
      use(at + i, plain[i] ^ coded[i]);
  }
  OPENSSL_cleanse(plain.data(), sizeof plain);
  OPENSSL_cleanse(coded.data(), sizeof coded);
}

void hash(const AesKey &key, Block offset, const Block *in, Block *out, std::size_t n) {
  hashEach(key, offset, in, n, [&](std::size_t i, Block h) { out[i] = h; });
}

void hashLow(const AesKey &key, Block offset, const Block *in, std::uint64_t *out, std::size_t n) {
  hashEach(key, offset, in, n, [&](std::size_t i, Block h) { out[i] = h.lo; });
}

Block expandLevel(const AesKey &key, Block mask, Block *nodes, std::size_t n) {
  Block sum;
  hashEach(key, Block{}, nodes, n, [&](std::size_t i, Block left) {
    sum ^= left;
    nodes[i + n] = (nodes[i] ^ left) & mask;
    nodes[i] = left & mask;
  });
  return sum;
}

void stretch(const AesKey *keys, const Block *seeds, Block *out, std::size_t n) {
  std::array<Block, kTile> coded;
  for (std::size_t j = 0; j < 4; ++j) {
    Ecb cipher(keys[j]);
    for (std::size_t at = 0; at < n; at += kTile) {
      const std::size_t count = std::min(kTile, n - at);
      cipher.encrypt(seeds + at, coded.data(), count);
      for (std::size_t i = 0; i < count; ++i)
        out[4 * (at + i) + j] = coded[i] ^ seeds[at + i];
    }
  }
}

} // namespace

const AesKernels *portableAes() {
  static const AesKernels kernels{AesBackend::Portable, "portable", counter, hash, hashLow, expandLevel, stretch};
  return &kernels;
}

} // namespace sd::detail
