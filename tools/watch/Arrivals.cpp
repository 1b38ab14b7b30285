#include "tools/watch/Arrivals.h"

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

namespace sd {

namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kEvents =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_MODIFY | IN_DELETE | IN_CREATE | IN_ONLYDIR | IN_EXCL_UNLINK;

bool isLeftOut(std::string_view name) {
  return name.empty() || name.starts_with('.') || name == "DICOMDIR" || name.ends_with(".tmp") ||
         name.ends_with(".part") || name.ends_with('~');
}

std::int64_t nanoseconds(const timespec &time) { return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

std::string joined(const std::string &folder, const std::string &name) {
  return folder.empty() ? name : folder + "/" + name;
}

} // namespace

std::optional<FileStamp> stampOf(const std::string &path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return FileStamp{static_cast<std::uint64_t>(status.st_size), status.st_ino, nanoseconds(status.st_mtim),
                   nanoseconds(status.st_ctim)};
}

Expected<Arrivals> Arrivals::open(std::string folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) return fail("{}: there is no such folder", folder);
  Arrivals arrivals(std::move(folder));
  arrivals.events_ = FileHandle(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  SD_TRY(arrivals.scan());
  return arrivals;
}

std::string Arrivals::pathOf(const std::string &name) const { return joined(folder_, name); }

void Arrivals::watchFolder(const std::string &name) {
  if (!events_) return;
  const int watch = ::inotify_add_watch(events_.get(), name.empty() ? folder_.c_str() : pathOf(name).c_str(), kEvents);
  if (watch >= 0)
    watched_[watch] = name; // also where a folder was renamed
  else if (errno == ENOSPC || errno == ENOMEM)
    events_ = FileHandle(); // scans alone, for all folders
}

bool Arrivals::takeEvents() {
  bool isLost = false;
  alignas(inotify_event) char buffer[1 << 14];
  while (events_) {
    const ssize_t got = ::read(events_.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    for (ssize_t at = 0; at < got;) {
      inotify_event event;
      std::memcpy(&event, buffer + at, sizeof event);
      const char *name = buffer + at + sizeof event;
      isLost = isLost || (event.mask & IN_Q_OVERFLOW) != 0;
      onEvent(event.mask, event.wd, event.len > 0 ? std::string(name) : std::string());
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  }
  if (isLost) writing_.clear(); // who closed what is not known any more
  return isLost;
}

void Arrivals::onEvent(std::uint32_t mask, int watch, const std::string &name) {
  const auto folder = watched_.find(watch);
  if (folder == watched_.end()) return;
  if ((mask & IN_IGNORED) != 0) {
    watched_.erase(folder);
    return;
  }
  if (isLeftOut(name)) return;
  const std::string whole = joined(folder->second, name);
  if ((mask & IN_ISDIR) != 0) {
    if ((mask & (IN_CREATE | IN_MOVED_TO)) != 0) watchFolder(whole); // what is in it already, a scan finds
    return;
  }
  if ((mask & IN_MODIFY) != 0) writing_.insert(whole);
  if ((mask & (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE)) != 0) writing_.erase(whole);
  if ((mask & (IN_CLOSE_WRITE | IN_MOVED_TO)) != 0) take(whole);
}

void Arrivals::take(const std::string &name) {
  const auto stamp = stampOf(pathOf(name));
  if (!stamp) return;
  const auto given = given_.find(name);
  if (given != given_.end() && given->second == *stamp) return;
  given_[name] = *stamp;
  seen_.erase(name);
  if (queued_.insert(name).second) queue_.push_back(name);
}

Expected<std::map<std::string, FileStamp>> Arrivals::filesNow() {
  std::map<std::string, FileStamp> files;
  std::error_code error;
  watchFolder("");
  fs::recursive_directory_iterator it(folder_, error);
  for (const fs::recursive_directory_iterator end; !error && it != end; it.increment(error)) {
    const fs::path &path = it->path();
    std::error_code gone; // while the folder is read
    const bool isFolder = it->is_directory(gone), leftOut = isLeftOut(path.filename().string());
    const std::string name = path.lexically_relative(folder_).string();
    if (isFolder && leftOut) it.disable_recursion_pending();
    if (isFolder && !leftOut && !it->is_symlink(gone)) watchFolder(name);
    if (isFolder || leftOut) continue;
    if (const auto stamp = stampOf(path.string())) files.emplace(name, *stamp);
  }
  if (error) return fail("{}: the folder can't be read: {}", folder_, error.message());
  return files;
}

Expected<void> Arrivals::scan() {
  SD_ASSIGN(auto files, filesNow());
  std::erase_if(given_, [&](const auto &each) { return !files.contains(each.first); });
  std::erase_if(writing_, [&](const std::string &name) { return !files.contains(name); });
  std::vector<std::pair<FileStamp, std::string>> complete;
  std::map<std::string, FileStamp> seen;
  for (const auto &[name, stamp] : files) {
    if (const auto given = given_.find(name); given != given_.end() && given->second == stamp) continue;
    if (writing_.contains(name)) continue;
    const auto before = seen_.find(name);
    if (before != seen_.end() && before->second == stamp)
      complete.emplace_back(stamp, name);
    else
      seen.emplace(name, stamp);
  }
  seen_ = std::move(seen);
  std::ranges::sort(complete, {}, [](const auto &each) { return std::pair(each.first.changed, each.second); });
  for (const auto &[stamp, name] : complete)
    take(name);
  return {};
}

std::optional<Arrival> Arrivals::next() {
  while (!queue_.empty()) {
    std::string name = std::move(queue_.front());
    queue_.pop_front();
    queued_.erase(name);
    const auto stamp = stampOf(pathOf(name));
    if (!stamp || writing_.contains(name)) {
      given_.erase(name);
      continue;
    }
    given_[name] = *stamp;
    return Arrival{std::move(name), *stamp};
  }
  return std::nullopt;
}

void Arrivals::putBack(const std::string &name) { given_.erase(name); }

} // namespace sd
