#include "runtime/store/FolderBackend.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "runtime/store/FolderPool.h"
#include "runtime/store/KeyFile.h"

namespace sd {

namespace {

const std::string kKeyName = "key";
constexpr std::size_t kPoolDigits = 32;

FileHandle openFolder(int at, const std::string &name) {
  return FileHandle(::openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// With a slash behind it, a symbolic link would be followed.
std::string withoutSlashes(std::string path) {
  while (path.size() > 1 && path.ends_with('/'))
    path.pop_back();
  return path;
}

// Why openFolder() failed; its errno does not tell a link from a file.
tl::unexpected<Error> cannotOpen(const std::string &path) {
  const int why = errno;
  struct stat status = {};
  if (::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode))
    return fail("{}: a symbolic link; name the store's folder itself", path);
  errno = why;
  return failedCall(path, "can't open the store");
}

Expected<void> makeKey(const FileHandle &folder, const std::string &path) {
  SD_ASSIGN(const std::vector<std::string> names, namesIn(folder, path));
  const std::string temporary = kKeyName + std::string(kNewKeySuffix);
  const auto isKey = [&](const std::string &name) { return name == kKeyName || name.starts_with(temporary); };
  if (!std::ranges::all_of(names, isKey)) return fail("{}: neither a store nor an empty folder", path);
  SD_TRY(makeKeyFile(folder.get(), kKeyName, path));
  return flush(folder, path);
}

Expected<void> createFolder(const std::string &path) {
  const bool made = ::mkdir(path.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return failedCall(path, "can't make the store's folder");
  const FileHandle folder = openFolder(AT_FDCWD, path);
  if (!folder) return cannotOpen(path);
  SD_TRY(checkPrivateFolder(folder, path));
  if (!hasKeyFile(folder.get(), kKeyName)) SD_TRY(makeKey(folder, path));
  if (made) {
    const FileHandle parent = openFolder(folder.get(), "..");
    if (parent) SD_TRY(flush(parent, path));
  }
  return {};
}

class FolderBackend : public StoreBackend {
public:
  FolderBackend(std::string path, FileHandle folder) : path_(std::move(path)), folder_(std::move(folder)) {}

  const std::string &name() const override { return path_; }

  Expected<std::shared_ptr<PoolBackend>> pool(const std::string &name, bool create) override {
    PoolFolder pool{{}, path_ + "/" + name};
    if (create) {
      const bool made = ::mkdirat(folder_.get(), name.c_str(), 0700) == 0;
      if (!made && errno != EEXIST) return failedCall(pool.name, "can't make the folder");
      if (made) SD_TRY(flush(folder_, path_));
    }
    pool.handle = openFolder(folder_.get(), name);
    if (!pool.handle && errno == ENOENT && !create) return nullptr;
    if (!pool.handle) return failedCall(pool.name, "can't open the folder");
    SD_TRY(checkPrivateFolder(pool.handle, pool.name));
    return makeFolderPool(std::move(pool));
  }

  Expected<std::vector<std::string>> pools() override {
    SD_ASSIGN(std::vector<std::string> names, namesIn(folder_, path_));
    std::erase_if(names, [](const std::string &name) {
      return name.size() != kPoolDigits || name.find_first_not_of("0123456789abcdef") != std::string::npos;
    });
    std::ranges::sort(names);
    return names;
  }

  Expected<bool> removeEmpty(const std::string &pool) override {
    if (::unlinkat(folder_.get(), pool.c_str(), AT_REMOVEDIR) == 0) return true;
    if (errno == ENOTEMPTY || errno == EEXIST) return false;
    return failedCall(path_ + "/" + pool, "can't remove the folder");
  }

private:
  std::string path_;
  FileHandle folder_;
};

} // namespace

Expected<OpenedStore> openFolderStore(const std::string &given, bool create) {
  const std::string path = withoutSlashes(given);
  if (create) SD_TRY(createFolder(path));
  FileHandle folder = openFolder(AT_FDCWD, path);
  if (!folder && errno == ENOENT) return fail("{}: there is no store; --prepare N makes one", path);
  if (!folder) return cannotOpen(path);
  SD_TRY(checkPrivateFolder(folder, path));
  if (!hasKeyFile(folder.get(), kKeyName)) return fail("{}: not a store (it has no key); --prepare N makes one", path);
  SD_ASSIGN(StoreKey key, readKeyFile(folder.get(), kKeyName, path + "/" + kKeyName));
  return OpenedStore{std::make_shared<FolderBackend>(path, std::move(folder)), std::move(key)};
}

} // namespace sd
