#include "runtime/store/KeyFile.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace sd {

bool hasKeyFile(int folder, const std::string &name) {
  return ::faccessat(folder, name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

Expected<StoreKey> readKeyFile(int folder, const std::string &name, const std::string &shown) {
  const FileHandle file(::openat(folder, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file) return failedCall(shown, "can't open it");
  SD_TRY(checkPrivateFile(file, shown));
  SD_ASSIGN(const std::uint64_t size, fileSize(file, shown));
  SecretVector<std::uint8_t> bytes(std::min<std::size_t>(size, StoreKey::kFileBytes + 1));
  SD_TRY(readAt(file, 0, bytes.span(), shown));
  auto key = StoreKey::decode(bytes.span());
  if (!key) return failAs(key.error(), "{}: {}", shown, key.error().message);
  return key;
}

// A link fails where there is a name already.
Expected<void> makeKeyFile(int folder, const std::string &name, const std::string &shown) {
  SD_ASSIGN(const StoreKey key, StoreKey::fresh());
  const std::string temporary = fmt::format("{}{}{}", name, kNewKeySuffix, toHex(key.id));
  {
    const FileHandle file(
        ::openat(folder, temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return failedCall(shown, "can't make the store's key");
    const auto written = writeAt(file, 0, key.encode().span(), shown);
    const auto flushed = written ? flush(file, shown) : written;
    if (!flushed) {
      ::unlinkat(folder, temporary.c_str(), 0);
      return flushed;
    }
  }
  const bool linked = ::linkat(folder, temporary.c_str(), folder, name.c_str(), 0) == 0;
  const int why = errno;
  ::unlinkat(folder, temporary.c_str(), 0);
  errno = why;
  if (!linked && errno != EEXIST) return failedCall(shown, "can't make the store's key");
  return {};
}

} // namespace sd
