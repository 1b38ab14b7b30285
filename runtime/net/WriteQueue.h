// Bytes that could not leave at once, in order.
#pragma once

#include <deque>
#include <vector>

#include "runtime/net/ByteStream.h"

namespace sd {

class WriteQueue {
public:
  bool empty() const { return chunks_.empty(); }
  std::size_t bytes() const { return bytes_; }
  void push(std::span<const std::uint8_t> head, std::span<const std::uint8_t> body);

  // Writes what goes now.
  Expected<IoWait> flush(ByteStream &stream);
  void clear();

private:
  std::deque<std::vector<std::uint8_t>> chunks_;
  std::size_t written_ = 0; // of the first chunk
  std::size_t bytes_ = 0;
};

} // namespace sd
