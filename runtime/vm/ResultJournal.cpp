#include "runtime/vm/ResultJournal.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace sd {

namespace {

constexpr std::array<std::uint8_t, 8> kMagic{'s', 'd', '-', 'b', 'a', 't', 'c', 'h'};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kCheckBytes = 8;
constexpr std::size_t kHeaderBytes = 8 + 4 + 32 + 32 + 8 + 8 + kCheckBytes;
constexpr std::uint64_t kHeaderNumber = ~std::uint64_t{0};

Bytes bytesOf(std::span<const float> values) {
  return {reinterpret_cast<const std::uint8_t *>(values.data()), values.size_bytes()};
}

Digest checkOf(std::uint64_t number, Bytes content) {
  ByteWriter writer;
  writer.put(number);
  return sha256({writer.bytes(), content});
}

std::vector<std::uint8_t> headerOf(const BatchKey &key) {
  ByteWriter writer;
  writer.putBytes(kMagic);
  writer.put(kVersion);
  writer.putBytes(key.program), writer.putBytes(key.records);
  writer.put(key.count), writer.put(key.floats);
  const Digest check = checkOf(kHeaderNumber, writer.bytes());
  writer.putBytes(Bytes(check).first(kCheckBytes));
  return writer.take();
}

tl::unexpected<Error> asOutput(Error error) {
  error.kind = ErrorKind::Output;
  return tl::unexpected(std::move(error));
}

Expected<FileHandle> openFile(const std::string &path, int flags) {
  FileHandle file(::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | flags, 0600));
  if (!file) return asOutput(failedCall(path, "can't keep the results here").value());
  if (!checkPrivateFile(file, path))
    return fail(ErrorKind::Output, "{}: not a file of this user's alone; delete it, or choose another --output", path);
  return file;
}

// Says of a journal that holds another batch what differs.
Expected<void> compareHeaders(Bytes found, const BatchKey &key, const std::string &path) {
  const std::vector<std::uint8_t> mine = headerOf(key);
  if (std::ranges::equal(found, mine)) return {};
  if (!std::ranges::equal(found.first(kMagic.size() + 4), Bytes(mine).first(kMagic.size() + 4)))
    return fail("{}: not a journal of results, or of another version; delete it, or choose another --output", path);
  const bool program = std::ranges::equal(found.subspan(12, 32), key.program);
  return fail("{}: it holds the results of {}; give the same --input and program as then to go on with --resume, or "
              "delete it",
              path, program ? "other records" : "another program");
}

} // namespace

std::uint64_t ResultJournal::entryBytes() const { return key_.floats * sizeof(float) + kCheckBytes; }

Expected<ResultJournal> ResultJournal::open(const std::string &path, const BatchKey &key, bool resume) {
  while (true) {
    SD_ASSIGN(FileHandle file, openFile(path, 0));
    if (!tryLock(file, LockKind::Exclusive))
      return fail(ErrorKind::Output, "{}: another run writes its results there; choose another --output", path);
    if (!isLinked(file)) continue; // a run that had it has just come to its end
    ResultJournal journal(path, std::move(file), key);
    SD_TRY(journal.goOn(resume));
    return journal;
  }
}

Expected<void> ResultJournal::begin() {
  if (::ftruncate(file_.get(), 0) != 0) return asOutput(failedCall(path_, "can't write").value());
  if (auto written = writeAt(file_, 0, headerOf(key_), path_); !written) return asOutput(written.error());
  return flush();
}

// The entries that are whole are kept.
Expected<void> ResultJournal::goOn(bool resume) {
  SD_ASSIGN(const std::uint64_t bytes, fileSize(file_, path_));
  if (bytes < kHeaderBytes + kCheckBytes) return begin(); // nothing was finished
  std::vector<std::uint8_t> header(kHeaderBytes);
  SD_TRY(readAt(file_, 0, header, path_));
  if (!resume)
    return fail("{}: it holds results of a run that did not come to its end; go on with --resume, or delete it", path_);
  SD_TRY(compareHeaders(header, key_, path_));
  std::vector<float> values(key_.floats);
  const std::uint64_t most = std::min((bytes - kHeaderBytes) / entryBytes(), key_.count);
  while (size_ < most && read(size_, values))
    ++size_;
  if (::ftruncate(file_.get(), static_cast<off_t>(kHeaderBytes + size_ * entryBytes())) != 0)
    return asOutput(failedCall(path_, "can't write").value());
  return {};
}

Expected<void> ResultJournal::append(std::span<const float> values) {
  const Digest check = checkOf(size_, bytesOf(values));
  ByteWriter entry;
  entry.putBytes(bytesOf(values));
  entry.putBytes(Bytes(check).first(kCheckBytes));
  if (auto done = writeAt(file_, kHeaderBytes + size_ * entryBytes(), entry.bytes(), path_); !done)
    return asOutput(done.error());
  ++size_;
  const auto now = std::chrono::steady_clock::now();
  return now - flushed_ < std::chrono::seconds(1) ? Expected<void>() : flush();
}

Expected<void> ResultJournal::read(std::uint64_t record, std::span<float> values) const {
  std::vector<std::uint8_t> entry(entryBytes());
  SD_TRY(readAt(file_, kHeaderBytes + record * entryBytes(), entry, path_));
  const Bytes content = Bytes(entry).first(entry.size() - kCheckBytes);
  const Digest check = checkOf(record, content);
  if (!std::ranges::equal(Bytes(check).first(kCheckBytes), Bytes(entry).last(kCheckBytes)))
    return fail("{}: the result of record {} is damaged", path_, record + 1);
  if (!content.empty()) std::memcpy(values.data(), content.data(), content.size());
  return {};
}

Expected<void> ResultJournal::flush() {
  flushed_ = std::chrono::steady_clock::now();
  if (auto done = sd::flush(file_, path_); !done) return asOutput(done.error());
  return {};
}

Expected<void> ResultJournal::moveTo(const std::string &path, std::span<const float> values) {
  SD_ASSIGN(FileHandle file, openFile(path, O_EXCL));
  ResultJournal copy(path, std::move(file), key_);
  const auto fill = [&]() -> Expected<void> {
    SD_TRY(copy.begin());
    std::vector<float> old(key_.floats);
    while (copy.size_ < size_) {
      SD_TRY(read(copy.size_, old));
      SD_TRY(copy.append(old));
    }
    SD_TRY(copy.append(values));
    return copy.flush();
  };
  if (const auto filled = fill(); !filled) {
    copy.remove();
    return filled;
  }
  static_cast<void>(tryLock(copy.file_, LockKind::Exclusive)); // it is new: nobody else's
  remove();
  *this = std::move(copy);
  return {};
}

void ResultJournal::remove() {
  if (isLinked(file_)) ::unlink(path_.c_str());
}

} // namespace sd
