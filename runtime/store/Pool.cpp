#include "runtime/store/Pool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

namespace sd {

namespace {

enum class State { InUse, Free, Gone };

FileHandle openEntry(const PoolFolder &pool, const std::string &name) {
  return FileHandle(::openat(pool.folder.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
}

// Whether somebody works on it; `remove`: if not, it is removed.
State look(const PoolFolder &pool, const std::string &name, bool remove) {
  const FileHandle file = openEntry(pool, name);
  if (!file) return State::Gone;
  if (!tryLock(file, LockKind::Exclusive)) return State::InUse;
  if (!isLinked(file)) return State::Gone;
  if (!remove) return State::Free;
  return ::unlinkat(pool.folder.get(), name.c_str(), 0) == 0 ? State::Free : State::Gone;
}

std::optional<EntryId> idOf(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return {};
  return parseEntryId(name.substr(0, name.size() - suffix.size()));
}

} // namespace

Expected<Pool::Contents> Pool::contents() const {
  Contents found;
  SD_ASSIGN(const std::vector<std::string> names, namesIn(folder_->folder, folder_->name));
  for (const std::string &name : names) {
    if (const auto ready = idOf(name, kReadySuffix)) {
      const State state = look(*folder_, name, false);
      if (state != State::Gone) found.ready.push_back(*ready);
      if (state == State::Free) found.settled.push_back(*ready);
      // Taken since the folder was read.
      if (state == State::Gone && look(*folder_, entryFileName(*ready, kTakenSuffix), false) == State::InUse)
        found.all.push_back(*ready);
    } else if (const auto taken = idOf(name, kTakenSuffix)) {
      const State state = look(*folder_, name, true);
      if (state == State::InUse) found.all.push_back(*taken);
      found.cleared += state == State::Free;
    } else if (idOf(name, kPartSuffix)) {
      found.cleared += look(*folder_, name, true) == State::Free;
    }
  }
  found.all.insert(found.all.end(), found.ready.begin(), found.ready.end());
  for (Inventory *list : {&found.ready, &found.settled, &found.all}) {
    std::ranges::sort(*list);
    list->erase(std::unique(list->begin(), list->end()), list->end());
  }
  return found;
}

Expected<std::vector<TakenEntry>> Pool::take(std::span<const EntryId> ids) const {
  std::vector<TakenEntry> taken;
  for (const EntryId &id : ids) {
    SD_ASSIGN(std::optional<TakenEntry> entry, TakenEntry::take(folder_, id));
    if (entry) taken.push_back(std::move(*entry));
  }
  if (!taken.empty()) SD_TRY(flush(folder_->folder, folder_->name));
  return taken;
}

Expected<std::size_t> Pool::discard(const Inventory &ids) const {
  std::size_t removed = 0;
  for (const EntryId &id : ids)
    removed += look(*folder_, entryFileName(id, kReadySuffix), true) == State::Free;
  if (removed > 0) SD_TRY(flush(folder_->folder, folder_->name));
  return removed;
}

} // namespace sd
