#include "runtime/store/EntryFormat.h"

#include <openssl/evp.h>

#include <algorithm>

#include "runtime/crypto/Hkdf.h"

namespace sd {

namespace {

constexpr std::array<std::uint8_t, 8> kMagic{'s', 'd', '-', 'e', 'n', 't', 'r', 'y'};
constexpr std::string_view kKeyName = "sd store entry 1";
constexpr std::size_t kMaxUpdate = std::size_t{1} << 30; // OpenSSL counts in int

using Header = std::array<std::uint8_t, EntryHeader::kBytes>;

std::uint8_t lowerHexDigit(char c) {
  return static_cast<std::uint8_t>(c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0xff);
}

} // namespace

std::string toString(const EntryId &id) { return fmt::format("{:02x}-{:08x}", fmt::join(id.session, ""), id.index); }

std::optional<EntryId> parseEntryId(std::string_view text) {
  EntryId id;
  const std::size_t sessionDigits = 2 * id.session.size();
  if (text.size() != sessionDigits + 9 || text[sessionDigits] != '-') return {};
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == sessionDigits) continue;
    const std::uint8_t digit = lowerHexDigit(text[i]);
    if (digit > 15) return {};
    if (i < sessionDigits)
      id.session[i / 2] = static_cast<std::uint8_t>(id.session[i / 2] << 4 | digit);
    else
      id.index = id.index << 4 | digit;
  }
  return id;
}

std::array<std::uint8_t, EntryHeader::kBytes> EntryHeader::encode() const {
  ByteWriter writer;
  writer.putBytes(kMagic);
  writer.put(kVersion), writer.put(static_cast<std::uint8_t>(binding.party)), writer.put(std::uint8_t{0});
  writer.put(pieces), writer.put(bodyBytes);
  writer.putBytes(binding.program), writer.putBytes(store), writer.putBytes(binding.peer);
  writer.putBytes(id.session), writer.put(id.index), writer.put(std::uint32_t{0});
  writer.putBytes(salt), writer.putBytes(tag);
  Header bytes;
  std::ranges::copy(writer.bytes(), bytes.begin());
  return bytes;
}

Expected<EntryHeader> EntryHeader::decode(std::span<const std::uint8_t, kBytes> bytes) {
  ByteReader reader(bytes);
  SD_ASSIGN(const Bytes magic, reader.take(kMagic.size(), "the magic number"));
  if (!std::ranges::equal(magic, kMagic)) return fail("not a stored inference");
  SD_ASSIGN(const auto version, reader.get<std::uint16_t>("the version"));
  if (version != kVersion) return fail("version {}; this release knows version {}: prepare it anew", version, kVersion);
  EntryHeader header;
  const auto copy = [&](auto &field) -> Expected<void> {
    SD_ASSIGN(const Bytes from, reader.take(field.size(), "the header"));
    std::ranges::copy(from, field.begin());
    return {};
  };
  SD_ASSIGN(header.binding.party, reader.get<std::uint8_t>("the party"));
  SD_ASSIGN(const auto zero8, reader.get<std::uint8_t>("the header"));
  SD_ASSIGN(header.pieces, reader.get<std::uint32_t>("the number of pieces"));
  SD_ASSIGN(header.bodyBytes, reader.get<std::uint64_t>("the length"));
  SD_TRY(copy(header.binding.program));
  SD_TRY(copy(header.store));
  SD_TRY(copy(header.binding.peer));
  SD_TRY(copy(header.id.session));
  SD_ASSIGN(header.id.index, reader.get<std::uint32_t>("the index"));
  SD_ASSIGN(const auto zero32, reader.get<std::uint32_t>("the header"));
  SD_TRY(copy(header.salt));
  SD_TRY(copy(header.tag));
  if (zero8 != 0 || zero32 != 0) return fail("the header is damaged");
  return header;
}

StoredLayout::StoredLayout(const Plan &plan, int party) : pieces(plan.entries.size()) {
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::size_t packed = packedBytes(plan.entries[i], party, plan.ringBits);
    if (packed == 0) continue;
    pieces[i] = {EntryHeader::kBytes + bodyBytes, packed};
    bodyBytes += packed + EntryHeader::kTagBytes;
    ++count;
  }
}

struct EntryCipher::Impl {
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  SecretVector<std::uint8_t> key{32};
  Header header{};
  bool keyed = false;

  // Once a file: finding the cipher and expanding its key cost more than a small piece.
  void useKey(bool sealing) {
    keyed = context && EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nullptr, key.data(), nullptr, sealing) == 1;
  }

  ~Impl() { EVP_CIPHER_CTX_free(context); }

  // Nonce: the number, little-endian, then zeros. The key is this file's alone, and seals each number once.
  bool start(bool sealing, std::uint32_t number, Bytes associated) {
    std::array<std::uint8_t, 12> nonce{};
    for (std::size_t i = 0; i < 4; ++i)
      nonce[i] = static_cast<std::uint8_t>(number >> (8 * i));
    int length = 0;
    return keyed && EVP_CipherInit_ex(context, nullptr, nullptr, nullptr, nonce.data(), sealing) == 1 &&
           EVP_CipherUpdate(context, nullptr, &length, associated.data(), static_cast<int>(associated.size())) == 1;
  }

  bool run(std::span<std::uint8_t> data) {
    for (std::size_t at = 0; at < data.size(); at += kMaxUpdate) {
      const std::span<std::uint8_t> part = data.subspan(at, std::min(kMaxUpdate, data.size() - at));
      int length = 0;
      if (EVP_CipherUpdate(context, part.data(), &length, part.data(), static_cast<int>(part.size())) != 1)
        return false;
    }
    return true;
  }

  bool finish() {
    std::array<std::uint8_t, 16> nothing;
    int length = 0;
    return EVP_CipherFinal_ex(context, nothing.data(), &length) == 1;
  }

  bool seal(std::uint32_t number, Bytes associated, std::span<std::uint8_t> data, std::span<std::uint8_t> tag) {
    return start(true, number, associated) && run(data) && finish() &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag.size()), tag.data()) == 1;
  }

  bool open(std::uint32_t number, Bytes associated, std::span<std::uint8_t> data, Bytes tag) {
    return start(false, number, associated) && run(data) &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag.size()),
                               const_cast<std::uint8_t *>(tag.data())) == 1 &&
           finish();
  }
};

EntryCipher::EntryCipher() : impl_(std::make_unique<Impl>()) {}
EntryCipher::EntryCipher(EntryCipher &&) noexcept = default;
EntryCipher::~EntryCipher() = default;

namespace {

Bytes untagged(const Header &header) { return Bytes(header).first(EntryHeader::kBytes - EntryHeader::kTagBytes); }

void deriveKey(const StoreKey &key, const EntryHeader &header, std::span<std::uint8_t> out) {
  hkdfSha256(key.secret.span(), header.salt, {reinterpret_cast<const std::uint8_t *>(kKeyName.data()), kKeyName.size()},
             out);
}

} // namespace

Expected<EntryCipher> EntryCipher::sealing(const StoreKey &key, EntryHeader &header) {
  EntryCipher cipher;
  Impl &impl = *cipher.impl_;
  deriveKey(key, header, impl.key.span());
  impl.useKey(true);
  impl.header = header.encode();
  if (!impl.seal(0, untagged(impl.header), {}, header.tag)) return fail("AES-256-GCM is not available in OpenSSL");
  impl.header = header.encode();
  return cipher;
}

Expected<EntryCipher> EntryCipher::opening(const StoreKey &key, const EntryHeader &header) {
  EntryCipher cipher;
  Impl &impl = *cipher.impl_;
  deriveKey(key, header, impl.key.span());
  impl.useKey(false);
  impl.header = header.encode();
  if (!impl.open(0, untagged(impl.header), {}, header.tag))
    return fail("the header is damaged, or was not written by this store");
  return cipher;
}

Expected<void> EntryCipher::seal(std::uint32_t number, std::span<std::uint8_t> sealed) {
  const std::size_t packed = sealed.size() - EntryHeader::kTagBytes;
  if (!impl_->seal(number + 1, impl_->header, sealed.first(packed), sealed.subspan(packed)))
    return fail("AES-256-GCM is not available in OpenSSL");
  return {};
}

Expected<void> EntryCipher::open(std::uint32_t number, std::span<std::uint8_t> sealed) {
  const std::size_t packed = sealed.size() - EntryHeader::kTagBytes;
  if (!impl_->open(number + 1, impl_->header, sealed.first(packed), sealed.subspan(packed)))
    return fail("the correlations of entry {} are damaged", number);
  return {};
}

} // namespace sd
