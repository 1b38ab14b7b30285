// The results of a batch, on disk as they come, so that whatever ends the run leaves those that were finished.
//
// A file of a header and one entry a record, in order; an entry is the record's outputs as floats and a check of them,
// so that one that was cut short or never reached the disk is seen. The file is its owner's alone, and locked while a
// run uses it. Once a second what was written is flushed to the disk.
//
//   header  "sd-batch", version u32 = 1, program's digest, records' digest, records u64, floats an entry u64, check
//   entry   floats, check
//
// A check is the first 8 bytes of SHA-256 over the entry's number (u64; the header's is 2^64 - 1) and what it follows.
#pragma once

#include <chrono>

#include "ir/bytecode/Digest.h"
#include "runtime/store/Posix.h"

namespace sd {

// What a batch is: one with another key can't go on where this one stopped.
struct BatchKey {
  Digest program{}, records{};
  std::uint64_t count = 0;  // of the records
  std::uint64_t floats = 0; // of each record's outputs, all together
  bool operator==(const BatchKey &) const = default;
};

class ResultJournal {
public:
  // Opens or creates the journal of a batch. With `resume` it goes on with what a run of the same batch has left;
  // without, results of another run are an error that says how to keep or to drop them. Errors: another batch, a run
  // that goes on, a file that is no journal or is open to others.
  static Expected<ResultJournal> open(const std::string &path, const BatchKey &key, bool resume);

  std::uint64_t size() const { return size_; } // records that have an entry
  const std::string &path() const { return path_; }
  bool isThere() const { return isLinked(file_); } // it has not been deleted by somebody else

  Expected<void> append(std::span<const float> values); // key.floats of them
  Expected<void> read(std::uint64_t record, std::span<float> values) const;
  Expected<void> flush();

  // Goes on in a new file, with what this one holds and one entry more; if that fails, in this one.
  Expected<void> moveTo(const std::string &path, std::span<const float> values);
  void remove(); // the file; the journal can still be read

private:
  ResultJournal(std::string path, FileHandle file, const BatchKey &key)
      : path_(std::move(path)), file_(std::move(file)), key_(key) {}

  Expected<void> begin();
  Expected<void> goOn(bool resume);
  std::uint64_t entryBytes() const;

  std::string path_;
  FileHandle file_;
  BatchKey key_;
  std::uint64_t size_ = 0;
  std::chrono::steady_clock::time_point flushed_ = std::chrono::steady_clock::now();
};

} // namespace sd
