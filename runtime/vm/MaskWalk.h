// The masks of a program's values, followed through its local ops: what P1 (and the dealer) knows before any input.
#pragma once

#include <mutex>

#include "runtime/kernels/ThreadPool.h"
#include "runtime/offline/Provider.h"

namespace sd {

// Thread-safe: a provider may announce from one thread what another one asks for.
template <RingWord R>
class ProgramMaskWalk final : public MaskWalk<R> {
public:
  // All three outlive the walk; `plan` is the program's.
  ProgramMaskWalk(const Program &program, const Plan &plan, ThreadPool &pool);

  Expected<void> announce(std::size_t entry, std::span<const R> mask) override;
  bool ready(std::size_t entry) const override;
  Expected<SecretVector<R>> operand(std::size_t entry, int which) override;

private:
  bool isReady(std::size_t entry) const;
  void markKnown(SlotId slot);
  // Evaluates the local ops between the announced masks and the slot, each once.
  void compute(SlotId slot);

  const Program &program_;
  const Plan &plan_;
  ThreadPool &pool_;
  mutable std::mutex mutex_;                      // guards all that follows
  std::vector<SecretVector<R>> masks_;            // by slot; empty until announced or computed
  std::vector<bool> known_;                       // by slot: announced, or local ops alone lead to it
  std::vector<std::uint32_t> writer_;             // by slot: the instruction
  std::vector<std::vector<std::uint32_t>> users_; // by slot: instructions of runOnMask(), once for each use
  std::vector<std::uint32_t> missing_;            // by instruction: operands not known yet
};

// The linear ops of a program as the offline phase sees them.
template <RingWord R>
class ProgramLinearMaps final : public LinearMaps<R> {
public:
  ProgramLinearMaps(const Program &program, const Plan &plan, ThreadPool &pool)
      : program_(program), plan_(plan), pool_(pool) {}

  typename LinearMaps<R>::Sizes sizes(std::size_t entry) const override;
  void apply(std::size_t entry, std::span<const R> weights, std::span<const R> x, std::span<R> y) override;

private:
  const Program &program_;
  const Plan &plan_;
  ThreadPool &pool_;
};

} // namespace sd
