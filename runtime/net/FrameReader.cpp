#include "runtime/net/FrameReader.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace sd {

FrameReader::FrameReader(ByteStream &stream, FrameSink &sink) : stream_(stream), sink_(sink), staging_(kStaging) {}

Expected<FrameReader::Result> FrameReader::pump() {
  std::size_t taken = 0;
  IoWait wait = IoWait::None;
  while (true) {
    bool used = true;
    while (used && !closed_) {
      SD_ASSIGN(used, useStaged());
      if (std::exchange(enough_, false)) return Result{Status::More};
    }
    if (closed_) return Result{Status::Closed};
    if (wait != IoWait::None) return Result{Status::Idle, wait};
    if (taken >= kBudget) return Result{Status::More};
    const std::span<std::uint8_t> target = readTarget();
    SD_ASSIGN(const IoResult result, stream_.read(target));
    if (result.end) return Result{Status::End};
    if (result.bytes > 0) sink_.progressed(result.bytes);
    taken += result.bytes;
    wait = result.wait;
    if (target.data() == staging_.data() + end_)
      end_ += result.bytes;
    else
      payload_ = payload_->subspan(result.bytes);
  }
}

void FrameReader::abandon() {
  if (!payload_) return;
  payload_.reset();
  sink_.abandonFrame();
}

Expected<FrameReader::Result> FrameReader::discard() {
  for (std::size_t taken = 0; taken < kBudget;) {
    SD_ASSIGN(const IoResult result, stream_.read(staging_));
    if (result.end) return Result{Status::End};
    if (result.wait != IoWait::None) return Result{Status::Idle, result.wait};
    taken += result.bytes;
  }
  return Result{Status::More};
}

// Long payloads are read in place, and not beyond their end, so that the next one can be too; what is shorter comes
// through the staging buffer, many frames at a time.
std::span<std::uint8_t> FrameReader::readTarget() {
  if (payload_ && long_) return *payload_;
  if (begin_ == end_) begin_ = end_ = 0;
  if (staging_.size() - begin_ < kFrameHeaderBytes + kMaxReasonBytes) {
    std::memmove(staging_.data(), staging_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return std::span(staging_).subspan(end_);
}

// Makes one step with the bytes that are staged; false if more are needed first.
Expected<bool> FrameReader::useStaged() {
  if (payload_) {
    const std::size_t count = std::min(payload_->size(), end_ - begin_);
    if (count > 0) std::memcpy(payload_->data(), staging_.data() + begin_, count);
    begin_ += count;
    payload_ = payload_->subspan(count);
    if (!payload_->empty()) return false;
    payload_.reset();
    enough_ = sink_.finishFrame();
    return true;
  }
  if (end_ - begin_ < kFrameHeaderBytes) return false;
  const FrameHeader header =
      decodeFrameHeader(std::span<const std::uint8_t, kFrameHeaderBytes>(staging_.data() + begin_, kFrameHeaderBytes));
  if (header.stream == kControlStream && ((header.tag == kCloseTag && header.length <= kMaxReasonBytes) ||
                                          (header.tag == kBusyTag && header.length == kBusyBytes)))
    return useControl(header);
  begin_ += kFrameHeaderBytes;
  SD_ASSIGN(payload_, sink_.beginFrame(header));
  long_ = header.length >= kLong;
  return true;
}

Expected<bool> FrameReader::useControl(const FrameHeader &header) {
  if (end_ - begin_ < kFrameHeaderBytes + header.length) return false;
  const std::uint8_t *payload = staging_.data() + begin_ + kFrameHeaderBytes;
  if (header.tag == kBusyTag) {
    begin_ += kFrameHeaderBytes + kBusyBytes;
    sink_.busyFrame(payload[0] | static_cast<unsigned>(payload[1]) << 8);
    return true;
  }
  const auto *reason = reinterpret_cast<const char *>(payload);
  closed_ = true;
  sink_.closeFrame({reason, header.length});
  return true;
}

} // namespace sd
