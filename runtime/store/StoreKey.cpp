#include "runtime/store/StoreKey.h"

#include <algorithm>

#include "ir/bytecode/Digest.h"
#include "runtime/crypto/Random.h"

namespace sd {

namespace {

constexpr std::array<std::uint8_t, 8> kMagic{'s', 'd', '-', 's', 't', 'o', 'r', 'e'};
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kIdAt = 16, kSecretAt = 32, kDigestAt = 64;

} // namespace

std::string toHex(const StoreId &id) { return fmt::format("{:02x}", fmt::join(id, "")); }

Expected<StoreKey> StoreKey::fresh() {
  SD_ASSIGN(const Seed seed, Seed::fresh());
  StoreKey key;
  Prg identity(seed.derive("store identity"));
  identity.fill(std::span(key.id));
  // Two seeds of 128 bits: the secret is not weaker than its cipher's 256 bits.
  SD_ASSIGN(const Seed second, Seed::fresh());
  key.secret.resize(kBytes);
  const std::span<std::uint8_t> secret = key.secret.span();
  Prg(seed.derive("store secret")).fill(secret.first(kBytes / 2));
  Prg(second.derive("store secret")).fill(secret.last(kBytes / 2));
  return key;
}

SecretVector<std::uint8_t> StoreKey::encode() const {
  SecretVector<std::uint8_t> file(kFileBytes, 0);
  std::ranges::copy(kMagic, file.data());
  file[kMagic.size()] = kVersion;
  std::ranges::copy(id, file.data() + kIdAt);
  std::ranges::copy(secret.span(), file.data() + kSecretAt);
  const Digest digest = sha256({std::span<const std::uint8_t>(file.span()).first(kDigestAt)});
  std::ranges::copy(digest, file.data() + kDigestAt);
  return file;
}

Expected<StoreKey> StoreKey::decode(Bytes file) {
  if (file.size() < kMagic.size() + 2 || !std::ranges::equal(file.first(kMagic.size()), kMagic))
    return fail("not the key of a store");
  const int version = file[kMagic.size()] | file[kMagic.size() + 1] << 8;
  if (version != kVersion)
    return fail("a store of version {}; this release knows version {}; make a new store", version, kVersion);
  if (file.size() != kFileBytes || !std::ranges::equal(sha256({file.first(kDigestAt)}), file.subspan(kDigestAt)))
    return fail("the store's key is damaged, so nothing in the store can be used; make a new store");
  StoreKey key;
  std::ranges::copy(file.subspan(kIdAt, key.id.size()), key.id.begin());
  key.secret.resize(kBytes);
  std::ranges::copy(file.subspan(kSecretAt, kBytes), key.secret.data());
  return key;
}

} // namespace sd
