// One stored inference: a header, then one sealed piece for each entry of the plan that leaves this party material, at
// a place that follows from the plan alone. Layout in docs/store.md.
//
// Sealed: AES-256-GCM with a key of the file's own, HKDF-SHA256(store's secret, salt of the header). Every byte of the
// file is covered: the header by a tag of its own and as associated data of each piece, the pieces by theirs, and the
// length is the one that the plan says.
#pragma once

#include <memory>
#include <optional>

#include "runtime/offline/Material.h"
#include "runtime/store/StoreKey.h"

namespace sd {

// Names one inference's correlations, alike on both sides: the session that made them, and which of that session's.
struct EntryId {
  std::array<std::uint8_t, 16> session{};
  std::uint32_t index = 0;
  auto operator<=>(const EntryId &) const = default;
};
std::string toString(const EntryId &id); // 32 hexadecimal digits, "-", 8 hexadecimal digits
std::optional<EntryId> parseEntryId(std::string_view text);

// What entries are for. All of it is in every header.
struct EntryBinding {
  Digest program{}; // P0's: with its weights, on which its material depends
  int party = 0;
  StoreId peer{};
};

struct EntryHeader {
  static constexpr std::uint16_t kVersion = 2;
  static constexpr std::size_t kBytes = 160, kTagBytes = 16, kSaltBytes = 32;
  EntryBinding binding;
  StoreId store{};
  EntryId id;
  std::uint32_t pieces = 0;
  std::uint64_t bodyBytes = 0;
  std::array<std::uint8_t, kSaltBytes> salt{};
  std::array<std::uint8_t, kTagBytes> tag{};

  std::array<std::uint8_t, kBytes> encode() const;
  static Expected<EntryHeader> decode(std::span<const std::uint8_t, kBytes> bytes);
};

// Where each plan entry's piece stands.
struct StoredLayout {
  struct Piece {
    std::uint64_t offset = 0;
    std::size_t packedBytes = 0; // 0: no piece
  };
  std::vector<Piece> pieces; // by plan entry
  std::uint32_t count = 0;
  std::uint64_t bodyBytes = 0;

  StoredLayout(const Plan &plan, int party);
};

// The cipher of one file.
class EntryCipher {
public:
  // Seals the header: sets its tag.
  static Expected<EntryCipher> sealing(const StoreKey &key, EntryHeader &header);
  // Error if the header is not what a holder of this key has sealed.
  static Expected<EntryCipher> opening(const StoreKey &key, const EntryHeader &header);

  EntryCipher(EntryCipher &&) noexcept;
  ~EntryCipher();

  // `sealed` is the packed material and room for the tag; in place. `number`: of the plan entry.
  Expected<void> seal(std::uint32_t number, std::span<std::uint8_t> sealed);
  Expected<void> open(std::uint32_t number, std::span<std::uint8_t> sealed);

private:
  struct Impl;
  EntryCipher();
  std::unique_ptr<Impl> impl_;
};

} // namespace sd
