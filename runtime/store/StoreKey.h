// The file `key` of a store: its identity, which the peer gets to know, and the secret that authenticates its entries.
// Layout in docs/store.md.
#pragma once

#include <array>

#include "ir/bytecode/ByteIo.h"
#include "runtime/crypto/Secret.h"

namespace sd {

using StoreId = std::array<std::uint8_t, 16>; // public
std::string toHex(const StoreId &id);

struct StoreKey {
  static constexpr std::size_t kBytes = 32, kFileBytes = 96;
  StoreId id{};
  SecretVector<std::uint8_t> secret; // kBytes

  static Expected<StoreKey> fresh();
  SecretVector<std::uint8_t> encode() const;
  static Expected<StoreKey> decode(Bytes file); // errors do not name the file
};

} // namespace sd
