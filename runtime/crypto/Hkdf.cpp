#include "runtime/crypto/Hkdf.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <cassert>
#include <memory>
#include <new>

namespace sd {
namespace {

// Fetched once: a fetch by name costs more than a derivation.
EVP_KDF *hkdf() {
  static EVP_KDF *const kdf = EVP_KDF_fetch(nullptr, "HKDF", nullptr);
  return kdf;
}

OSSL_PARAM octets(const char *name, std::span<const std::uint8_t> bytes) {
  // OpenSSL takes no null pointer for an empty string, and reads only.
  static const std::uint8_t kNothing = 0;
  const std::uint8_t *data = bytes.empty() ? &kNothing : bytes.data();
  return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t *>(data), bytes.size());
}

} // namespace

void hkdfSha256(std::span<const std::uint8_t> key, std::span<const std::uint8_t> salt,
                std::span<const std::uint8_t> info, std::span<std::uint8_t> out) {
  assert(out.size() <= 255 * 32);
  std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(EVP_KDF_CTX_new(hkdf()), EVP_KDF_CTX_free);
  char digest[] = "SHA256";
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                               octets(OSSL_KDF_PARAM_KEY, key), octets(OSSL_KDF_PARAM_SALT, salt),
                               octets(OSSL_KDF_PARAM_INFO, info), OSSL_PARAM_construct_end()};
  // Only a crippled libcrypto or exhausted memory gets here, and no output is better than a guessable one.
  if (!context || EVP_KDF_derive(context.get(), out.data(), out.size(), params) != 1) throw std::bad_alloc();
}

} // namespace sd
