#include "runtime/net/Shaped.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "runtime/net/Frame.h"

namespace sd {
namespace {

using Clock = std::chrono::steady_clock;

// send() waits while more than this is on its way, as on a socket.
constexpr std::size_t kMostInFlight = std::size_t{64} << 20;
// How long the end of a session waits for what is on its way.
constexpr std::chrono::seconds kDrainTimeout{10};

struct Packet {
  Clock::time_point arrival;
  Channel *channel = nullptr;
  std::uint16_t tag = 0;
  std::vector<std::uint8_t> payload;
};

// One direction: packets in order, each handed to its channel when it would arrive.
class Pipe {
public:
  explicit Pipe(const LinkProfile &link) : link_(link), thread_([this] { run(); }) {}
  ~Pipe() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Pipe(const Pipe &) = delete;
  Pipe &operator=(const Pipe &) = delete;

  Expected<void> send(Channel &channel, std::uint16_t tag, std::span<const std::uint8_t> payload) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return inFlight_ < kMostInFlight || failure_; });
    if (failure_) return tl::unexpected<Error>(*failure_);
    using Seconds = std::chrono::duration<double>;
    const double bytes = static_cast<double>(kFrameHeaderBytes + payload.size());
    const Seconds transmission(link_.bytesPerSecond > 0 ? bytes / link_.bytesPerSecond : 0);
    free_ = std::max(free_, Clock::now()) + std::chrono::duration_cast<Clock::duration>(transmission);
    packets_.push_back({free_ + link_.roundTrip / 2, &channel, tag, {payload.begin(), payload.end()}});
    inFlight_ += payload.size();
    changed_.notify_all();
    return {};
  }

  // No more is sent after this; the first failure is the one to tell.
  void fail(const Error &error) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = error;
    changed_.notify_all();
  }

  void drain() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kDrainTimeout, [&] { return (packets_.empty() && !delivering_) || failure_; });
  }

private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return stopped_ || !packets_.empty(); });
      if (stopped_) return;
      const Clock::time_point arrival = packets_.front().arrival;
      if (changed_.wait_until(lock, arrival, [&] { return stopped_; })) return;
      const Packet packet = std::move(packets_.front());
      packets_.pop_front();
      delivering_ = true;
      lock.unlock();
      const Expected<void> sent = packet.channel->send(packet.tag, packet.payload);
      lock.lock();
      delivering_ = false;
      inFlight_ -= packet.payload.size();
      if (!sent && !failure_) failure_ = sent.error();
      changed_.notify_all();
    }
  }

  const LinkProfile link_;
  std::mutex mutex_; // guards what follows
  std::condition_variable changed_;
  std::deque<Packet> packets_;
  Clock::time_point free_{}; // when the link is free for the next packet
  std::size_t inFlight_ = 0;
  bool delivering_ = false, stopped_ = false;
  std::optional<Error> failure_;
  std::thread thread_;
};

class ShapedChannel final : public Channel {
public:
  ShapedChannel(Channel &inner, Pipe &pipe) : inner_(inner), pipe_(pipe) {}

  Expected<void> send(std::uint16_t tag, std::span<const std::uint8_t> payload) override {
    if (payload.size() > kMaxFrameBytes) return inner_.send(tag, payload); // which refuses it
    SD_TRY(pipe_.send(inner_, tag, payload));
    const std::lock_guard lock(mutex_);
    ++sent_.messagesSent;
    sent_.bytesSent += kFrameHeaderBytes + payload.size();
    return {};
  }
  Expected<void> receive(std::uint16_t tag, std::span<std::uint8_t> payload) override {
    Expected<void> received = inner_.receive(tag, payload);
    if (!received) pipe_.fail(received.error());
    return received;
  }
  Expected<std::vector<std::uint8_t>> receiveUpTo(std::uint16_t tag, std::size_t limit) override {
    Expected<std::vector<std::uint8_t>> received = inner_.receiveUpTo(tag, limit);
    if (!received) pipe_.fail(received.error());
    return received;
  }
  Expected<Arrival> await(std::chrono::milliseconds atMost) override { return inner_.await(atMost); }
  // What is still on its way has been sent, as far as the sender can know.
  Traffic traffic() const override {
    Traffic traffic = inner_.traffic();
    const std::lock_guard lock(mutex_);
    traffic.messagesSent = sent_.messagesSent;
    traffic.bytesSent = sent_.bytesSent;
    return traffic;
  }

private:
  Channel &inner_;
  Pipe &pipe_;
  mutable std::mutex mutex_;
  Traffic sent_; // guarded by mutex_
};

class ShapedConnection final : public Connection {
public:
  ShapedConnection(std::unique_ptr<Connection> inner, const LinkProfile &link)
      : inner_(std::move(inner)), pipe_(std::make_unique<Pipe>(link)) {}
  ~ShapedConnection() override {
    pipe_->drain();
    pipe_.reset();
  }

  Channel &stream(std::uint16_t id) override {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<ShapedChannel> &slot = channels_[id];
    if (!slot) slot = std::make_unique<ShapedChannel>(inner_->stream(id), *pipe_);
    return *slot;
  }
  Traffic traffic() const override {
    const std::lock_guard lock(mutex_);
    Traffic sum;
    for (const auto &[id, channel] : channels_)
      sum += channel->traffic();
    return sum;
  }
  void limitUnread(std::size_t bytes) override { inner_->limitUnread(bytes); }
  std::string peerName() const override { return inner_->peerName(); }
  void close(std::string_view reason) override {
    pipe_->drain();
    inner_->close(reason);
    pipe_->fail({fmt::format("the session with {} has ended: {}", peerName(), reason)});
  }

private:
  std::unique_ptr<Connection> inner_;
  std::unique_ptr<Pipe> pipe_;
  mutable std::mutex mutex_;
  std::map<std::uint16_t, std::unique_ptr<ShapedChannel>> channels_; // guarded by mutex_
};

} // namespace

std::unique_ptr<Connection> shape(std::unique_ptr<Connection> inner, const LinkProfile &link) {
  return std::make_unique<ShapedConnection>(std::move(inner), link);
}

} // namespace sd
