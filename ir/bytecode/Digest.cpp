#include "ir/bytecode/Digest.h"

#include <openssl/evp.h>

#include <cstdlib>
#include <memory>

#include "ir/bytecode/Format.h"

namespace sd {

Digest sha256(std::initializer_list<Bytes> parts) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  Digest digest;
  unsigned size = 0;
  bool good = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
  for (const Bytes part : parts)
    good = good && EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1;
  good = good && EVP_DigestFinal_ex(context.get(), digest.data(), &size) == 1 && size == digest.size();
  if (!good) std::abort(); // an OpenSSL without SHA-256: no digest rather than a wrong one
  return digest;
}

Digest digestOf(Bytes program) {
  if (program.size() < format::kProgramHeaderBytes) return sha256({program});
  return sha256({program.first(format::kPrefixBytes), program.subspan(format::kProgramHeaderBytes)});
}

template <RingWord R>
Digest digestOf(const WeightSet<R> &weights) {
  Digest digest = weights.program;
  for (const auto &tensor : weights.tensors)
    digest =
        sha256({digest, {reinterpret_cast<const std::uint8_t *>(tensor.data.data()), tensor.data.size() * sizeof(R)}});
  return digest;
}
template Digest digestOf(const WeightSet<Ring32> &);
template Digest digestOf(const WeightSet<Ring64> &);

std::string toHex(const Digest &digest) { return fmt::format("{:02x}", fmt::join(digest, "")); }

} // namespace sd
