// One stream of a StreamedConnection; only that class and this one's own source include it.
#pragma once

#include "runtime/net/StreamedConnection.h"

namespace sd {

class StreamedConnection::Stream : public Channel {
public:
  Stream(StreamedConnection &connection, std::uint16_t id) : connection_(connection), id_(id) {}

  Expected<void> send(std::uint16_t tag, std::span<const std::uint8_t> payload) override;
  Expected<void> receive(std::uint16_t tag, std::span<std::uint8_t> payload) override;
  Expected<std::vector<std::uint8_t>> receiveUpTo(std::uint16_t tag, std::size_t limit) override;
  Expected<Arrival> await(std::chrono::milliseconds atMost) override;
  Traffic traffic() const override;

private:
  friend class StreamedConnection;

  // A receiver's buffer that the transport may write into, without a copy.
  struct Posted {
    enum class State { Waiting, Filling, Done };
    std::uint16_t tag;
    std::span<std::uint8_t> target;
    State state = State::Waiting;
  };

  class Posting;
  class Awaiting;

  Expected<void> arrive(std::unique_lock<std::mutex> &lock, std::uint16_t tag);
  void waitOnce(std::unique_lock<std::mutex> &lock, Clock::time_point until, bool &mayLead);
  bool ready() const;
  Expected<void> arrival() const;
  bool filling() const { return posted_ != nullptr && posted_->state == Posted::State::Filling; }
  Clock::time_point deadline(Clock::time_point start) const;
  std::string timeoutReason(std::uint16_t tag) const;
  Expected<Message> take(std::unique_lock<std::mutex> &lock, std::uint16_t tag, std::size_t least, std::size_t most);
  void countReceived(std::size_t payloadBytes);

  StreamedConnection &connection_;
  const std::uint16_t id_;
  // Guarded by the connection's mutex.
  std::condition_variable changed_;
  std::deque<Message> queue_;
  Posted *posted_ = nullptr;
  bool awaited_ = false; // a thread is in arrive() or await()
  Traffic traffic_;
};

} // namespace sd
