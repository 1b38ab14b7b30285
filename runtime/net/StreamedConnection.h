// What all transports share: the streams of a connection, their unread messages, the checks of receive(), timeouts,
// counters and the end of a session. A transport moves frames; it derives from this class.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>

#include "runtime/net/Frame.h"
#include "runtime/net/Socket.h"

namespace sd {

struct ConnectionOptions {
  // A wait ends the session after this. It starts again with every 64 KiB that come and with what can be sent; but the
  // first message of a connection must have come by then.
  std::chrono::milliseconds timeout{60'000};
  // From this many unread bytes on the peer is held back, unless a thread here is waiting for something else. Before
  // the first message is received, a peer that may be no one's gets no more than some megabytes.
  std::size_t receiveLimit = std::size_t{256} << 20;
  // send() waits while this many bytes have not left yet.
  std::size_t sendLimit = std::size_t{64} << 20;
  // How long a connection that was closed may still take to get out what was sent, and why it was closed.
  std::chrono::milliseconds flushTimeout{2'000};
  // The session ends after this, whatever is on its way; 0: never.
  std::chrono::milliseconds longest{0};
  // Ends all connections that share it, once it is awake.
  std::shared_ptr<const WakeUp> cut{};
};

class StreamedConnection : public Connection {
public:
  Channel &stream(std::uint16_t id) final;
  void limitUnread(std::size_t bytes) final;
  Traffic traffic() const final;
  std::string peerName() const final { return peerName_; }
  void close(std::string_view reason) final;

protected:
  using Clock = std::chrono::steady_clock;

  struct Message {
    std::uint16_t tag = 0;
    std::size_t size = 0;
    std::unique_ptr<std::uint8_t[]> bytes;
  };
  // What an unread message of that size counts for: one without content takes memory too.
  static constexpr std::size_t weightOf(std::size_t size) { return size + 64; }
  class Stream;
  // A message on its way in: `target` is the waiting receiver's own buffer where one waits, else `message`.
  struct Incoming {
    Stream *stream = nullptr;
    std::span<std::uint8_t> target;
    Message message;
    bool posted = false;
  };

  StreamedConnection(std::string peerName, const ConnectionOptions &options);
  ~StreamedConnection() override;

  // What ends a session that memory fails; short enough for a std::string that allocates none.
  static constexpr std::string_view kNoMemory = "out of memory";

  // For the transport to implement. None is called with the lock held, except wake().
  virtual Expected<void> sendFrame(const FrameHeader &header, std::span<const std::uint8_t> payload) = 0;
  virtual void sendClose(std::string_view reason) = 0; // best effort; called at most once
  virtual void beforeWait() {}                         // a thread is about to wait: what was sent must leave now
  virtual void wake() = 0;                             // the answer of holdsBack() or ended() has changed
  // Called by a thread that waits for a message of `stream`, instead of waiting until another brings it: reads
  // until ready(stream) or the deadline. False if another thread does so already.
  virtual bool lead(Stream &stream, Clock::time_point deadline);

  // For the transport to call. Each begun message is finished or abandoned, soon if the session has ended.
  Expected<Incoming> begin(const FrameHeader &header);
  bool finish(Incoming incoming); // true if a thread was waiting for it
  void abandon(Incoming incoming);
  bool holdsBack();                          // should no more be read now? If so, wake() follows when this changes
  void noteArrival(std::size_t bytes);       // they came from the peer: with enough of them, timeouts start again
  void noteBusy(unsigned sessions);          // the peer has so many and lets this one wait
  void endedByPeer(std::string_view reason); // what it sent before can still be received
  void endLost(std::string message);         // the link broke: the same, with this side's own words
  Expected<void> checkOpen() const;
  bool ended() const;
  bool closing() const;                   // ended, but sendClose() has yet to return
  bool ready(const Stream &stream) const; // the thread that waits there can go on
  bool othersWait() const;                // more than the calling thread, which waits
  const ConnectionOptions &options() const { return options_; }

  // While one exists, a thread here waits and the peer is not held back, lest both sides wait for each other.
  class Waiting {
  public:
    explicit Waiting(StreamedConnection &connection);
    ~Waiting();
    Waiting(const Waiting &) = delete;
    Waiting &operator=(const Waiting &) = delete;

  private:
    StreamedConnection &connection_;
  };

private:
  enum class State { Open, PeerEnded, EndedHere };

  void endLocked(State state, std::string message, ErrorKind kind = ErrorKind::Network);
  Error endError() const { return {endMessage_, false, endKind_}; }
  bool mustHoldBack() const;
  void wakeIfHeld();

  const std::string peerName_;
  const ConnectionOptions options_;
  mutable std::mutex mutex_; // guards all that follows, and the streams' members
  std::map<std::uint16_t, std::unique_ptr<Stream>> streams_;
  State state_ = State::Open;
  bool closing_ = false;
  bool greeted_ = false;  // a message was received
  bool quiet_ = false;    // the peer ended the session and gave no reason
  unsigned busyWith_ = 0; // sessions of the peer's, which lets this one wait
  std::string endMessage_;
  ErrorKind endKind_ = ErrorKind::Network;
  std::size_t unread_ = 0; // weight of the messages that wait in streams
  std::size_t unreadLimit_;
  int waiting_ = 0;
  bool held_ = false;
  std::atomic<Clock::rep> lastArrival_{0};
  std::atomic<std::size_t> arrived_{0}; // bytes since then
};

} // namespace sd
