// Whole files, in and out.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ir/bytecode/ByteIo.h"

namespace sd {

// Messages begin with the path. A file longer than `limit` is refused before it is read.
Expected<std::vector<std::uint8_t>> readFile(const std::string &path, std::uint64_t limit);

// The same, as text. A standard input that does not end is refused once it has given more than `limit` bytes.
Expected<std::string> readText(const std::string &path, std::uint64_t limit);
Expected<std::string> readStandardInput(std::uint64_t limit);

enum class FileMode { Public, Private }; // 0666 less the umask; 0600 from the first byte on

// Whether writeFileAtomically can be expected to succeed: for asking before the work whose result goes there.
Expected<void> checkWritable(const std::string &path, FileMode mode);

// Writes a new file beside `path`, flushes it to the disk and renames it: `path` has the old content or the new, never
// a part. What is not a regular file, such as a device, is written to; with FileMode::Private it is refused.
Expected<void> writeFileAtomically(const std::string &path, Bytes bytes, FileMode mode);

// The same for what is made while it is written: `produce` gives its pieces, in order, to the function it is called
// with.
using PutBytes = std::function<Expected<void>(Bytes)>;
Expected<void> writeFileAtomically(const std::string &path, FileMode mode,
                                   const std::function<Expected<void>(const PutBytes &)> &produce);

} // namespace sd
