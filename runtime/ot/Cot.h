// Correlated oblivious transfer, one direction of it, as a stream: the sender holds Delta (lowest bit 1) and gets
// blocks q_i (lowest bit 0); the receiver gets random choice bits b_i and t_i = q_i ^ b_i Delta, so that b_i is the
// lowest bit of t_i.
//
//     sender (Delta)                          receiver
//        <-- base OT point, trees' sums --       create()
//        -- base OT keys -->
//        <-- SoftSpoken corrections --           15 bits an OT, few OTs; or, for the inputs of the silent extension,
//        once
//        -- trees' level sums -->                0.4 to 2.5 bits an OT (Ferret)
//
// Semi-honest. planCots() (runtime/ot/CotPlan.h) decides between the extensions. Both parties must make the same calls
// with the same sizes, in the same order. An object that has returned an error is of no further use.
#pragma once

#include <memory>
#include <span>

#include "runtime/crypto/Random.h"
#include "runtime/crypto/Secret.h"
#include "runtime/kernels/ThreadPool.h"
#include "runtime/net/Channel.h"
#include "runtime/ot/CotPlan.h"
#include "runtime/ot/SoftSpoken.h"

namespace sd {

// What both roles share: plan, buffer, table.
class CotStream {
public:
  virtual ~CotStream() = default;

  // Announces that `n` OTs in all will be taken by the next calls of extend(), so that the cheapest way to make them is
  // chosen for the whole. Without it each extend() plans for itself.
  void reserve(std::uint64_t n);

  // Makes what is reserved as far as it is the non-silent extension's, and the first table. Its messages go from
  // receiver to sender and so wait for nothing, if both directions are made ahead, each side as receiver first.
  Expected<void> makeAhead();

  // Fills `out` with the next OTs.
  Expected<void> extend(std::span<Block> out);

  // Threads of this party from now on; null: the caller's alone. The peer may have another number.
  void useThreads(ThreadPool *pool) { threads_ = pool; }

  const CotState &state() const { return state_; }
  // What a reserve(n) now would add to the traffic, up to the end of the OTs reserved.
  CotCost costOfNext(std::uint64_t n) const;
  // Public: names this direction's session; keys of the hashes that break the correlation derive from it.
  Block session() const { return session_; }

protected:
  CotStream(Channel &channel, Prg prg, Block session, ThreadPool *pool);
  // Makes out.size() OTs, a multiple of kSoftSpokenUnit.
  virtual Expected<void> softSpoken(std::span<Block> out) = 0;
  // Sends or receives the level sums of the next trees and leaves the noise vector in `out`. inputs[i * depth..] are
  // those of tree i.
  virtual Expected<void> noise(const LpnParameters &set, std::span<const Block> inputs, std::span<Block> out) = 0;

  Channel &channel_;
  Prg prg_;
  Block session_;
  ThreadPool *threads_;
  AesKey trees_;               // source of the trees' keys
  std::uint64_t nextTree_ = 0; // over all runs

private:
  Expected<void> runBatch(std::span<Block> out);
  std::uint64_t batchSize() const;
  Expected<void> runForTable(const CotStep &step);
  void load(int set, std::span<const Block> inputs);
  Expected<void> produce(std::span<Block> out);

  CotState state_;             // at the end of what is planned; `buffered` counts what extend() may still take
  std::vector<CotStep> steps_; // still to do; the first may be partly done
  AesKey code_;
  std::uint64_t nextRow_ = 0;    // of the local code, over all runs
  int set_ = -1;                 // of the run under way
  std::uint64_t tree_ = 0;       // next tree of that run
  SecretVector<Block> table_;    // inputs of that run: the LPN secret, then `depth` for each tree
  SecretVector<Block> gathered_; // OTs made for a table
  std::size_t gatheredCount_ = 0;
  SecretVector<Block> buffer_; // made, and partly taken
  std::size_t taken_ = 0, filled_ = 0;
};

class CotSender final : public CotStream {
public:
  // Base transfers (this side as their receiver) and the trees of the non-silent extension. Draws Delta.
  static Expected<std::unique_ptr<CotSender>> create(Channel &channel, Prg prg, ThreadPool *pool = nullptr);
  // The same out of the opposite direction: takes kBaseTransfers OTs of `opposite`, whose peer calls
  // CotReceiver::createReverse at the same time.
  static Expected<std::unique_ptr<CotSender>> createReverse(Channel &channel, Prg prg, class CotReceiver &opposite,
                                                            ThreadPool *pool = nullptr);
  Block delta() const { return delta_; }
  ~CotSender() override;

private:
  CotSender(Channel &channel, Prg prg, Block session, Block delta, SoftSpokenSender base, ThreadPool *pool);
  Expected<void> softSpoken(std::span<Block> out) override;
  Expected<void> noise(const LpnParameters &set, std::span<const Block> inputs, std::span<Block> out) override;
  Block delta_;
  SoftSpokenSender base_;
};

class CotReceiver final : public CotStream {
public:
  static Expected<std::unique_ptr<CotReceiver>> create(Channel &channel, Prg prg, ThreadPool *pool = nullptr);
  static Expected<std::unique_ptr<CotReceiver>> createReverse(Channel &channel, Prg prg, CotSender &opposite,
                                                              ThreadPool *pool = nullptr);

private:
  CotReceiver(Channel &channel, Prg prg, Block session, SoftSpokenReceiver base, ThreadPool *pool);
  Expected<void> softSpoken(std::span<Block> out) override;
  Expected<void> noise(const LpnParameters &set, std::span<const Block> inputs, std::span<Block> out) override;
  SoftSpokenReceiver base_;
};

} // namespace sd
