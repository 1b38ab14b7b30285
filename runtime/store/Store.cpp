#include "runtime/store/Store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "ir/bytecode/Digest.h"

namespace sd {

namespace {

constexpr char kKeyName[] = "key";
constexpr std::string_view kTemporaryKey = "key.new-";
constexpr std::string_view kPoolName = "sd store pool 1";

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

Expected<StoreKey> readKey(const FileHandle &folder, const std::string &path) {
  const std::string name = path + "/" + kKeyName;
  const FileHandle file(::openat(folder.get(), kKeyName, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) return failedCall(name, "can't open it");
  SD_TRY(checkPrivateFile(file, name));
  SD_ASSIGN(const std::uint64_t size, fileSize(file, name));
  SecretVector<std::uint8_t> bytes(std::min<std::size_t>(size, StoreKey::kFileBytes + 1));
  SD_TRY(readAt(file, 0, bytes.span(), name));
  auto key = StoreKey::decode(bytes.span());
  if (!key) return failAs(key.error(), "{}: {}", name, key.error().message);
  return key;
}

// Whole or not at all, whoever else does the same at the same time: a link fails where there is a name already.
Expected<void> makeKey(const FileHandle &folder, const std::string &path) {
  SD_ASSIGN(const std::vector<std::string> names, namesIn(folder, path));
  const auto isKey = [](const std::string &name) { return name == kKeyName || name.starts_with(kTemporaryKey); };
  if (!std::ranges::all_of(names, isKey)) return fail("{}: neither a store nor an empty folder", path);
  SD_ASSIGN(const StoreKey key, StoreKey::fresh());
  const std::string temporary = fmt::format("{}{}", kTemporaryKey, toHex(key.id));
  {
    const FileHandle file(
        ::openat(folder.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return failedCall(path, "can't make the store's key");
    SD_TRY(writeAt(file, 0, key.encode().span(), temporary));
    SD_TRY(flush(file, temporary));
  }
  const bool linked = ::linkat(folder.get(), temporary.c_str(), folder.get(), kKeyName, 0) == 0;
  const int why = errno;
  ::unlinkat(folder.get(), temporary.c_str(), 0);
  errno = why;
  if (!linked && errno != EEXIST) return failedCall(path, "can't make the store's key");
  return flush(folder, path);
}

// The folder of one binding.
std::string poolName(const EntryBinding &binding) {
  const auto party = static_cast<std::uint8_t>(binding.party);
  const Bytes domain{reinterpret_cast<const std::uint8_t *>(kPoolName.data()), kPoolName.size()};
  return toHex(sha256({domain, binding.program, {&party, 1}, binding.peer})).substr(0, 32);
}

bool hasKey(const FileHandle &folder) { return ::faccessat(folder.get(), kKeyName, F_OK, AT_SYMLINK_NOFOLLOW) == 0; }

} // namespace

Expected<Store> Store::open(const std::string &given) {
  const std::string path = withoutSlashes(given);
  FileHandle folder = openFolder(AT_FDCWD, path);
  if (!folder && errno == ENOENT) return fail("{}: there is no store; --prepare N makes one", path);
  if (!folder) return cannotOpen(path);
  SD_TRY(checkPrivateFolder(folder, path));
  if (!hasKey(folder)) return fail("{}: not a store (it has no key); --prepare N makes one", path);
  SD_ASSIGN(StoreKey key, readKey(folder, path));
  return Store(path, std::move(folder), std::move(key));
}

Expected<Store> Store::openOrCreate(const std::string &given) {
  const std::string path = withoutSlashes(given);
  const bool made = ::mkdir(path.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return failedCall(path, "can't make the store's folder");
  {
    const FileHandle folder = openFolder(AT_FDCWD, path);
    if (!folder) return cannotOpen(path);
    SD_TRY(checkPrivateFolder(folder, path));
    if (!hasKey(folder)) SD_TRY(makeKey(folder, path));
    if (made) {
      const FileHandle parent = openFolder(folder.get(), "..");
      if (parent) SD_TRY(flush(parent, path));
    }
  }
  return open(path);
}

Expected<Pool> Store::openPool(const std::string &name, const EntryBinding &binding) const {
  auto pool = std::make_shared<PoolFolder>();
  pool->name = path_ + "/" + name;
  pool->folder = FileHandle(::openat(folder_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!pool->folder) return failedCall(pool->name, "can't open the folder");
  SD_TRY(checkPrivateFolder(pool->folder, pool->name));
  pool->store = key_.id, pool->secret = key_.secret.clone(), pool->binding = binding;
  return Pool(std::move(pool));
}

Expected<Pool> Store::pool(const EntryBinding &binding) const {
  const std::string name = poolName(binding);
  const bool made = ::mkdirat(folder_.get(), name.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return failedCall(path_ + "/" + name, "can't make the folder");
  if (made) SD_TRY(flush(folder_, path_));
  return openPool(name, binding);
}

Expected<Pool> Store::existingPool(const EntryBinding &binding) const {
  const std::string name = poolName(binding);
  if (::faccessat(folder_.get(), name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT)
    return fail("no inferences of this program{} were ever prepared with this peer as party {}; run both sides with "
                "--prepare N --store DIR",
                binding.party == 0 ? " with these weights" : "", binding.party);
  return openPool(name, binding);
}

} // namespace sd
