// Where a store keeps its inferences: a folder (FolderBackend.h) or a PostgreSQL database (postgres/). Backends move
// sealed bytes and know nothing of what is in them. docs/store.md has the rules that each keeps.
//
// Threads and processes may use a pool at once, through backends of their own or one that they share. Whoever works on
// an entry holds it until the object is destroyed or the process dies.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "runtime/store/Inventory.h"

namespace sd {

// One entry that is being written. Destroyed without commit(): gone.
class EntrySink {
public:
  virtual ~EntrySink() = default;
  // At any offset, in any order, each byte once.
  virtual Expected<void> write(std::uint64_t offset, std::span<const std::uint8_t> bytes) = 0;
  // All of it is there; durable now, or with commit().
  virtual Expected<void> finish() = 0;
  // It may be taken, durably. It is held on until this is destroyed: until then no clearing up takes it for one that
  // the peer does not have.
  virtual Expected<void> commit() = 0;
};

// One entry's bytes. Of one that was taken: it is gone once this is destroyed.
class EntrySource {
public:
  virtual ~EntrySource() = default;
  // Checks also that nobody else may read it, where the backend can tell.
  virtual Expected<std::uint64_t> size() = 0;
  virtual Expected<void> read(std::uint64_t offset, std::span<std::uint8_t> bytes) = 0;
};

// A pool's entries as far as a session needs them.
struct PoolContents {
  Inventory ready;         // anyone may take them
  Inventory settled;       // those of them that nobody works on
  Inventory all;           // and those that a living process has taken
  std::size_t cleared = 0; // removed: what processes left that died, half-written or taken
};

struct TakenSource {
  EntryId id;
  std::unique_ptr<EntrySource> source;
};

class PoolBackend {
public:
  virtual ~PoolBackend() = default;
  // `bytes`: of the whole entry.
  virtual Expected<std::unique_ptr<EntrySink>> create(const EntryId &id, std::uint64_t bytes) = 0;
  virtual Expected<PoolContents> contents() = 0;
  // Those of `ids` that are there, in their order, spent from now on, durably, whatever becomes of this process. After
  // an error nobody knows which of them are spent: none may be used.
  virtual Expected<std::vector<TakenSource>> take(std::span<const EntryId> ids) = 0;
  // Removes those of `ids` that are ready and that nobody works on; how many.
  virtual Expected<std::size_t> discard(const Inventory &ids) = 0;

  // For tools that look after stores.
  struct Listed {
    EntryId id;
    std::uint64_t bytes = 0;
    std::chrono::system_clock::time_point made;
  };
  virtual Expected<std::vector<Listed>> list() = 0;                           // what is ready, by id
  virtual Expected<std::unique_ptr<EntrySource>> look(const EntryId &id) = 0; // a ready one's bytes; takes nothing
};

class StoreBackend {
public:
  virtual ~StoreBackend() = default;
  virtual const std::string &name() const = 0; // for messages; no secrets
  // `create`: makes the pool if there never was one; else none.
  virtual Expected<std::shared_ptr<PoolBackend>> pool(const std::string &pool, bool create) = 0;
  virtual Expected<std::vector<std::string>> pools() = 0;
  // Removes the pool if there is nothing in it; whether there was nothing.
  virtual Expected<bool> removeEmpty(const std::string &pool) = 0;
  // Forgets the names of what was spent before `time`, where they are kept; how many.
  virtual Expected<std::uint64_t> forgetSpent(std::chrono::system_clock::time_point) { return 0; }
};

} // namespace sd
