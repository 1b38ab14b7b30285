#include "runtime/store/Agreement.h"

#include <algorithm>

namespace sd {

namespace {

enum Tag : std::uint16_t { kGoTag = 0x20, kListTag, kNamesTag, kAnswerTag, kWrittenTag, kCommittedTag };

constexpr std::size_t kMaxBatch = 64;                         // inferences agreed on at once
constexpr std::uint64_t kBatchBytes = std::uint64_t{1} << 26; // of material that is held ahead
constexpr std::size_t kIdBytes = 20;

std::vector<std::uint8_t> encodeIds(std::span<const EntryId> ids) {
  ByteWriter writer;
  for (const EntryId &id : ids)
    writer.putBytes(id.session), writer.put(id.index);
  return writer.take();
}

Expected<std::vector<EntryId>> decodeIds(Bytes bytes) {
  if (bytes.empty() || bytes.size() % kIdBytes != 0 || bytes.size() > kMaxBatch * kIdBytes)
    return fail("the peer names stored inferences in {} bytes", bytes.size());
  ByteReader reader(bytes);
  std::vector<EntryId> ids(bytes.size() / kIdBytes);
  for (EntryId &id : ids) {
    SD_ASSIGN(const Bytes session, reader.take(id.session.size(), "a stored inference's name"));
    std::ranges::copy(session, id.session.begin());
    SD_ASSIGN(id.index, reader.get<std::uint32_t>("a stored inference's name"));
  }
  return ids;
}

// How many to agree on at once: a crash burns what is not used of them.
std::size_t batchSize(const Plan &plan, int party) {
  const std::uint64_t bytes = StoredLayout(plan, party).bodyBytes;
  return static_cast<std::size_t>(
      std::clamp<std::uint64_t>(kBatchBytes / std::max<std::uint64_t>(bytes, 1), 1, kMaxBatch));
}

} // namespace

template <class Material>
Expected<Pool::Contents> StoredBundles<Material>::look() {
  SD_ASSIGN(Pool::Contents contents, pool_.contents());
  if (contents.cleared > 0)
    report_.problem(fmt::format("discarded {} stored inference(s) that an earlier run did not finish making or using",
                                contents.cleared));
  if (contents.all.size() > kMaxInventory) return fail("the store holds more than {} inferences", kMaxInventory);
  return contents;
}

template <class Material>
Expected<void> StoredBundles<Material>::discard(const Inventory &ids) {
  if (ids.empty()) return {};
  SD_ASSIGN(const std::size_t discarded, pool_.discard(ids));
  if (discarded > 0)
    report_.problem(fmt::format("discarded {} stored inference(s) that the peer does not have (any more)", discarded));
  return {};
}

template <class Material>
Expected<void> StoredBundles<Material>::compareAsService() {
  // What P1 is still making is not settled here, so all that was settled before P1 looked, P1 has or had.
  SD_ASSIGN(const Pool::Contents before, look());
  SD_TRY(channel_.send(kGoTag, {}));
  SD_ASSIGN(const std::vector<std::uint8_t> bytes, channel_.receiveUpTo(kListTag, kMaxInventoryBytes));
  SD_ASSIGN(const Inventory theirs, decodeInventory(bytes));
  SD_ASSIGN(const Pool::Contents now, look());
  SD_TRY(channel_.send(kListTag, encodeInventory(now.all)));
  return discard(without(before.settled, theirs));
}

template <class Material>
Expected<void> StoredBundles<Material>::compareAsClient() {
  SD_TRY(channel_.receive(kGoTag, {}));
  SD_ASSIGN(const Pool::Contents mine, look());
  SD_TRY(channel_.send(kListTag, encodeInventory(mine.all)));
  SD_ASSIGN(const std::vector<std::uint8_t> bytes, channel_.receiveUpTo(kListTag, kMaxInventoryBytes));
  SD_ASSIGN(const Inventory theirs, decodeInventory(bytes));
  common_ = inBoth(mine.ready, theirs);
  return discard(without(mine.ready, theirs));
}

template <class Material>
Expected<void> StoredBundles<Material>::compare(std::uint64_t records) {
  left_ = records;
  if (pool_.binding().party == 0) return compareAsService();
  SD_TRY(compareAsClient());
  if (common_.size() < records)
    return fail(ErrorKind::Refused,
                "the stores hold {} prepared inference(s) of this program with this peer, {} are needed; run both "
                "sides with --prepare N --store DIR",
                common_.size(), records);
  return {};
}

template <class Material>
auto StoredBundles<Material>::takeAll(std::span<const EntryId> ids) -> Expected<std::vector<Ready>> {
  SD_ASSIGN(std::vector<TakenEntry> taken, pool_.take(ids));
  std::vector<Ready> ready;
  for (TakenEntry &entry : taken) {
    auto bundle = entry.load<Material>(plan_);
    if (bundle)
      ready.push_back({std::move(entry), std::move(*bundle)});
    else
      report_.problem(fmt::format("discarded: {}", bundle.error().message));
  }
  return ready;
}

template <class Material>
Expected<void> StoredBundles<Material>::refillAsService() {
  SD_ASSIGN(const std::vector<std::uint8_t> bytes, channel_.receiveUpTo(kNamesTag, kMaxBatch * kIdBytes));
  SD_ASSIGN(const std::vector<EntryId> ids, decodeIds(bytes));
  SD_ASSIGN(ready_, takeAll(ids));
  std::vector<std::uint8_t> answer;
  auto have = ready_.begin();
  for (const EntryId &id : ids) { // ready_ is a part of them in the same order
    const bool here = have != ready_.end() && have->entry.id() == id;
    answer.push_back(here);
    if (here)
      ++have;
    else
      report_.problem(fmt::format("the peer wants to use stored inference {}, which is not here", toString(id)));
  }
  return channel_.send(kAnswerTag, answer);
}

template <class Material>
Expected<void> StoredBundles<Material>::refillAsClient() {
  const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left_, batchSize(plan_, 1)));
  // Others may take from the same store: what is gone by now is passed over.
  std::vector<Ready> mine;
  while (mine.size() < wanted && next_ < common_.size()) {
    const std::size_t count = std::min(wanted - mine.size(), common_.size() - next_);
    SD_ASSIGN(std::vector<Ready> more, takeAll(std::span(common_).subspan(next_, count)));
    next_ += count;
    std::ranges::move(more, std::back_inserter(mine));
  }
  if (mine.empty())
    return fail("the store is used up: {} record(s) are left without a prepared inference; run both sides with "
                "--prepare N --store DIR",
                left_);
  std::vector<EntryId> ids;
  for (const Ready &ready : mine)
    ids.push_back(ready.entry.id());
  SD_TRY(channel_.send(kNamesTag, encodeIds(ids)));
  std::vector<std::uint8_t> answer(ids.size());
  SD_TRY(channel_.receive(kAnswerTag, answer));
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (answer[i] == 1) {
      ready_.push_back(std::move(mine[i]));
      continue;
    }
    report_.problem(fmt::format("discarded: the peer does not have stored inference {}", toString(ids[i])));
  }
  return {};
}

template <class Material>
Expected<Bundle<Material>> StoredBundles<Material>::next() {
  current_.reset(); // its record is done
  while (ready_.empty()) {
    SD_TRY(pool_.binding().party == 0 ? refillAsService() : refillAsClient());
    std::ranges::reverse(ready_);
    left_ -= std::min<std::uint64_t>(left_, ready_.size());
  }
  Ready ready = std::move(ready_.back());
  ready_.pop_back();
  current_ = std::move(ready.entry);
  report_.used(current_->id());
  return std::move(ready.bundle);
}

template class StoredBundles<ServiceMaterial<Ring32>>;
template class StoredBundles<ClientMaterial<Ring32>>;
template class StoredBundles<ServiceMaterial<Ring64>>;
template class StoredBundles<ClientMaterial<Ring64>>;

Expected<void> commitService(Channel &channel, EntryWriter entry, std::optional<EntryWriter> &previous) {
  SD_TRY(channel.receive(kWrittenTag, {})); // P1's, so it has committed the one before
  previous.reset();
  SD_TRY(entry.commit());
  previous = std::move(entry);
  return channel.send(kCommittedTag, {});
}

Expected<void> commitClient(Channel &channel, EntryWriter entry) {
  SD_TRY(channel.send(kWrittenTag, {}));
  SD_TRY(channel.receive(kCommittedTag, {}));
  return entry.commit();
}

} // namespace sd
