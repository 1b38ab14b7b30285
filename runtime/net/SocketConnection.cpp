#include "runtime/net/SocketConnection.h"

#include <poll.h>

#include <thread>
#include <utility>
#include <vector>

#include "ir/core/Guard.h"
#include "runtime/net/ChannelBinding.h"
#include "runtime/net/FrameReader.h"
#include "runtime/net/PeerCertificate.h"
#include "runtime/net/Socket.h"
#include "runtime/net/Tls.h"
#include "runtime/net/TlsPeer.h"
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

// What the connection's own thread waits for besides the socket, and the thread that leads.
struct Signals {
  WakeUp thread, leader;
  Timer idle;     // no one has read for kGrace
  Timer gathered; // frames have been waiting for others for kGather
};

// A peer that keeps up makes room in the socket within this; else what is left to write goes to the queue.
constexpr std::chrono::milliseconds kPatience{5};

// Small frames leave together, when a thread starts to wait for the peer's, or else after this. One write in place of
// many spares calls, and a delay of 40 ms each where a relay on the way holds back a small segment until the one before
// is acknowledged (Nagle's algorithm) and the peer's system delays its acknowledgements (RFC 1122, 4.2.3.2).
constexpr std::chrono::microseconds kGather{200};
constexpr std::size_t kMostGathered = std::size_t{64} << 10; // beyond this they leave at once

// A thread that leaves receive() will be back soon, or else the connection's own thread reads for it.
constexpr std::chrono::milliseconds kGrace{1};

// Who waits for a message reads it himself, without a change of threads; one at a time, the leader. While there is
// none, the connection's own thread reads, so that the peer can always send.
class SocketConnection final : public StreamedConnection, private FrameSink {
public:
  SocketConnection(std::unique_ptr<ByteStream> stream, std::string peerName, const ConnectionOptions &options,
                   Signals signals)
      : StreamedConnection(std::move(peerName), options), signals_(std::move(signals)), stream_(std::move(stream)),
        reader_(*stream_, *this) {
    thread_ = std::thread([this] { run(); });
  }
  ~SocketConnection() override {
    close("");
    thread_.join(); // it gives up after the flush timeout
  }

  ByteStream &link() { return *stream_; }

protected:
  Expected<void> sendFrame(const FrameHeader &header, std::span<const std::uint8_t> payload) override;
  void sendClose(std::string_view reason) override;
  void beforeWait() override;
  bool lead(Stream &stream, Clock::time_point deadline) override;
  void wake() override {
    signals_.thread.wake();
    signals_.leader.wake();
  }

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
  void progressed(std::size_t bytes) override { noteArrival(bytes); }
  bool finishFrame() override {
    const bool served = finish(std::move(incoming_));
    if (leading_ != nullptr) return ready(*leading_);
    // Who was waiting and gets its message will soon want the next one, and lead.
    stepDown_ = served && !othersWait();
    return stepDown_;
  }
  void abandonFrame() override { abandon(std::move(incoming_)); }
  void closeFrame(std::string_view reason) override { endedByPeer(reason); }
  void busyFrame(unsigned sessions) override { noteBusy(sessions); }

  Expected<void> waitForRoom(std::unique_lock<std::mutex> &lock);
  Expected<void> writeGathered(std::span<const std::uint8_t> body);
  Expected<void> writeNow(std::span<const std::uint8_t> head, std::span<const std::uint8_t> body);
  Expected<void> explainBrokenLink(const Error &error);
  void run() noexcept;
  void work();
  IoWait flush(bool over);
  FrameReader::Result read(bool over);
  FrameReader::Result readOrThrow(bool over);
  void lost(std::string_view why);

  const Signals signals_;
  const std::unique_ptr<ByteStream> stream_;
  std::mutex readMutex_; // the right to read; guards what follows
  FrameReader reader_;
  Incoming incoming_;
  Stream *leading_ = nullptr;          // who waits for what the leader reads
  bool stepDown_ = false;              // the connection's own thread shall stop reading for a while
  std::mutex writeMutex_;              // guards what follows; taken before the lock of the base, never after
  WriteQueue queue_;                   // what the socket had no room for
  std::vector<std::uint8_t> gathered_; // frames that leave together, after what is in the queue
  std::condition_variable room_;
  Clock::time_point lastWrite_{};
  bool broken_ = false; // nothing can be written any more
  std::thread thread_;
};

Expected<void> SocketConnection::sendFrame(const FrameHeader &header, std::span<const std::uint8_t> payload) {
  const auto head = encodeFrameHeader(header);
  std::unique_lock lock(writeMutex_);
  SD_TRY(waitForRoom(lock));
  const bool first = gathered_.empty();
  gathered_.insert(gathered_.end(), head.begin(), head.end());
  if (gathered_.size() + payload.size() <= kMostGathered) {
    gathered_.insert(gathered_.end(), payload.begin(), payload.end());
    if (first) signals_.gathered.start(kGather);
    return {};
  }
  const Expected<void> written = writeGathered(payload);
  if (written) return {};
  lock.unlock();
  return explainBrokenLink(written.error());
}

// Writes what has been gathered, and `body` with it.
Expected<void> SocketConnection::writeGathered(std::span<const std::uint8_t> body) {
  Expected<void> written;
  if (queue_.empty() && !broken_)
    written = writeNow(gathered_, body);
  else
    queue_.push(gathered_, body);
  gathered_.clear();
  broken_ = broken_ || !written;
  return written;
}

void SocketConnection::beforeWait() {
  std::unique_lock lock(writeMutex_);
  if (gathered_.empty()) return;
  signals_.gathered.stop();
  const Expected<void> written = writeGathered({});
  lock.unlock();
  if (!written) static_cast<void>(explainBrokenLink(written.error())); // the wait ends with that
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
    pollfd writable{stream_->descriptor(), pollEvents(result.wait), 0};
    if (result.wait != IoWait::None && !pollUntil({&writable, 1}, Clock::now() + kPatience)) break;
    if (ended()) break;
  }
  queue_.push(head, body);
  lastWrite_ = Clock::now();
  signals_.thread.wake();
  return {};
}

// The peer may have said why before it hung up; the thread is about to read that.
Expected<void> SocketConnection::explainBrokenLink(const Error &error) {
  signals_.thread.wake();
  for (int i = 0; i < 200 && !ended(); ++i)
    std::this_thread::sleep_for(5ms);
  lost(error.message);
  return checkOpen();
}

void SocketConnection::sendClose(std::string_view reason) {
  {
    const std::lock_guard lock(writeMutex_);
    const FrameHeader header{static_cast<std::uint32_t>(reason.size()), kControlStream, kCloseTag};
    queue_.push(std::exchange(gathered_, {}), {});
    queue_.push(encodeFrameHeader(header), {reinterpret_cast<const std::uint8_t *>(reason.data()), reason.size()});
  }
  signals_.thread.wake();
}

void SocketConnection::lost(std::string_view why) { endLost(fmt::format("{} {}", peerName(), why)); }

// An exception ends the session, not the process.
void SocketConnection::run() noexcept {
  try {
    work();
  } catch (const std::exception &) {
    endLost(std::string(kNoMemory));
    {
      const std::lock_guard role(readMutex_);
      reader_.abandon();
    }
    const std::lock_guard lock(writeMutex_);
    broken_ = true;
    queue_.clear();
    gathered_.clear();
    room_.notify_all();
  }
}

void SocketConnection::work() {
  Clock::time_point giveUp = Clock::time_point::max();
  const Clock::time_point due =
      options().longest.count() == 0 ? Clock::time_point::max() : Clock::now() + options().longest;
  bool saidEnd = false;
  bool watching = true; // there is no leader, as far as is known
  while (true) {
    const bool over = ended();
    if (!over && Clock::now() >= due)
      close(fmt::format("it took longer than the {} s that a session may",
                        static_cast<double>(options().longest.count()) / 1000));
    if (over && giveUp == Clock::time_point::max()) giveUp = Clock::now() + options().flushTimeout;
    const bool allQueued = over && !closing();
    const IoWait writing = flush(over);
    if (allQueued && writing == IoWait::None && !saidEnd) {
      stream_->endWrite();
      saidEnd = true;
    }
    FrameReader::Result reading{FrameReader::Status::Idle, IoWait::None};
    if (over || (watching && !holdsBack())) {
      std::unique_lock role(readMutex_, std::defer_lock);
      if (over) // then the leader leaves at once
        role.lock();
      else
        watching = role.try_lock();
      if (role) reading = read(over);
      if (role && std::exchange(stepDown_, false) && !over) {
        watching = false;
        signals_.idle.start(kGrace);
        reading = {FrameReader::Status::Idle, IoWait::None};
      }
    }
    if (over && (reading.status == FrameReader::Status::End || Clock::now() >= giveUp)) return;
    if (reading.status != FrameReader::Status::Idle) continue;
    const auto events = static_cast<short>(pollEvents(writing) | pollEvents(reading.wait));
    pollfd descriptors[] = {{signals_.thread.descriptor(), POLLIN, 0},
                            {signals_.idle.descriptor(), POLLIN, 0},
                            {signals_.gathered.descriptor(), POLLIN, 0},
                            {options().cut && !over ? options().cut->descriptor() : -1, POLLIN, 0},
                            {events != 0 ? stream_->descriptor() : -1, events, 0}};
    if (!pollUntil(descriptors, over ? giveUp : due)) continue;
    if (descriptors[3].revents != 0) close("the service is being stopped, and waits no longer for this session");
    if (descriptors[0].revents != 0) signals_.thread.clear();
    if (descriptors[1].revents != 0) {
      signals_.idle.clear();
      watching = true;
    }
    if (descriptors[2].revents != 0) {
      signals_.gathered.clear();
      const std::lock_guard lock(writeMutex_);
      queue_.push(std::exchange(gathered_, {}), {}); // the next turn writes it
    }
  }
}

bool SocketConnection::lead(Stream &stream, Clock::time_point deadline) {
  {
    const std::unique_lock role(readMutex_, std::try_to_lock);
    if (!role) return false;
    leading_ = &stream;
    while (!ended() && !ready(stream)) {
      const FrameReader::Result reading = read(false);
      if (reading.status != FrameReader::Status::Idle) continue;
      pollfd descriptors[] = {{signals_.leader.descriptor(), POLLIN, 0},
                              {stream_->descriptor(), pollEvents(reading.wait), 0}};
      if (!pollUntil(descriptors, deadline)) break;
      if (descriptors[0].revents != 0) signals_.leader.clear();
    }
    if (ended()) reader_.abandon();
    leading_ = nullptr;
  }
  signals_.idle.start(othersWait() ? std::chrono::nanoseconds(1) : kGrace);
  return true;
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

FrameReader::Result SocketConnection::read(bool over) {
  try {
    return readOrThrow(over);
  } catch (const std::bad_alloc &) {
    endLost(std::string(kNoMemory));
    return {FrameReader::Status::End};
  }
}

// A broken link reads as its end; what came before it has been delivered.
FrameReader::Result SocketConnection::readOrThrow(bool over) {
  if (over) reader_.abandon();
  const Expected<FrameReader::Result> result = over ? reader_.discard() : reader_.pump();
  if (!result) {
    lost(result.error().message); // unless a bad frame has ended the session already
    return {FrameReader::Status::End};
  }
  if (result->status == FrameReader::Status::End && !over)
    lost("closed the connection without a word; has the other program been stopped?");
  return *result;
}

} // namespace

Expected<std::unique_ptr<Connection>> makeSocketConnection(std::unique_ptr<ByteStream> stream, std::string peerName,
                                                           const ConnectionOptions &options) {
  SD_ASSIGN(WakeUp thread, WakeUp::make());
  SD_ASSIGN(WakeUp leader, WakeUp::make());
  SD_ASSIGN(Timer idle, Timer::make());
  SD_ASSIGN(Timer gathered, Timer::make());
  return guarded([&]() -> Expected<std::unique_ptr<Connection>> { // a thread for it may be refused
    return std::make_unique<SocketConnection>(
        std::move(stream), std::move(peerName), options,
        Signals{std::move(thread), std::move(leader), std::move(idle), std::move(gathered)});
  });
}

Expected<std::vector<std::uint8_t>> channelBinding(Connection &connection) {
  auto *socket = dynamic_cast<SocketConnection *>(&connection);
  return socket ? tlsBinding(socket->link()) : std::vector<std::uint8_t>{};
}

std::optional<PeerCertificate> peerCertificate(Connection &connection) {
  auto *socket = dynamic_cast<SocketConnection *>(&connection);
  return socket ? tlsPeer(socket->link()) : std::nullopt;
}

} // namespace sd
