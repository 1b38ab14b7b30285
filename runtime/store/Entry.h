// One inference of a pool: being written, or taken for its only use. Seals and checks what the backend keeps.
#pragma once

#include <memory>

#include "runtime/offline/Bundle.h"
#include "runtime/store/Backend.h"

namespace sd {

// What entries of one pool have in common.
struct PoolContext {
  std::shared_ptr<PoolBackend> backend;
  StoreId store{};
  SecretVector<std::uint8_t> secret;
  EntryBinding binding;

  StoreKey key() const { return {store, secret.clone()}; }
};

// Writes one inference, piece by piece in any order, at most one in memory. Destroyed without commit(): gone.
class EntryWriter {
public:
  static Expected<EntryWriter> create(std::shared_ptr<const PoolContext> pool, const EntryId &id, const Plan &plan);
  EntryWriter(EntryWriter &&) noexcept;
  EntryWriter &operator=(EntryWriter &&) noexcept;
  ~EntryWriter();

  // Each plan entry with material exactly once.
  template <PartyMaterial Material>
  Expected<void> put(std::size_t entry, const Material &material);

  // All pieces are there, and durable.
  Expected<void> finish();
  // EntrySink::commit().
  Expected<void> commit();

private:
  struct State;
  explicit EntryWriter(std::unique_ptr<State> state);
  Expected<void> putPacked(std::size_t entry, SecretVector<std::uint8_t> packed);
  std::unique_ptr<State> state_;
};

// An inference that nobody else can take any more, now or after a crash. It leaves the store when this is destroyed.
class TakenEntry {
public:
  TakenEntry(std::shared_ptr<const PoolContext> pool, TakenSource taken)
      : pool_(std::move(pool)), id_(taken.id), source_(std::move(taken.source)) {}
  TakenEntry(TakenEntry &&) noexcept = default;
  TakenEntry &operator=(TakenEntry &&other) noexcept = default;

  const EntryId &id() const { return id_; }

  // Its material, all of it checked. Errors say what is wrong with it.
  template <class Material>
  Expected<Bundle<Material>> load(const Plan &plan) const;

private:
  template <class Material>
  Expected<Bundle<Material>> loadChecked(const Plan &plan) const;

  std::shared_ptr<const PoolContext> pool_;
  EntryId id_;
  std::unique_ptr<EntrySource> source_;
};

// What an entry says of itself, authentic; its length is right.
Expected<EntryHeader> readHeader(EntrySource &source, const StoreKey &key);

} // namespace sd
