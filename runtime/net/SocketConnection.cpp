#include "runtime/net/SocketConnection.h"

#include <poll.h>

#include <thread>

#include "runtime/net/FrameReader.h"
#include "runtime/net/Socket.h"
#include "runtime/net/WriteQueue.h"

namespace sd {
namespace {

using namespace std::chrono_literals;

short pollEvents(IoWait wait) {
  switch (wait) {
  case IoWait::None:
    return 0;
  case IoWait::Read:
    return POLLIN;
  case IoWait::Write:
    return POLLOUT;
  }
  return 0;
}

class SocketConnection final : public StreamedConnection, private FrameSink {
public:
  SocketConnection(std::unique_ptr<ByteStream> stream, std::string peerName, const ConnectionOptions &options,
                   WakeUp wakeUp)
      : StreamedConnection(std::move(peerName), options), wakeUp_(std::move(wakeUp)), stream_(std::move(stream)),
        reader_(*stream_, *this) {
    thread_ = std::thread([this] { run(); });
  }
  ~SocketConnection() override {
    close("");
    thread_.join(); // it gives up after the flush timeout
  }

protected:
  Expected<void> sendFrame(const FrameHeader &header, std::span<const std::uint8_t> payload) override;
  void sendClose(std::string_view reason) override;
  void wake() override { wakeUp_.wake(); }

private:
  Expected<std::span<std::uint8_t>> beginFrame(const FrameHeader &header) override {
    Expected<Incoming> incoming = begin(header);
    if (!incoming) {
      close(incoming.error().message);
      return tl::unexpected<Error>(std::move(incoming).error());
    }
    incoming_ = *std::move(incoming);
    return incoming_.target;
  }
  void progressed() override { noteArrival(); }
  void finishFrame() override { finish(std::move(incoming_)); }
  void abandonFrame() override { abandon(std::move(incoming_)); }
  void closeFrame(std::string_view reason) override { endedByPeer(reason); }

  Expected<void> waitForRoom(std::unique_lock<std::mutex> &lock);
  Expected<void> writeNow(std::span<const std::uint8_t> head, std::span<const std::uint8_t> body);
  Expected<void> explainBrokenLink(const Error &error);
  void run();
  IoWait flush(bool over);
  FrameReader::Result read(bool over);
  void lost(std::string_view why);

  const WakeUp wakeUp_;
  const std::unique_ptr<ByteStream> stream_;
  FrameReader reader_; // the thread's own, as is incoming_
  Incoming incoming_;
  std::mutex writeMutex_; // guards what follows; taken before the lock of the base, never after
  WriteQueue queue_;
  std::condition_variable room_;
  Clock::time_point lastWrite_{};
  bool broken_ = false; // nothing can be written any more
  std::thread thread_;
};

Expected<void> SocketConnection::sendFrame(const FrameHeader &header, std::span<const std::uint8_t> payload) {
  const auto head = encodeFrameHeader(header);
  std::unique_lock lock(writeMutex_);
  SD_TRY(waitForRoom(lock));
  Expected<void> written;
  if (queue_.empty())
    written = writeNow(head, payload);
  else
    queue_.push(head, payload);
  if (written) return {};
  broken_ = true;
  lock.unlock();
  return explainBrokenLink(written.error());
}

Expected<void> SocketConnection::waitForRoom(std::unique_lock<std::mutex> &lock) {
  if (queue_.bytes() < options().sendLimit) return {};
  const Waiting waiting(*this);
  const Clock::time_point start = Clock::now();
  while (queue_.bytes() >= options().sendLimit) {
    SD_TRY(checkOpen());
    const Clock::time_point deadline = std::max(start, lastWrite_) + options().timeout;
    if (Clock::now() < deadline) {
      room_.wait_until(lock, deadline);
      continue;
    }
    const std::string reason =
        fmt::format("nothing could be sent for {} s", static_cast<double>(options().timeout.count()) / 1000);
    lock.unlock();
    close(reason);
    lock.lock();
  }
  return checkOpen();
}

Expected<void> SocketConnection::writeNow(std::span<const std::uint8_t> head, std::span<const std::uint8_t> body) {
  while (true) {
    SD_ASSIGN(const IoResult result, stream_->write(head, body));
    const std::size_t ofHead = std::min(result.bytes, head.size());
    head = head.subspan(ofHead);
    body = body.subspan(result.bytes - ofHead);
    if (head.empty() && body.empty()) return {};
    // A peer that keeps up makes room soon, and to wait for it spares a copy; else the thread sends the rest.
    pollfd writable{stream_->descriptor(), pollEvents(result.wait), 0};
    if (result.wait != IoWait::None && !pollUntil({&writable, 1}, Clock::now() + 1ms)) break;
    if (ended()) break;
  }
  queue_.push(head, body);
  lastWrite_ = Clock::now();
  wakeUp_.wake();
  return {};
}

// The peer may have said why before it hung up; the thread is about to read that.
Expected<void> SocketConnection::explainBrokenLink(const Error &error) {
  wakeUp_.wake();
  for (int i = 0; i < 200 && !ended(); ++i)
    std::this_thread::sleep_for(5ms);
  lost(error.message);
  return checkOpen();
}

void SocketConnection::sendClose(std::string_view reason) {
  {
    const std::lock_guard lock(writeMutex_);
    const FrameHeader header{static_cast<std::uint32_t>(reason.size()), kControlStream, kCloseTag};
    queue_.push(encodeFrameHeader(header), {reinterpret_cast<const std::uint8_t *>(reason.data()), reason.size()});
  }
  wakeUp_.wake();
}

void SocketConnection::lost(std::string_view why) { endLost(fmt::format("lost {}: {}", peerName(), why)); }

void SocketConnection::run() {
  Clock::time_point giveUp = Clock::time_point::max();
  bool saidEnd = false;
  while (true) {
    const bool over = ended();
    if (over && giveUp == Clock::time_point::max()) giveUp = Clock::now() + options().flushTimeout;
    const IoWait writing = flush(over);
    if (over && writing == IoWait::None && !saidEnd) {
      stream_->endWrite();
      saidEnd = true;
    }
    const bool hold = !over && holdsBack();
    const FrameReader::Result reading =
        hold ? FrameReader::Result{FrameReader::Status::Idle, IoWait::None} : read(over);
    if (over && (reading.status == FrameReader::Status::End || Clock::now() >= giveUp)) return;
    if (reading.status != FrameReader::Status::Idle) continue;
    const auto events = static_cast<short>(pollEvents(writing) | pollEvents(reading.wait));
    pollfd descriptors[] = {{wakeUp_.descriptor(), POLLIN, 0}, {events != 0 ? stream_->descriptor() : -1, events, 0}};
    if (pollUntil(descriptors, giveUp) && descriptors[0].revents != 0) wakeUp_.clear();
  }
}

// What the thread still has to wait for to write all that is queued.
IoWait SocketConnection::flush(bool over) {
  const std::lock_guard lock(writeMutex_);
  if (!broken_ && !queue_.empty()) {
    const std::size_t before = queue_.bytes();
    const Expected<IoWait> wait = queue_.flush(*stream_);
    if (queue_.bytes() < before) lastWrite_ = Clock::now();
    room_.notify_all();
    if (wait) return *wait;
    broken_ = true;
  }
  if (broken_) queue_.clear();
  if (over || broken_) room_.notify_all();
  return IoWait::None;
}

// A broken link reads as its end; what came before it has been delivered.
FrameReader::Result SocketConnection::read(bool over) {
  if (over) reader_.abandon();
  const Expected<FrameReader::Result> result = over ? reader_.discard() : reader_.pump();
  if (!result) {
    lost(result.error().message); // unless a bad frame has ended the session already
    return {FrameReader::Status::End};
  }
  if (result->status == FrameReader::Status::End && !over)
    lost("the connection was closed without a word; has the other program been stopped?");
  return *result;
}

} // namespace

Expected<std::unique_ptr<Connection>> makeSocketConnection(std::unique_ptr<ByteStream> stream, std::string peerName,
                                                           const ConnectionOptions &options) {
  SD_ASSIGN(WakeUp wakeUp, WakeUp::make());
  return std::make_unique<SocketConnection>(std::move(stream), std::move(peerName), options, std::move(wakeUp));
}

} // namespace sd
