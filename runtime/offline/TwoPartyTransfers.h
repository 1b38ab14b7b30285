// Both directions of oblivious transfer as one party holds them, for the length of a session.
#pragma once

#include <memory>
#include <optional>
#include <type_traits>

#include "runtime/offline/Provider.h"
#include "runtime/offline/TwoParty.h"
#include "runtime/ot/Pads.h"

namespace sd {

// Forward: CotReceiver for P0, CotSender for P1; Reverse: the other one.
template <class Forward, class Reverse>
class TwoPartyTransfers {
  template <class Cot>
  using PadsOf = std::conditional_t<std::is_same_v<Cot, CotSender>, PadSender, PadReceiver>;

public:
  explicit TwoPartyTransfers(const TwoPartyOptions &options) : connection_(options.connection), seed_(options.seed) {}

  TwoPartyState state() const {
    TwoPartyState state{forward_ != nullptr, reverse_ != nullptr, {}, {}};
    if (forward_) state.forwardOts = forward_->state();
    if (reverse_) state.reverseOts = reverse_->state();
    return state;
  }

  // Both directions as far as the plan needs them, and what they will be asked for.
  Expected<void> setUp(const TwoPartyLayout &layout, const OfflineJob &job) {
    if (layout.ots + layout.reverseOts == 0) return {};
    const bool needReverse = layout.reverseOts > 0 && !reverse_;
    if (!forward_) {
      SD_ASSIGN(forward_, Forward::create(connection_.stream(kForwardOtStream), Prg(seed_.derive("forward transfers")),
                                          job.pool));
      pads_.emplace(*forward_);
    }
    forward_->useThreads(job.pool);
    forward_->reserve(layout.ots + (needReverse ? kBaseTransfers : 0));
    if (needReverse) {
      SD_ASSIGN(reverse_, Reverse::createReverse(connection_.stream(kReverseOtStream),
                                                 Prg(seed_.derive("reverse transfers")), *forward_, job.pool));
      reversePads_.emplace(*reverse_);
    }
    if (reverse_) {
      reverse_->useThreads(job.pool);
      reverse_->reserve(layout.reverseOts);
    }
    constexpr bool kReceivesForward = std::is_same_v<Forward, CotReceiver>;
    if (kReceivesForward) SD_TRY(forward_->makeAhead());
    if (reverse_) SD_TRY(reverse_->makeAhead());
    if (!kReceivesForward) SD_TRY(forward_->makeAhead());
    return {};
  }

  // After setUp() with a plan that has OTs. The second is null unless the plan needs the reverse direction.
  PadsOf<Forward> &pads() { return *pads_; }
  PadsOf<Reverse> *reversePads() { return reversePads_ ? &*reversePads_ : nullptr; }

private:
  Connection &connection_;
  Seed seed_;
  std::unique_ptr<Forward> forward_;
  std::unique_ptr<Reverse> reverse_;
  std::optional<PadsOf<Forward>> pads_;
  std::optional<PadsOf<Reverse>> reversePads_;
};

} // namespace sd
