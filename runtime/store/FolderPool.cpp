#include "runtime/store/FolderPool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>

namespace sd {

namespace {

using Folder = std::shared_ptr<const PoolFolder>;

constexpr std::string_view kPartSuffix = ".part", kReadySuffix = ".ready", kTakenSuffix = ".taken";

// For locks that are held but for a moment.
constexpr int kTries = 200;
constexpr std::chrono::milliseconds kPause{2};

std::string fileName(const EntryId &id, std::string_view suffix) { return fmt::format("{}{}", toString(id), suffix); }

std::optional<EntryId> idOf(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return {};
  return parseEntryId(name.substr(0, name.size() - suffix.size()));
}

FileHandle openEntry(const PoolFolder &pool, const std::string &name) {
  return FileHandle(::openat(pool.handle.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
}

class FileSink : public EntrySink {
public:
  FileSink(Folder pool, const EntryId &id)
      : pool_(std::move(pool)), part_(fileName(id, kPartSuffix)), ready_(fileName(id, kReadySuffix)) {}
  ~FileSink() override {
    if (file_ && !committed_) ::unlinkat(pool_->handle.get(), part_.c_str(), 0);
  }

  // Clearing up may take the new file for a dead process' before it is locked: then another try.
  Expected<void> open() {
    for (int tries = 0; tries < kTries; ++tries, std::this_thread::sleep_for(kPause)) {
      FileHandle file(
          ::openat(pool_->handle.get(), part_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
      if (!file && errno == EEXIST) continue;
      if (!file) return failedCall(part_, "can't create it");
      if (!tryLock(file, LockKind::Shared) || !isLinked(file)) continue;
      file_ = std::move(file);
      return {};
    }
    return failHere("{}: it is there already, or somebody else keeps removing it", part_);
  }
  Expected<void> write(std::uint64_t offset, std::span<const std::uint8_t> bytes) override {
    return writeAt(file_, offset, bytes, part_);
  }
  Expected<void> finish() override { return flush(file_, part_); }
  Expected<void> commit() override {
    const FileHandle &folder = pool_->handle;
    if (::renameat(folder.get(), part_.c_str(), folder.get(), ready_.c_str()) != 0)
      return failedCall(part_, "can't rename it");
    committed_ = true;
    return flush(folder, pool_->name);
  }

private:
  Folder pool_;
  std::string part_, ready_;
  FileHandle file_;
  bool committed_ = false;
};

class FileSource : public EntrySource {
public:
  // `name`: removed in the end; none if empty.
  FileSource(Folder pool, FileHandle file, std::string name)
      : pool_(std::move(pool)), file_(std::move(file)), name_(std::move(name)) {}
  ~FileSource() override {
    if (!name_.empty()) ::unlinkat(pool_->handle.get(), name_.c_str(), 0);
  }
  Expected<std::uint64_t> size() override {
    SD_TRY(checkPrivateFile(file_, kFile));
    return fileSize(file_, kFile);
  }
  Expected<void> read(std::uint64_t offset, std::span<std::uint8_t> bytes) override {
    return readAt(file_, offset, bytes, kFile);
  }

private:
  static constexpr std::string_view kFile = "the file"; // whoever reads it says which
  Folder pool_;
  FileHandle file_;
  std::string name_;
};

class FolderPool : public PoolBackend {
public:
  explicit FolderPool(PoolFolder folder) : folder_(std::make_shared<const PoolFolder>(std::move(folder))) {}

  Expected<std::unique_ptr<EntrySink>> create(const EntryId &id, std::uint64_t) override {
    auto sink = std::make_unique<FileSink>(folder_, id);
    SD_TRY(sink->open());
    return sink;
  }
  Expected<PoolContents> contents() override;
  Expected<std::vector<TakenSource>> take(std::span<const EntryId> ids) override;
  Expected<std::size_t> discard(const Inventory &ids) override;
  Expected<std::vector<Listed>> list() override;
  Expected<std::unique_ptr<EntrySource>> look(const EntryId &id) override {
    FileHandle file = openEntry(*folder_, fileName(id, kReadySuffix));
    if (!file) return failedCall(fileName(id, kReadySuffix), "can't open it");
    return std::make_unique<FileSource>(folder_, std::move(file), "");
  }

private:
  enum class State { InUse, Free, Gone };
  State look(const std::string &name, bool remove) const;
  Expected<FileHandle> takeOne(const EntryId &id) const; // none: it is not there, or somebody else has it

  Folder folder_;
};

// Whether somebody works on it; `remove`: if not, it is removed.
FolderPool::State FolderPool::look(const std::string &name, bool remove) const {
  const FileHandle file = openEntry(*folder_, name);
  if (!file) return State::Gone;
  if (!tryLock(file, LockKind::Exclusive)) return State::InUse;
  if (!isLinked(file)) return State::Gone;
  if (!remove) return State::Free;
  return ::unlinkat(folder_->handle.get(), name.c_str(), 0) == 0 ? State::Free : State::Gone;
}

Expected<PoolContents> FolderPool::contents() {
  PoolContents found;
  SD_ASSIGN(const std::vector<std::string> names, namesIn(folder_->handle, folder_->name));
  for (const std::string &name : names) {
    if (const auto ready = idOf(name, kReadySuffix)) {
      const State state = look(name, false);
      if (state != State::Gone) found.ready.push_back(*ready);
      if (state == State::Free) found.settled.push_back(*ready);
      // Taken since the folder was read.
      if (state == State::Gone && look(fileName(*ready, kTakenSuffix), false) == State::InUse)
        found.all.push_back(*ready);
    } else if (const auto taken = idOf(name, kTakenSuffix)) {
      const State state = look(name, true);
      if (state == State::InUse) found.all.push_back(*taken);
      found.cleared += state == State::Free;
    } else if (idOf(name, kPartSuffix)) {
      found.cleared += look(name, true) == State::Free;
    }
  }
  found.all.insert(found.all.end(), found.ready.begin(), found.ready.end());
  for (Inventory *list : {&found.ready, &found.settled, &found.all}) {
    std::ranges::sort(*list);
    list->erase(std::unique(list->begin(), list->end()), list->end());
  }
  return found;
}

Expected<FileHandle> FolderPool::takeOne(const EntryId &id) const {
  const int folder = folder_->handle.get();
  const std::string ready = fileName(id, kReadySuffix), taken = fileName(id, kTakenSuffix);
  for (int tries = 0; tries < kTries; ++tries, std::this_thread::sleep_for(kPause)) {
    FileHandle file = openEntry(*folder_, ready);
    if (!file && errno == ENOENT) return FileHandle();
    if (!file) return failedCall(ready, "can't open it");
    // The lock keeps clearing up away, which holds its own but for a moment; of two that have it, one renames.
    if (!tryLock(file, LockKind::Shared)) continue;
    if (::renameat(folder, ready.c_str(), folder, taken.c_str()) == 0) return file;
    if (errno != ENOENT) return failedCall(ready, "can't rename it");
    return FileHandle();
  }
  return FileHandle();
}

Expected<std::vector<TakenSource>> FolderPool::take(std::span<const EntryId> ids) {
  std::vector<TakenSource> taken;
  for (const EntryId &id : ids) {
    SD_ASSIGN(FileHandle file, takeOne(id));
    if (file) taken.push_back({id, std::make_unique<FileSource>(folder_, std::move(file), fileName(id, kTakenSuffix))});
  }
  if (!taken.empty()) SD_TRY(flush(folder_->handle, folder_->name));
  return taken;
}

Expected<std::size_t> FolderPool::discard(const Inventory &ids) {
  std::size_t removed = 0;
  for (const EntryId &id : ids)
    removed += look(fileName(id, kReadySuffix), true) == State::Free;
  if (removed > 0) SD_TRY(flush(folder_->handle, folder_->name));
  return removed;
}

Expected<std::vector<PoolBackend::Listed>> FolderPool::list() {
  std::vector<Listed> listed;
  SD_ASSIGN(const std::vector<std::string> names, namesIn(folder_->handle, folder_->name));
  for (const std::string &name : names) {
    const auto id = idOf(name, kReadySuffix);
    struct stat status = {};
    if (!id || ::fstatat(folder_->handle.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    listed.push_back(
        {*id, static_cast<std::uint64_t>(status.st_size), std::chrono::system_clock::from_time_t(status.st_mtime)});
  }
  std::ranges::sort(listed, {}, &Listed::id);
  return listed;
}

} // namespace

std::shared_ptr<PoolBackend> makeFolderPool(PoolFolder folder) {
  return std::make_shared<FolderPool>(std::move(folder));
}

} // namespace sd
