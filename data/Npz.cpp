#include "data/Npz.h"

#include <zlib.h>

#include "ir/bytecode/ByteIo.h"

namespace sd {

namespace {

using Arrays = std::vector<std::pair<std::string, std::string>>;

class Archive {
public:
  Archive(std::string_view content, std::uint64_t limit) : content_(content), limit_(limit) {}

  Expected<Arrays> read() {
    const std::size_t end = content_.rfind(std::string_view("PK\5\6", 4));
    if (end == content_.npos || end + 22 > content_.size()) return damaged("it has no table of contents");
    std::uint64_t count = number(end + 10, 2), at = number(end + 16, 4);
    if (count == 0xFFFF || at == 0xFFFFFFFF) return damaged("archives of more than 4 GB are not read");
    Arrays arrays;
    for (; count > 0; --count) {
      if (at + 46 > content_.size() || content_.substr(at, 4) != std::string_view("PK\1\2", 4))
        return damaged("its table of contents is cut short");
      const std::uint64_t nameBytes = number(at + 28, 2),
                          next = at + 46 + nameBytes + number(at + 30, 2) + number(at + 32, 2);
      if (next > content_.size()) return damaged("its table of contents is cut short");
      std::string name(content_.substr(at + 46, nameBytes));
      if (!name.ends_with(".npy")) return fail("an archive that holds '{}', which is no array", plainText(name, 64));
      name.resize(name.size() - 4);
      SD_ASSIGN(std::string bytes, member(at));
      arrays.emplace_back(std::move(name), std::move(bytes));
      at = next;
    }
    return arrays;
  }

private:
  tl::unexpected<Error> damaged(std::string_view what) const { return fail("a damaged .npz file: {}", what); }

  std::uint64_t number(std::uint64_t at, int bytes) const { // little endian; the caller has checked the place
    std::uint64_t value = 0;
    for (int i = bytes; i-- > 0;)
      value = value << 8 | static_cast<unsigned char>(content_[at + static_cast<std::uint64_t>(i)]);
    return value;
  }

  Expected<std::string> member(std::uint64_t entry) {
    const std::uint64_t method = number(entry + 10, 2), packed = number(entry + 20, 4), size = number(entry + 24, 4),
                        local = number(entry + 42, 4);
    if ((number(entry + 8, 2) & 1) != 0) return fail("an encrypted archive");
    if (packed == 0xFFFFFFFF || size == 0xFFFFFFFF) return damaged("arrays of more than 4 GB are not read");
    if (local + 30 > content_.size()) return damaged("it is cut short");
    const std::uint64_t from = local + 30 + number(local + 26, 2) + number(local + 28, 2);
    if (from > content_.size() || packed > content_.size() - from) return damaged("it is cut short");
    if (size > limit_) return fail("an archive of arrays that are too large");
    limit_ -= size;
    const std::string_view raw = content_.substr(from, packed);
    std::string bytes;
    if (method == 0 && packed == size) {
      bytes = raw;
    } else if (method == 8) {
      if (size / 1100 > packed) return damaged("an array that can't have its size"); // deflate's ratio is 1032
      SD_ASSIGN(bytes, inflated(raw, size));
    } else {
      return damaged("an array in a form that is not read");
    }
    if (crc32_z(0, reinterpret_cast<const Bytef *>(bytes.data()), bytes.size()) != number(entry + 16, 4))
      return damaged("an array's check does not fit");
    return bytes;
  }

  Expected<std::string> inflated(std::string_view raw, std::uint64_t size) const {
    std::string bytes(size, '\0');
    z_stream stream{};
    if (inflateInit2(&stream, -15) != Z_OK) return fail(ErrorKind::Resources, "no memory for an archive");
    stream.next_in = reinterpret_cast<Bytef *>(const_cast<char *>(raw.data()));
    stream.avail_in = static_cast<uInt>(raw.size());
    stream.next_out = reinterpret_cast<Bytef *>(bytes.data());
    stream.avail_out = static_cast<uInt>(size);
    const int result = inflate(&stream, Z_FINISH);
    const bool whole = result == Z_STREAM_END && stream.avail_out == 0;
    inflateEnd(&stream);
    if (!whole) return damaged("an array can't be unpacked");
    return bytes;
  }

  std::string_view content_;
  std::uint64_t limit_;
};

} // namespace

Expected<Arrays> readNpz(std::string_view content, std::uint64_t limit) { return Archive(content, limit).read(); }

} // namespace sd
