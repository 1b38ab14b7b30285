#include "runtime/net/WriteQueue.h"

namespace sd {

void WriteQueue::push(std::span<const std::uint8_t> head, std::span<const std::uint8_t> body) {
  std::vector<std::uint8_t> chunk;
  chunk.reserve(head.size() + body.size());
  chunk.insert(chunk.end(), head.begin(), head.end());
  chunk.insert(chunk.end(), body.begin(), body.end());
  bytes_ += chunk.size();
  if (!chunk.empty()) chunks_.push_back(std::move(chunk));
}

Expected<IoWait> WriteQueue::flush(ByteStream &stream) {
  while (!chunks_.empty()) {
    SD_ASSIGN(const IoResult result, stream.write({}, std::span(chunks_.front()).subspan(written_)));
    written_ += result.bytes;
    bytes_ -= result.bytes;
    if (written_ == chunks_.front().size()) {
      chunks_.pop_front();
      written_ = 0;
    }
    if (result.wait != IoWait::None) return result.wait;
  }
  return IoWait::None;
}

void WriteQueue::clear() {
  chunks_.clear();
  written_ = bytes_ = 0;
}

} // namespace sd
