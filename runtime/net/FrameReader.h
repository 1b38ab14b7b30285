// Cuts a stream of bytes into frames, and puts long payloads straight where they belong.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "runtime/net/ByteStream.h"
#include "runtime/net/Frame.h"

namespace sd {

// Where the payloads go.
class FrameSink {
public:
  virtual ~FrameSink() = default;
  virtual Expected<std::span<std::uint8_t>> beginFrame(const FrameHeader &header) = 0; // a target of header.length
  virtual void progressed(std::size_t bytes) = 0;                                      // they came
  virtual bool finishFrame() = 0;                       // the target is full; true if pump() shall return
  virtual void abandonFrame() = 0;                      // and never will be
  virtual void closeFrame(std::string_view reason) = 0; // the peer ends the session
  virtual void busyFrame(unsigned sessions) = 0;        // the peer has so many and lets this one wait
};

class FrameReader {
public:
  FrameReader(ByteStream &stream, FrameSink &sink);

  enum class Status { Idle, More, Closed, End }; // nothing is there; there may be more; a close frame came; the end
  struct Result {
    Status status = Status::Idle;
    IoWait wait = IoWait::Read;
  };
  // Reads what is there, though not much more than kBudget bytes. Bytes may stay behind in the staging buffer, so
  // don't poll before it was Idle. Errors: the link broke, or the sink refused a frame.
  Expected<Result> pump();

  // Drops a payload that has begun.
  void abandon();

  // Reads and forgets.
  Expected<Result> discard();

private:
  static constexpr std::size_t kStaging = std::size_t{8} << 10;
  static constexpr std::size_t kLong = kStaging; // payloads from here on are read in place, to the byte
  static constexpr std::size_t kBudget = std::size_t{4} << 20;

  Expected<bool> useStaged();
  Expected<bool> useControl(const FrameHeader &header);
  std::span<std::uint8_t> readTarget();

  ByteStream &stream_;
  FrameSink &sink_;
  std::vector<std::uint8_t> staging_;
  std::size_t begin_ = 0, end_ = 0;                // the unused part of staging_
  std::optional<std::span<std::uint8_t>> payload_; // what is left to fill of a frame that has begun
  bool long_ = false, enough_ = false, closed_ = false;
};

} // namespace sd
