// One party's side of one op that needs the other party, over n elements.
//
// An op has cost().messages() messages; P0 (the service) writes the even ones, P1 (the hospital) the odd ones, and
// the other reads them, strictly in order. A RoundGroup carries the k-th messages of all its ops as one. An op is used
// for one run.
#pragma once

#include <memory>

#include "ir/core/ProtocolCost.h"
#include "runtime/kernels/ThreadPool.h"
#include "runtime/protocol/Masked.h"

namespace sd {

enum class Party : std::uint8_t { Service = 0, Client = 1 };
constexpr Party speakerOf(int message) { return message % 2 ? Party::Client : Party::Service; }

class InteractiveOp {
public:
  virtual ~InteractiveOp() = default;
  InteractiveOp(const InteractiveOp &) = delete;
  InteractiveOp &operator=(const InteractiveOp &) = delete;

  std::size_t elements() const { return elements_; }
  const ProtocolCost &cost() const { return cost_; }
  int messages() const { return cost_.messages(); }
  std::size_t messageBytes(int k) const { return k < messages() ? cost_.messageBytes(k, elements_) : 0; }

  // Exactly messageBytes(k) bytes, which may be none.
  virtual void write(int k, std::span<std::uint8_t> out) = 0;
  // Errors if the bytes can't be what the peer's write() makes.
  virtual Expected<void> read(int k, std::span<const std::uint8_t> in) = 0;

protected:
  InteractiveOp(std::size_t elements, ProtocolCost cost) : elements_(elements), cost_(std::move(cost)) {}

private:
  std::size_t elements_;
  ProtocolCost cost_;
};

// P0's side. Operands outlive the run.
template <RingWord R>
class ServiceOp : public InteractiveOp {
public:
  // The masked result, once, after the run; empty for Output.
  MaskedTensor<R> takeResult() { return std::move(result_); }

protected:
  using InteractiveOp::InteractiveOp;
  MaskedTensor<R> result_;
};

// P1's side. Its mask of the result is known from the offline phase, so an op leaves nothing behind but what Output
// opens.
template <RingWord R>
class ClientOp : public InteractiveOp {
public:
  // Output alone: the opened values, once, after the run.
  SecretVector<R> takeOpened() { return std::move(opened_); }

protected:
  using InteractiveOp::InteractiveOp;
  SecretVector<R> opened_;
};

// Calls body(begin, end) over [0, planeWords), on the pool's threads if that is worth while. `pool` may be null.
template <class Body>
void forPlaneWords(ThreadPool *pool, std::size_t words, const Body &body) {
  constexpr std::size_t kWorthwhile = 1024, kGrain = 256; // 64 elements a word
  if (!pool || words < kWorthwhile) return body(std::size_t{0}, words);
  pool->parallelRanges(static_cast<std::int64_t>(words), kGrain, [&](std::int64_t begin, std::int64_t end) {
    body(static_cast<std::size_t>(begin), static_cast<std::size_t>(end));
  });
}

} // namespace sd
