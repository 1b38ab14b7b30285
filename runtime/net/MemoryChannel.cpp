#include "runtime/net/MemoryChannel.h"

#include <array>
#include <cstring>
#include <shared_mutex>

namespace sd {
namespace {

class MemoryConnection;

struct Link {
  std::shared_mutex lifetime; // shared while an end is used by the other one, exclusive to take it away
  std::array<MemoryConnection *, 2> ends{};
};

class MemoryConnection final : public StreamedConnection {
public:
  MemoryConnection(std::shared_ptr<Link> link, int side, const ConnectionOptions &options)
      : StreamedConnection("the other thread", options), link_(std::move(link)), side_(side) {
    link_->ends[side_] = this;
  }
  ~MemoryConnection() override {
    close("");
    const std::unique_lock hold(link_->lifetime);
    link_->ends[side_] = nullptr;
  }

protected:
  Expected<void> sendFrame(const FrameHeader &header, std::span<const std::uint8_t> payload) override {
    const std::shared_lock hold(link_->lifetime);
    MemoryConnection *other = link_->ends[1 - side_];
    if (other == nullptr) return checkOpen();
    if (!other->roomWithin(std::chrono::milliseconds(0))) {
      const Waiting waiting(*this);
      if (!other->roomWithin(options().timeout))
        return fail(ErrorKind::Network, "{} has not read its messages for {} ms", peerName(),
                    options().timeout.count());
    }
    Expected<Incoming> incoming = other->begin(header);
    if (!incoming) {
      SD_TRY(checkOpen());
      return tl::unexpected<Error>(std::move(incoming).error());
    }
    if (!payload.empty()) std::memcpy(incoming->target.data(), payload.data(), payload.size());
    other->noteArrival(kFrameHeaderBytes + payload.size());
    other->finish(*std::move(incoming));
    return {};
  }

  void sendClose(std::string_view reason) override {
    const std::shared_lock hold(link_->lifetime);
    if (MemoryConnection *other = link_->ends[1 - side_]) other->endedByPeer(reason);
  }

  void wake() override {
    const std::lock_guard lock(roomMutex_);
    ++wakes_;
    room_.notify_all();
  }

private:
  // Waits until this end takes another message; false after the timeout.
  bool roomWithin(std::chrono::milliseconds timeout) {
    const Clock::time_point deadline = Clock::now() + timeout;
    while (true) {
      std::uint64_t seen = 0;
      {
        const std::lock_guard lock(roomMutex_);
        seen = wakes_;
      }
      if (!holdsBack()) return true;
      std::unique_lock lock(roomMutex_);
      if (!room_.wait_until(lock, deadline, [&] { return wakes_ != seen; })) return false;
    }
  }

  const std::shared_ptr<Link> link_;
  const int side_;
  std::mutex roomMutex_;
  std::condition_variable room_;
  std::uint64_t wakes_ = 0;
};

} // namespace

std::pair<std::unique_ptr<Connection>, std::unique_ptr<Connection>>
makeMemoryConnections(const ConnectionOptions &options) {
  auto link = std::make_shared<Link>();
  auto first = std::make_unique<MemoryConnection>(link, 0, options);
  return {std::move(first), std::make_unique<MemoryConnection>(link, 1, options)};
}

} // namespace sd
