#include "runtime/ot/BaseOt.h"

#include <openssl/bn.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <memory>
#include <new>

#include "runtime/crypto/Secret.h"
#include "runtime/ot/OtTags.h"

namespace sd {
namespace {

constexpr std::size_t kPointBytes = 32;
using Point = std::array<std::uint8_t, kPointBytes>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)>;
using Number = std::unique_ptr<BIGNUM, decltype(&BN_clear_free)>;
using NumberContext = std::unique_ptr<BN_CTX, decltype(&BN_CTX_free)>;
using Digest = std::array<std::uint8_t, 32>;

struct KeyPair {
  Key secret{nullptr, &EVP_PKEY_free};
  Point point{};
};

Expected<KeyPair> drawKey(Prg &prg) {
  SecretVector<std::uint8_t> scalar(kPointBytes);
  prg.fill(scalar.span());
  KeyPair pair;
  pair.secret.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, scalar.data(), scalar.size()));
  std::size_t size = kPointBytes;
  if (!pair.secret || EVP_PKEY_get_raw_public_key(pair.secret.get(), pair.point.data(), &size) != 1)
    return fail("OpenSSL can't make an X25519 key; check its configuration (openssl.cnf)");
  return pair;
}

// X25519(secret, point) into `shared`; an error if that is zero, as it is for the points of low order.
Expected<void> multiply(EVP_PKEY *secret, const Point &point, Point &shared) {
  Key peer(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, point.data(), point.size()), &EVP_PKEY_free);
  KeyContext context(EVP_PKEY_CTX_new(secret, nullptr), &EVP_PKEY_CTX_free);
  std::size_t size = shared.size();
  if (!peer || !context || EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), peer.get()) != 1 ||
      EVP_PKEY_derive(context.get(), shared.data(), &size) != 1)
    return fail("the peer sent an invalid Curve25519 point; end the session and check who the peer is");
  return {};
}

// Draws points of the curve whose logarithm nobody knows; see the header.
class PointSampler {
public:
  static Expected<PointSampler> create(Prg &prg) {
    PointSampler sampler;
    SD_ASSIGN(sampler.clear_, drawKey(prg));
    bool ok = sampler.context_ && sampler.prime_ && sampler.u_ && sampler.v_;
    // p = 2^255 - 19
    ok = ok && BN_set_bit(sampler.prime_.get(), 255) == 1 && BN_sub_word(sampler.prime_.get(), 19) == 1;
    if (!ok) return fail("OpenSSL is out of memory");
    return sampler;
  }

  Expected<Point> draw(Prg &prg) {
    for (;;) {
      Point u;
      prg.fill(std::span<std::uint8_t>(u));
      u.back() &= 0x7f;
      SD_ASSIGN(const bool good, onCurve(u));
      if (!good) continue;
      Point point;
      SD_TRY(multiply(clear_.secret.get(), u, point));
      return point;
    }
  }

private:
  PointSampler() = default;

  Expected<bool> onCurve(const Point &u) {
    // v = ((u + 486662) u + 1) u mod p
    BN_CTX *context = context_.get();
    BIGNUM *v = v_.get(), *p = prime_.get();
    const bool ok = BN_lebin2bn(u.data(), static_cast<int>(u.size()), u_.get()) && BN_copy(v, u_.get()) &&
                    BN_add_word(v, 486662) == 1 && BN_mod_mul(v, v, u_.get(), p, context) == 1 &&
                    BN_add_word(v, 1) == 1 && BN_mod_mul(v, v, u_.get(), p, context) == 1;
    const int symbol = ok ? BN_kronecker(v, p, context) : -2;
    if (symbol == -2) return fail("OpenSSL is out of memory");
    return symbol == 1 && BN_cmp(u_.get(), p) < 0;
  }

  KeyPair clear_;
  NumberContext context_{BN_CTX_new(), &BN_CTX_free};
  Number prime_{BN_new(), &BN_clear_free}, u_{BN_new(), &BN_clear_free}, v_{BN_new(), &BN_clear_free};
};

Digest sha256(std::span<const std::uint8_t> bytes) {
  Digest digest;
  unsigned size = 0;
  // Rather no output than a guessable one.
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
  return digest;
}

Block firstBlock(const Digest &digest) {
  Block block;
  std::memcpy(&block, digest.data(), sizeof block);
  return block;
}

// The pad of message `j` of transfer `i`; `keys` are the two keys of that transfer.
Block derivePad(const Point &sender, const std::uint8_t *keys, std::uint32_t i, std::uint8_t j, Point &shared) {
  static constexpr char kName[] = "base transfer pad";
  std::array<std::uint8_t, sizeof kName + 4 * kPointBytes + 5> input;
  std::uint8_t *at = input.data();
  const auto put = [&](const void *bytes, std::size_t n) {
    std::memcpy(at, bytes, n);
    at += n;
  };
  put(kName, sizeof kName);
  put(sender.data(), kPointBytes);
  put(keys, 2 * kPointBytes);
  put(&i, sizeof i);
  put(&j, sizeof j);
  put(shared.data(), kPointBytes);
  Digest digest = sha256(input);
  const Block pad = firstBlock(digest);
  OPENSSL_cleanse(digest.data(), digest.size());
  OPENSSL_cleanse(input.data(), input.size());
  OPENSSL_cleanse(shared.data(), shared.size());
  return pad;
}

Block nameRun(const Point &sender, std::span<const std::uint8_t> keys) {
  std::vector<std::uint8_t> messages(sender.begin(), sender.end());
  messages.insert(messages.end(), keys.begin(), keys.end());
  return firstBlock(sha256(messages));
}

} // namespace

Expected<Block> sendBaseOts(Channel &channel, Prg &prg, std::span<Block> zero, std::span<Block> one) {
  assert(zero.size() == one.size() && zero.size() <= 1u << 16);
  SD_ASSIGN(const KeyPair own, drawKey(prg));
  SD_TRY(channel.send(tag::kBaseOtPoint, own.point));
  std::vector<std::uint8_t> keys(2 * kPointBytes * zero.size());
  SD_TRY(channel.receive(tag::kBaseOtKeys, keys));
  for (std::size_t i = 0; i < zero.size(); ++i) {
    const std::uint8_t *pair = keys.data() + 2 * kPointBytes * i;
    for (std::uint8_t j = 0; j < 2; ++j) {
      Point key;
      std::memcpy(key.data(), pair + j * kPointBytes, kPointBytes);
      Point shared;
      SD_TRY(multiply(own.secret.get(), key, shared));
      (j ? one : zero)[i] = derivePad(own.point, pair, static_cast<std::uint32_t>(i), j, shared);
    }
  }
  return nameRun(own.point, keys);
}

Expected<Block> receiveBaseOts(Channel &channel, Prg &prg, std::span<const std::uint8_t> choices,
                               std::span<Block> chosen) {
  assert(choices.size() == chosen.size() && choices.size() <= 1u << 16);
  SD_ASSIGN(PointSampler sampler, PointSampler::create(prg));
  std::vector<std::uint8_t> keys(2 * kPointBytes * choices.size());
  std::vector<KeyPair> own;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    SD_ASSIGN(KeyPair real, drawKey(prg));
    SD_ASSIGN(const Point oblivious, sampler.draw(prg));
    // Placed by masks: neither branches nor addresses depend on the choice.
    const auto mask = static_cast<std::uint8_t>(-choices[i]);
    for (std::size_t b = 0; b < kPointBytes; ++b) {
      const auto difference = static_cast<std::uint8_t>((real.point[b] ^ oblivious[b]) & mask);
      keys[2 * kPointBytes * i + b] = real.point[b] ^ difference;
      keys[2 * kPointBytes * i + kPointBytes + b] = oblivious[b] ^ difference;
    }
    own.push_back(std::move(real));
  }
  SD_TRY(channel.send(tag::kBaseOtKeys, keys));
  Point peer;
  SD_TRY(channel.receive(tag::kBaseOtPoint, peer));
  for (std::size_t i = 0; i < choices.size(); ++i) {
    Point shared;
    SD_TRY(multiply(own[i].secret.get(), peer, shared));
    chosen[i] = derivePad(peer, keys.data() + 2 * kPointBytes * i, static_cast<std::uint32_t>(i), choices[i], shared);
  }
  return nameRun(peer, keys);
}

} // namespace sd
