#include "runtime/store/EntryFile.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "runtime/crypto/Random.h"

namespace sd {

namespace {

// For locks that are held but for a moment.
constexpr int kTries = 200;
constexpr std::chrono::milliseconds kPause{2};

} // namespace

std::string entryFileName(const EntryId &id, std::string_view suffix) {
  return fmt::format("{}{}", toString(id), suffix);
}

struct EntryWriter::State {
  std::shared_ptr<const PoolFolder> pool;
  EntryId id;
  Plan plan;
  StoredLayout layout;
  EntryCipher cipher;
  std::string part, ready;
  FileHandle file;
  std::vector<bool> written;
  bool committed = false;

  State(std::shared_ptr<const PoolFolder> inPool, const EntryId &entry, const Plan &entries, EntryCipher sealing)
      : pool(std::move(inPool)), id(entry), plan(entries), layout(entries, pool->binding.party),
        cipher(std::move(sealing)), part(entryFileName(entry, kPartSuffix)), ready(entryFileName(entry, kReadySuffix)),
        written(plan.entries.size()) {}
  State(const State &) = delete;
  ~State() {
    if (file && !committed) ::unlinkat(pool->folder.get(), part.c_str(), 0);
  }
};

EntryWriter::EntryWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
EntryWriter::EntryWriter(EntryWriter &&) noexcept = default;
EntryWriter &EntryWriter::operator=(EntryWriter &&) noexcept = default;
EntryWriter::~EntryWriter() = default;

Expected<EntryWriter> EntryWriter::create(std::shared_ptr<const PoolFolder> pool, const EntryId &id, const Plan &plan) {
  const StoredLayout layout(plan, pool->binding.party);
  EntryHeader header{
      .binding = pool->binding, .store = pool->store, .id = id, .pieces = layout.count, .bodyBytes = layout.bodyBytes};
  SD_ASSIGN(const Seed seed, Seed::fresh());
  SD_ASSIGN(const Seed second, Seed::fresh());
  std::ranges::copy(seed.bytes(), header.salt.begin());
  std::ranges::copy(second.bytes(), header.salt.begin() + Seed::kBytes);
  SD_ASSIGN(EntryCipher cipher, EntryCipher::sealing(pool->key(), header));
  auto state = std::make_unique<State>(std::move(pool), id, plan, std::move(cipher));
  const int folder = state->pool->folder.get();
  // Clearing up may take the new file for a dead process' before it is locked: then another try.
  for (int tries = 0; tries < kTries; ++tries, std::this_thread::sleep_for(kPause)) {
    FileHandle file(::openat(folder, state->part.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file && errno == EEXIST) continue;
    if (!file) return failedCall(state->part, "can't create it");
    if (!tryLock(file, LockKind::Shared) || !isLinked(file)) continue;
    state->file = std::move(file);
    SD_TRY(writeAt(state->file, 0, header.encode(), state->part));
    return EntryWriter(std::move(state));
  }
  return failHere("{}: it is there already, or somebody else keeps removing it", state->part);
}

Expected<void> EntryWriter::putPacked(std::size_t entry, SecretVector<std::uint8_t> packed) {
  const StoredLayout::Piece &piece = state_->layout.pieces[entry];
  if (piece.packedBytes == 0) return {};
  if (state_->written[entry]) return fail("the correlation of entry {} has been made already", entry);
  packed.resize(piece.packedBytes + EntryHeader::kTagBytes);
  SD_TRY(state_->cipher.seal(static_cast<std::uint32_t>(entry), packed.span()));
  SD_TRY(writeAt(state_->file, piece.offset, packed.span(), state_->part));
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
  return flush(state_->file, state_->part);
}

Expected<void> EntryWriter::commit() {
  const FileHandle &folder = state_->pool->folder;
  if (::renameat(folder.get(), state_->part.c_str(), folder.get(), state_->ready.c_str()) != 0)
    return failedCall(state_->part, "can't rename it");
  state_->committed = true;
  return flush(folder, state_->pool->name);
}

Expected<std::optional<TakenEntry>> TakenEntry::take(std::shared_ptr<const PoolFolder> pool, const EntryId &id) {
  const int folder = pool->folder.get();
  const std::string ready = entryFileName(id, kReadySuffix), taken = entryFileName(id, kTakenSuffix);
  for (int tries = 0; tries < kTries; ++tries, std::this_thread::sleep_for(kPause)) {
    FileHandle file(::openat(folder, ready.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file && errno == ENOENT) return std::nullopt;
    if (!file) return failedCall(ready, "can't open it");
    // The lock keeps clearing up away, which holds its own but for a moment; of two that have it, one renames.
    if (!tryLock(file, LockKind::Shared)) continue;
    if (::renameat(folder, ready.c_str(), folder, taken.c_str()) == 0)
      return TakenEntry(std::move(pool), id, std::move(file));
    if (errno != ENOENT) return failedCall(ready, "can't rename it");
    return std::nullopt;
  }
  return std::nullopt;
}

TakenEntry::~TakenEntry() {
  if (file_) ::unlinkat(pool_->folder.get(), entryFileName(id_, kTakenSuffix).c_str(), 0);
}

template <class Material>
Expected<Bundle<Material>> TakenEntry::loadChecked(const Plan &plan) const {
  const std::string_view name = "the file";
  SD_TRY(checkPrivateFile(file_, name));
  SD_ASSIGN(const std::uint64_t size, fileSize(file_, name));
  if (size < EntryHeader::kBytes) return fail("it is too short");
  std::array<std::uint8_t, EntryHeader::kBytes> bytes;
  SD_TRY(readAt(file_, 0, bytes, name));
  SD_ASSIGN(const EntryHeader header, EntryHeader::decode(bytes));
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
    SD_TRY(readAt(file_, piece.offset, sealed.span(), name));
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

#define SD_ENTRY_FILE(Material)                                                                                        \
  template Expected<void> EntryWriter::put(std::size_t, const Material &);                                             \
  template Expected<Bundle<Material>> TakenEntry::load(const Plan &) const;
SD_ENTRY_FILE(ServiceMaterial<Ring32>)
SD_ENTRY_FILE(ClientMaterial<Ring32>)
SD_ENTRY_FILE(ServiceMaterial<Ring64>)
SD_ENTRY_FILE(ClientMaterial<Ring64>)
#undef SD_ENTRY_FILE

} // namespace sd
