// A connection that records what its side receives, and changes one received message on the way in.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/net/Channel.h"

namespace sd {

struct SeenMessage {
  std::uint16_t stream = 0, tag = 0;
  std::vector<std::uint8_t> payload;
};

class TamperingConnection final : public Connection {
public:
  // Called with the number of the message (in order of arrival) before the program sees it.
  using Hook = std::function<void(std::size_t number, SeenMessage &)>;

  explicit TamperingConnection(Connection &inner, Hook hook = {}) : inner_(inner), hook_(std::move(hook)) {}

  Channel &stream(std::uint16_t id) override {
    std::lock_guard lock(mutex_);
    auto &channel = channels_[id];
    if (!channel) channel = std::make_unique<Wrapped>(*this, id, inner_.stream(id));
    return *channel;
  }
  void limitUnread(std::size_t bytes) override { inner_.limitUnread(bytes); }
  Traffic traffic() const override { return inner_.traffic(); }
  std::string peerName() const override { return inner_.peerName(); }
  void close(std::string_view reason) override { inner_.close(reason); }

  const std::vector<SeenMessage> &seen() const { return seen_; }

private:
  class Wrapped final : public Channel {
  public:
    Wrapped(TamperingConnection &owner, std::uint16_t id, Channel &inner) : owner_(owner), id_(id), inner_(inner) {}
    Expected<void> send(std::uint16_t tag, std::span<const std::uint8_t> payload) override {
      return inner_.send(tag, payload);
    }
    Expected<void> receive(std::uint16_t tag, std::span<std::uint8_t> payload) override {
      SD_TRY(inner_.receive(tag, payload));
      const SeenMessage message = owner_.see({id_, tag, {payload.begin(), payload.end()}});
      if (message.payload.size() != payload.size()) return fail("a message of the wrong length");
      std::copy(message.payload.begin(), message.payload.end(), payload.begin());
      return {};
    }
    Expected<std::vector<std::uint8_t>> receiveUpTo(std::uint16_t tag, std::size_t limit) override {
      SD_ASSIGN(std::vector<std::uint8_t> payload, inner_.receiveUpTo(tag, limit));
      return owner_.see({id_, tag, std::move(payload)}).payload;
    }
    Expected<Arrival> await(std::chrono::milliseconds atMost) override { return inner_.await(atMost); }
    Traffic traffic() const override { return inner_.traffic(); }

  private:
    TamperingConnection &owner_;
    std::uint16_t id_;
    Channel &inner_;
  };

  SeenMessage see(SeenMessage message) {
    std::lock_guard lock(mutex_);
    if (hook_) hook_(seen_.size(), message);
    seen_.push_back(message);
    return message;
  }

  Connection &inner_;
  Hook hook_;
  std::mutex mutex_; // streams are read by several threads
  std::map<std::uint16_t, std::unique_ptr<Channel>> channels_;
  std::vector<SeenMessage> seen_;
};

} // namespace sd
