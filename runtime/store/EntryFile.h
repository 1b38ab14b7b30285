// Entries on disk: one being written, and one taken for its only use.
//
// An entry is a file of its pool's folder: ID.part while it is written, ID.ready, then ID.taken until its record is
// done. Whoever works on one holds a shared lock on it; .part or .taken without a lock were left by a process that
// died.
#pragma once

#include <memory>

#include "runtime/offline/Bundle.h"
#include "runtime/store/EntryFormat.h"
#include "runtime/store/Posix.h"

namespace sd {

// What files of one pool have in common; shared by its entries.
struct PoolFolder {
  FileHandle folder;
  std::string name; // for messages
  StoreId store{};
  SecretVector<std::uint8_t> secret;
  EntryBinding binding;

  StoreKey key() const { return {store, secret.clone()}; }
};

// Writes one inference, piece by piece in any order, at most one in memory. Destroyed without commit(): gone.
class EntryWriter {
public:
  static Expected<EntryWriter> create(std::shared_ptr<const PoolFolder> pool, const EntryId &id, const Plan &plan);
  EntryWriter(EntryWriter &&) noexcept;
  EntryWriter &operator=(EntryWriter &&) noexcept;
  ~EntryWriter();

  // Each plan entry with material exactly once.
  template <PartyMaterial Material>
  Expected<void> put(std::size_t entry, const Material &material);

  // All pieces are there, and durable.
  Expected<void> finish();
  // Makes the entry usable, durably. The lock is held on until the writer is destroyed: until then no clearing up takes
  // the entry for one that the peer does not have.
  Expected<void> commit();

private:
  struct State;
  explicit EntryWriter(std::unique_ptr<State> state);
  Expected<void> putPacked(std::size_t entry, SecretVector<std::uint8_t> packed);
  std::unique_ptr<State> state_;
};

// An inference that nobody else can take any more, now or after a crash. It leaves the disk when this is destroyed.
class TakenEntry {
public:
  // None: it is not there, or somebody else has it. Durable only once the pool's folder is flushed.
  static Expected<std::optional<TakenEntry>> take(std::shared_ptr<const PoolFolder> pool, const EntryId &id);
  TakenEntry(TakenEntry &&) noexcept = default;
  TakenEntry &operator=(TakenEntry &&other) noexcept {
    std::swap(pool_, other.pool_), std::swap(id_, other.id_), std::swap(file_, other.file_);
    return *this;
  }
  ~TakenEntry();

  const EntryId &id() const { return id_; }

  // Its material, all of it checked. Errors say what is wrong with the file.
  template <class Material>
  Expected<Bundle<Material>> load(const Plan &plan) const;

private:
  TakenEntry(std::shared_ptr<const PoolFolder> pool, const EntryId &id, FileHandle file)
      : pool_(std::move(pool)), id_(id), file_(std::move(file)) {}
  template <class Material>
  Expected<Bundle<Material>> loadChecked(const Plan &plan) const;

  std::shared_ptr<const PoolFolder> pool_;
  EntryId id_;
  FileHandle file_;
};

inline constexpr std::string_view kPartSuffix = ".part", kReadySuffix = ".ready", kTakenSuffix = ".taken";
std::string entryFileName(const EntryId &id, std::string_view suffix);

} // namespace sd
