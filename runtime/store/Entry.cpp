#include "runtime/store/Entry.h"

#include <algorithm>

#include "runtime/crypto/Random.h"

namespace sd {

struct EntryWriter::State {
  std::shared_ptr<const PoolContext> pool;
  Plan plan;
  StoredLayout layout;
  EntryCipher cipher;
  std::unique_ptr<EntrySink> sink; // goes before the pool
  std::vector<bool> written;

  State(std::shared_ptr<const PoolContext> inPool, const Plan &entries, EntryCipher sealing)
      : pool(std::move(inPool)), plan(entries), layout(entries, pool->binding.party), cipher(std::move(sealing)),
        written(plan.entries.size()) {}
};

EntryWriter::EntryWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
EntryWriter::EntryWriter(EntryWriter &&) noexcept = default;
EntryWriter &EntryWriter::operator=(EntryWriter &&) noexcept = default;
EntryWriter::~EntryWriter() = default;

Expected<EntryWriter> EntryWriter::create(std::shared_ptr<const PoolContext> pool, const EntryId &id,
                                          const Plan &plan) {
  const StoredLayout layout(plan, pool->binding.party);
  EntryHeader header{
      .binding = pool->binding, .store = pool->store, .id = id, .pieces = layout.count, .bodyBytes = layout.bodyBytes};
  SD_ASSIGN(const Seed seed, Seed::fresh());
  SD_ASSIGN(const Seed second, Seed::fresh());
  std::ranges::copy(seed.bytes(), header.salt.begin());
  std::ranges::copy(second.bytes(), header.salt.begin() + Seed::kBytes);
  SD_ASSIGN(EntryCipher cipher, EntryCipher::sealing(pool->key(), header));
  auto state = std::make_unique<State>(std::move(pool), plan, std::move(cipher));
  SD_ASSIGN(state->sink, state->pool->backend->create(id, EntryHeader::kBytes + layout.bodyBytes));
  SD_TRY(state->sink->write(0, header.encode()));
  return EntryWriter(std::move(state));
}

Expected<void> EntryWriter::putPacked(std::size_t entry, SecretVector<std::uint8_t> packed) {
  const StoredLayout::Piece &piece = state_->layout.pieces[entry];
  if (piece.packedBytes == 0) return {};
  if (state_->written[entry]) return fail("the correlation of entry {} has been made already", entry);
  packed.resize(piece.packedBytes + EntryHeader::kTagBytes);
  SD_TRY(state_->cipher.seal(static_cast<std::uint32_t>(entry), packed.span()));
  SD_TRY(state_->sink->write(piece.offset, packed.span()));
  state_->written[entry] = true;
  return {};
}

template <PartyMaterial Material>
Expected<void> EntryWriter::put(std::size_t entry, const Material &material) {
  using Traits = MaterialTraits<Material>;
  const Plan &plan = state_->plan;
  if (entry >= plan.entries.size()) return fail("the plan has no entry {}", entry);
  const PlanEntry &own = plan.entries[entry];
  if (state_->pool->binding.party != Traits::kParty || plan.ringBits != kBitsOf<typename Traits::Word> ||
      !fits(material, own))
    return fail("the correlation of entry {} has another shape than its op", entry);
  return putPacked(entry, pack(material, own));
}

Expected<void> EntryWriter::finish() {
  for (std::size_t i = 0; i < state_->written.size(); ++i)
    if (!state_->written[i] && state_->layout.pieces[i].packedBytes != 0)
      return fail("the offline phase left entry {} out", i);
  return state_->sink->finish();
}

Expected<void> EntryWriter::commit() { return state_->sink->commit(); }

namespace {

// The header alone: EntryCipher::opening() says whether it is authentic.
Expected<EntryHeader> decodeHeader(EntrySource &source, std::uint64_t size) {
  if (size < EntryHeader::kBytes) return fail("it is too short");
  std::array<std::uint8_t, EntryHeader::kBytes> bytes;
  SD_TRY(source.read(0, bytes));
  return EntryHeader::decode(bytes);
}

} // namespace

Expected<EntryHeader> readHeader(EntrySource &source, const StoreKey &key) {
  SD_ASSIGN(const std::uint64_t size, source.size());
  SD_ASSIGN(const EntryHeader header, decodeHeader(source, size));
  SD_TRY(EntryCipher::opening(key, header));
  if (size != EntryHeader::kBytes + header.bodyBytes)
    return fail("it has {} bytes instead of {}", size, EntryHeader::kBytes + header.bodyBytes);
  return header;
}

template <class Material>
Expected<Bundle<Material>> TakenEntry::loadChecked(const Plan &plan) const {
  SD_ASSIGN(const std::uint64_t size, source_->size());
  SD_ASSIGN(const EntryHeader header, decodeHeader(*source_, size));
  SD_ASSIGN(EntryCipher cipher, EntryCipher::opening(pool_->key(), header));
  const EntryBinding &mine = pool_->binding;
  if (header.binding.program != mine.program) return fail("it was made for another program");
  if (header.binding.party != mine.party) return fail("it was made for party {}", header.binding.party);
  if (header.binding.peer != mine.peer || header.store != pool_->store) return fail("it was made with another peer");
  if (header.id != id_) return fail("it is inference {} under another name", toString(header.id));
  const StoredLayout layout(plan, mine.party);
  if (header.pieces != layout.count || header.bodyBytes != layout.bodyBytes)
    return fail("its correlations are not those that the program needs");
  if (size != EntryHeader::kBytes + layout.bodyBytes)
    return fail("it has {} bytes instead of {}", size, EntryHeader::kBytes + layout.bodyBytes);

  Bundle<Material> bundle(plan);
  for (std::size_t i = 0; i < layout.pieces.size(); ++i) {
    const StoredLayout::Piece &piece = layout.pieces[i];
    if (piece.packedBytes == 0) continue;
    SecretVector<std::uint8_t> sealed(piece.packedBytes + EntryHeader::kTagBytes);
    SD_TRY(source_->read(piece.offset, sealed.span()));
    SD_TRY(cipher.open(static_cast<std::uint32_t>(i), sealed.span()));
    SD_ASSIGN(Material material, unpack<Material>(Bytes(sealed.span()).first(piece.packedBytes), plan.entries[i]));
    SD_TRY(bundle.put(i, std::move(material)));
  }
  return bundle;
}

template <class Material>
Expected<Bundle<Material>> TakenEntry::load(const Plan &plan) const {
  Expected<Bundle<Material>> bundle = loadChecked<Material>(plan);
  if (!bundle) return failAs(bundle.error(), "stored inference {}: {}", toString(id_), bundle.error().message);
  return bundle;
}

#define SD_ENTRY(Material)                                                                                             \
  template Expected<void> EntryWriter::put(std::size_t, const Material &);                                             \
  template Expected<Bundle<Material>> TakenEntry::load(const Plan &) const;
SD_ENTRY(ServiceMaterial<Ring32>)
SD_ENTRY(ClientMaterial<Ring32>)
SD_ENTRY(ServiceMaterial<Ring64>)
SD_ENTRY(ClientMaterial<Ring64>)
#undef SD_ENTRY

} // namespace sd
