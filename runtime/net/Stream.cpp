#include "runtime/net/Stream.h"

#include <algorithm>
#include <cstring>

namespace sd {

// Offers a buffer to the transport, until the end of the scope. An exception on the way there ends the session, if
// somebody is writing into the buffer at that time, and waits until he has stopped.
class StreamedConnection::Stream::Posting {
public:
  Posting(Stream &stream, std::unique_lock<std::mutex> &lock, Posted &posted) : stream_(stream), lock_(lock) {
    stream_.posted_ = &posted;
  }
  ~Posting() {
    if (!lock_) lock_.lock();
    if (stream_.filling()) stream_.connection_.endLocked(State::PeerEnded, std::string(kNoMemory));
    while (stream_.filling())
      stream_.changed_.wait(lock_);
    stream_.posted_ = nullptr;
  }
  Posting(const Posting &) = delete;
  Posting &operator=(const Posting &) = delete;

private:
  Stream &stream_;
  std::unique_lock<std::mutex> &lock_;
};

// A thread waits for a message, as long as the scope lasts.
class StreamedConnection::Stream::Awaiting {
public:
  Awaiting(Stream &stream, std::unique_lock<std::mutex> &lock) : stream_(stream), lock_(lock) {
    ++stream_.connection_.waiting_;
    stream_.awaited_ = true;
    stream_.connection_.wakeIfHeld();
  }
  ~Awaiting() {
    if (!lock_) lock_.lock();
    --stream_.connection_.waiting_;
    stream_.awaited_ = false;
  }
  Awaiting(const Awaiting &) = delete;
  Awaiting &operator=(const Awaiting &) = delete;

private:
  Stream &stream_;
  std::unique_lock<std::mutex> &lock_;
};

Expected<void> StreamedConnection::Stream::send(std::uint16_t tag, std::span<const std::uint8_t> payload) {
  if (payload.size() > kMaxFrameBytes)
    return fail(ErrorKind::Network, "a message of {} bytes is too long for one frame (at most {})", payload.size(),
                kMaxFrameBytes);
  SD_TRY(connection_.checkOpen());
  SD_TRY(connection_.sendFrame({static_cast<std::uint32_t>(payload.size()), id_, tag}, payload));
  const std::lock_guard lock(connection_.mutex_);
  ++traffic_.messagesSent;
  traffic_.bytesSent += kFrameHeaderBytes + payload.size();
  return {};
}

Expected<void> StreamedConnection::Stream::receive(std::uint16_t tag, std::span<std::uint8_t> payload) {
  std::unique_lock lock(connection_.mutex_);
  Posted posted{tag, payload};
  {
    const Posting posting(*this, lock, posted);
    SD_TRY(arrive(lock, tag));
  }
  if (posted.state == Posted::State::Done) {
    countReceived(payload.size());
    return {};
  }
  SD_ASSIGN(const Message message, take(lock, tag, payload.size(), payload.size()));
  lock.unlock();
  if (message.size > 0) std::memcpy(payload.data(), message.bytes.get(), message.size);
  return {};
}

Expected<std::vector<std::uint8_t>> StreamedConnection::Stream::receiveUpTo(std::uint16_t tag, std::size_t limit) {
  std::unique_lock lock(connection_.mutex_);
  SD_TRY(arrive(lock, tag));
  SD_ASSIGN(const Message message, take(lock, tag, 0, limit));
  lock.unlock();
  return std::vector<std::uint8_t>(message.bytes.get(), message.bytes.get() + message.size);
}

Expected<Channel::Arrival> StreamedConnection::Stream::await(std::chrono::milliseconds atMost) {
  connection_.beforeWait();
  std::unique_lock lock(connection_.mutex_);
  const Clock::time_point until = Clock::now() + atMost;
  {
    const Awaiting awaiting(*this, lock);
    bool mayLead = true;
    do { // once at least: what has come may not have been read
      if (!ready()) waitOnce(lock, until, mayLead);
    } while (!ready() && Clock::now() < until);
  }
  if (!queue_.empty() && connection_.state_ != State::EndedHere) return Arrival::Message;
  if (connection_.state_ == State::Open) return Arrival::Nothing;
  if (connection_.quiet_) return Arrival::Closed;
  return tl::unexpected(connection_.endError());
}

Traffic StreamedConnection::Stream::traffic() const {
  const std::lock_guard lock(connection_.mutex_);
  return traffic_;
}

// Whether arrive() has an answer: a message, or the end of the session.
bool StreamedConnection::Stream::ready() const {
  if (filling()) return false;
  if (posted_ != nullptr && posted_->state == Posted::State::Done) return true;
  return !queue_.empty() || connection_.state_ != State::Open;
}

// Waits until the posted buffer is full or a message is in the queue.
Expected<void> StreamedConnection::Stream::arrive(std::unique_lock<std::mutex> &lock, std::uint16_t tag) {
  if (ready()) return arrival();
  lock.unlock();
  connection_.beforeWait();
  lock.lock();
  const Awaiting awaiting(*this, lock);
  const Clock::time_point start = Clock::now();
  bool mayLead = true;
  while (!ready()) {
    const Clock::time_point until = deadline(start);
    if (connection_.state_ != State::Open) { // whoever fills the posted buffer is about to give up
      changed_.wait(lock);
    } else if (Clock::now() >= until) {
      const std::string reason = timeoutReason(tag);
      lock.unlock();
      connection_.close(reason);
      lock.lock();
    } else {
      waitOnce(lock, until, mayLead);
    }
  }
  return arrival();
}

// Waits for a change, or until then; reads itself if no one else does.
void StreamedConnection::Stream::waitOnce(std::unique_lock<std::mutex> &lock, Clock::time_point until, bool &mayLead) {
  if (mayLead) {
    lock.unlock();
    mayLead = connection_.lead(*this, until);
    lock.lock();
  } else {
    changed_.wait_until(lock, until);
    mayLead = true;
  }
}

Expected<void> StreamedConnection::Stream::arrival() const {
  const bool arrived = (posted_ != nullptr && posted_->state == Posted::State::Done) ||
                       (!queue_.empty() && connection_.state_ != State::EndedHere);
  if (!arrived) return tl::unexpected(connection_.endError());
  return {};
}

StreamedConnection::Clock::time_point StreamedConnection::Stream::deadline(Clock::time_point start) const {
  if (!connection_.greeted_) return start + connection_.options_.timeout;
  const Clock::time_point lastArrival{Clock::duration(connection_.lastArrival_.load(std::memory_order_relaxed))};
  return std::max(start, lastArrival) + connection_.options_.timeout;
}

std::string StreamedConnection::Stream::timeoutReason(std::uint16_t tag) const {
  const double seconds = static_cast<double>(connection_.options_.timeout.count()) / 1000;
  if (!connection_.greeted_ && connection_.busyWith_ > 0)
    return fmt::format("the service is busy with {} session{} and had no room for another within {} s; try again "
                       "later, or wait longer with --timeout",
                       connection_.busyWith_, connection_.busyWith_ == 1 ? "" : "s", seconds);
  return fmt::format("{} came for {} s while waiting for tag {} of stream {}",
                     connection_.arrived_ == 0 ? "nothing" : "next to nothing", seconds, tag, id_);
}

Expected<StreamedConnection::Message> StreamedConnection::Stream::take(std::unique_lock<std::mutex> &lock,
                                                                       std::uint16_t tag, std::size_t least,
                                                                       std::size_t most) {
  Message message = std::move(queue_.front());
  queue_.pop_front();
  connection_.unread_ -= weightOf(message.size);
  connection_.wakeIfHeld();
  if (message.tag == tag && message.size >= least && message.size <= most) {
    countReceived(message.size);
    return message;
  }
  lock.unlock();
  const std::string reason =
      fmt::format("stream {} expected tag {} with {}{} bytes and got tag {} with {} bytes; do both sides run the same "
                  "program and version?",
                  id_, tag, least == most ? "" : "up to ", most, message.tag, message.size);
  connection_.close(reason);
  return fail(ErrorKind::Network, "{}: {}", connection_.peerName_, reason);
}

void StreamedConnection::Stream::countReceived(std::size_t payloadBytes) {
  connection_.greeted_ = true;
  connection_.wakeIfHeld();
  ++traffic_.messagesReceived;
  traffic_.bytesReceived += kFrameHeaderBytes + payloadBytes;
}

} // namespace sd
