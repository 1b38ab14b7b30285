#include "runtime/net/StreamedConnection.h"

#include <algorithm>
#include <cassert>
#include <cctype>
#include <new>

#include "runtime/net/Stream.h"

namespace sd {
namespace {

// Beyond receiveLimit plus this, unread messages end the session: someone sends what no one will ask for.
constexpr std::size_t kUnreadMargin = std::size_t{2} << 30;

// The same before the first message is received, and when the peer is held back then: an honest one greets first, and
// sends little more before the greeting is read.
constexpr std::size_t kUngreetedLimit = std::size_t{64} << 20, kUngreetedHold = std::size_t{1} << 20;

// A peer that sends less than this within a timeout only keeps a session busy.
constexpr std::size_t kProgressBytes = std::size_t{64} << 10;

// The peer's words go to a terminal or a log: text only, and not too much of it.
std::string printable(std::string_view text) {
  std::string clean(text.substr(0, kMaxReasonBytes));
  for (char &c : clean)
    if (!std::isprint(static_cast<unsigned char>(c))) c = ' ';
  return clean;
}

} // namespace

StreamedConnection::StreamedConnection(std::string peerName, const ConnectionOptions &options)
    : peerName_(std::move(peerName)), options_(options), unreadLimit_(options.receiveLimit + kUnreadMargin) {}

StreamedConnection::~StreamedConnection() = default;

Channel &StreamedConnection::stream(std::uint16_t id) {
  assert(id < kStreams);
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Stream> &slot = streams_[id];
  if (!slot) slot = std::make_unique<Stream>(*this, id);
  return *slot;
}

void StreamedConnection::limitUnread(std::size_t bytes) {
  const std::lock_guard lock(mutex_);
  unreadLimit_ = std::min(unreadLimit_, bytes);
}

Traffic StreamedConnection::traffic() const {
  const std::lock_guard lock(mutex_);
  Traffic sum;
  for (const auto &[id, stream] : streams_)
    sum += stream->traffic_;
  return sum;
}

void StreamedConnection::close(std::string_view reason) {
  {
    const std::lock_guard lock(mutex_);
    const bool wasOpen = state_ == State::Open;
    endLocked(State::EndedHere, reason.empty() ? fmt::format("the session with {} was closed here", peerName_)
                                               : fmt::format("the session with {} has ended: {}", peerName_, reason));
    if (!wasOpen) return;
    closing_ = true;
  }
  sendClose(reason.substr(0, kMaxReasonBytes));
  const std::lock_guard lock(mutex_);
  closing_ = false;
  wake();
}

bool StreamedConnection::closing() const {
  const std::lock_guard lock(mutex_);
  return closing_;
}

void StreamedConnection::noteBusy(unsigned sessions) {
  const std::lock_guard lock(mutex_);
  busyWith_ = sessions;
}

void StreamedConnection::endedByPeer(std::string_view reason) {
  const std::lock_guard lock(mutex_);
  quiet_ = state_ == State::Open && reason.empty();
  if (reason.empty()) return endLocked(State::PeerEnded, fmt::format("{} ended the session", peerName_));
  endLocked(State::PeerEnded, fmt::format("{} ended the session: {}", peerName_, printable(reason)),
            ErrorKind::Refused);
}

void StreamedConnection::endLost(std::string message) {
  const std::lock_guard lock(mutex_);
  endLocked(State::PeerEnded, std::move(message));
}

void StreamedConnection::endLocked(State state, std::string message, ErrorKind kind) {
  if (state_ == State::EndedHere) return;
  if (state_ == State::Open) { // the first cause is the one to tell
    endKind_ = message == kNoMemory ? ErrorKind::Resources : kind;
    endMessage_ = std::move(message);
  }
  state_ = state;
  for (const auto &[id, stream] : streams_)
    stream->changed_.notify_all();
  held_ = false;
  wake();
}

Expected<void> StreamedConnection::checkOpen() const {
  const std::lock_guard lock(mutex_);
  if (state_ != State::Open) return tl::unexpected(endError());
  return {};
}

bool StreamedConnection::ended() const {
  const std::lock_guard lock(mutex_);
  return state_ != State::Open;
}

bool StreamedConnection::lead(Stream &, Clock::time_point) { return false; }

bool StreamedConnection::ready(const Stream &stream) const {
  const std::lock_guard lock(mutex_);
  return stream.ready();
}

bool StreamedConnection::othersWait() const {
  const std::lock_guard lock(mutex_);
  return waiting_ > 1;
}

void StreamedConnection::noteArrival(std::size_t bytes) {
  if (arrived_.fetch_add(bytes, std::memory_order_relaxed) + bytes < kProgressBytes) return;
  arrived_.store(0, std::memory_order_relaxed);
  lastArrival_.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
}

bool StreamedConnection::mustHoldBack() const {
  const std::size_t limit = greeted_ ? options_.receiveLimit : std::min(options_.receiveLimit, kUngreetedHold);
  return state_ == State::Open && unread_ >= limit && waiting_ == 0;
}

bool StreamedConnection::holdsBack() {
  const std::lock_guard lock(mutex_);
  held_ = mustHoldBack();
  return held_;
}

void StreamedConnection::wakeIfHeld() {
  if (!held_ || mustHoldBack()) return;
  held_ = false;
  wake();
}

StreamedConnection::Waiting::Waiting(StreamedConnection &connection) : connection_(connection) {
  const std::lock_guard lock(connection_.mutex_);
  ++connection_.waiting_;
  connection_.wakeIfHeld();
}

StreamedConnection::Waiting::~Waiting() {
  const std::lock_guard lock(connection_.mutex_);
  --connection_.waiting_;
}

Expected<StreamedConnection::Incoming> StreamedConnection::begin(const FrameHeader &header) {
  if (header.stream >= kStreams || header.length > kMaxFrameBytes)
    return fail(ErrorKind::Network,
                "{} sent a frame of {} bytes on stream {}, which no version of this protocol does; is it the right "
                "program, and the link sound?",
                peerName_, header.length, header.stream);
  auto &stream = static_cast<Stream &>(this->stream(header.stream));
  std::unique_lock lock(mutex_);
  if (state_ != State::Open) return tl::unexpected(endError());
  Incoming incoming;
  incoming.stream = &stream;
  Stream::Posted *posted = stream.posted_;
  if (posted != nullptr && posted->state == Stream::Posted::State::Waiting && stream.queue_.empty() &&
      posted->tag == header.tag && posted->target.size() == header.length) {
    posted->state = Stream::Posted::State::Filling;
    incoming.posted = true;
    incoming.target = posted->target;
    return incoming;
  }
  if (unread_ + weightOf(header.length) > (greeted_ ? unreadLimit_ : kUngreetedLimit))
    return fail(ErrorKind::Network,
                "{} sent more than {} MiB that this side did not ask for; do both run the same program and version?",
                peerName_, unread_ >> 20);
  unread_ += weightOf(header.length);
  lock.unlock();
  incoming.message = {header.tag, header.length,
                      std::unique_ptr<std::uint8_t[]>(new (std::nothrow) std::uint8_t[header.length])};
  if (!incoming.message.bytes) {
    abandon(std::move(incoming));
    return fail(ErrorKind::Resources, "no memory for a message of {} bytes from {}", header.length, peerName_);
  }
  incoming.target = {incoming.message.bytes.get(), header.length};
  return incoming;
}

bool StreamedConnection::finish(Incoming incoming) {
  const std::lock_guard lock(mutex_);
  if (incoming.posted)
    incoming.stream->posted_->state = Stream::Posted::State::Done;
  else
    incoming.stream->queue_.push_back(std::move(incoming.message));
  incoming.stream->changed_.notify_one();
  return incoming.stream->awaited_;
}

void StreamedConnection::abandon(Incoming incoming) {
  const std::lock_guard lock(mutex_);
  if (incoming.posted)
    incoming.stream->posted_->state = Stream::Posted::State::Waiting;
  else
    unread_ -= weightOf(incoming.message.size);
  incoming.stream->changed_.notify_one();
}

} // namespace sd
