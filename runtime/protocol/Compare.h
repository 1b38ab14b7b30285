// max(y, 0) / 2^t of a shared y, |y| <= 2^bound - 2^t, off by less than one unit and unbiased; exact for t = 0.
// docs/protocols.md, truncation and comparison. D levels in the tree; mu is the masked sign, level D + 1.
//
//   0  P0 -> P1   words T = (1 - 2 l0) Q0 + d | masked digits | eA, eB (t > 0) | its part of level 1
//   1  P1 -> P0   its part of level 1 | of level 2
//   2  P0 -> P1   its part of level 2 | of level 3
//   ...           until both parts of mu have been sent; P1's last message begins with
//      P1 -> P0   words: its share of the result - its new mask | its part of mu, if not sent before
//
// D = 0: 2 messages; D = 1 or 2: 4; D = 3 or 4: 6. A message's words come first, then its planes without padding.
//
// Maximum of a, b is b + relu(a - b): the same chart at t = 0, P0 adds B at the end and P1 adds its mask of b to
// its words.
#pragma once

#include "runtime/offline/Material.h"
#include "runtime/offline/Plan.h"
#include "runtime/protocol/CompareRun.h"
#include "runtime/protocol/SelectKernels.h"

namespace sd {

template <RingWord R>
class ServiceCompare final : public ServiceOp<R> {
public:
  // Errors if the material is spent or made for another op. `y` outlives the run, and so does `turned`: empty, or 0 or
  // 1 an element. Where it is 1, min(y, 0) in place of max(y, 0): P0 alone turns its share of the sign, P1 sees no
  // change.
  static Expected<std::unique_ptr<ServiceOp<R>>> makeRelu(const PlanEntry &entry, CompareService<R> material,
                                                          const MaskedTensor<R> &y, ThreadPool *pool,
                                                          std::span<const R> turned = {});
  static Expected<std::unique_ptr<ServiceOp<R>>> makeMaximum(const PlanEntry &entry, CompareService<R> material,
                                                             const MaskedTensor<R> &a, const MaskedTensor<R> &b,
                                                             ThreadPool *pool);
  void write(int k, std::span<std::uint8_t> out) override;
  Expected<void> read(int k, std::span<const std::uint8_t> in) override;

private:
  ServiceCompare(const PlanEntry &entry, CompareService<R> material, ThreadPool *pool);
  void writeOpening(std::span<std::uint8_t> out);
  void finish(std::span<const std::uint8_t> words);

  WordRounding<R> rounding_;
  int bound_;
  SecretVector<R> difference_; // Maximum: a - b
  std::span<const R> y_, addend_, turned_;
  CompareRun run_;
  SecretPlanes c_, wrapChoice_;
  SecretVector<R> d_, select_, wrapA_, wrapLA_, wrapB_;
};

template <RingWord R>
class ClientCompare final : public ClientOp<R> {
public:
  // For Compare and Maximum alike. Errors if the material is spent or made for another op.
  static Expected<std::unique_ptr<ClientOp<R>>> make(const PlanEntry &entry, CompareClient<R> material,
                                                     ThreadPool *pool);
  void write(int k, std::span<std::uint8_t> out) override;
  Expected<void> read(int k, std::span<const std::uint8_t> in) override;

private:
  ClientCompare(const PlanEntry &entry, CompareClient<R> material, ThreadPool *pool);
  void writeWords(std::span<std::uint8_t> out);

  WordRounding<R> rounding_;
  int bound_;
  CompareRun run_;
  CompareClient<R> material_;
  SecretVector<R> word_; // T
  SecretPlanes opened_;  // eA, eB
};

} // namespace sd
