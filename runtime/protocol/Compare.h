// max(floor((y + 2^(t - 1)) / 2^t), 0) of a shared y, |y| <= 2^bound - 2^t, bit for bit (max(y, 0) for t = 0), or the
// truncation alone. docs/protocols.md, truncation and comparison. D levels in the tree; level D + 1 opens its results:
// mu, the masked sign, and for t > 0 the masked [sign and carry].
//
//   0  P0 -> P1   words T = (1 - 2 l0) Q0 + d | masked digits | eA, eB (t > 0) | its part of level 1
//   1  P1 -> P0   its part of level 1 | of level 2
//   2  P0 -> P1   its part of level 2 | of level 3
//   ...           until both parts of level D + 1 have been sent; P1's last message begins with
//      P1 -> P0   words: its share of the result - its new mask | its part of level D + 1, if not sent before
//
// D = 0: 2 messages; D = 1 or 2: 4; D = 3 or 4: 6. A message's words come first, then its planes without padding.
//
// Maximum of a, b is b + relu(a - b): the same chart at t = 0, P0 adds B at the end and P1 adds its mask of b to
// its words. A truncation alone compares the low bits only: no T, no eB, and the masked carry for mu.
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
  // 1 an element. Where it is 1, min in place of max: P0 alone turns its share of the sign, P1 sees no change.
  static Expected<std::unique_ptr<ServiceOp<R>>> makeRelu(const PlanEntry &entry, CompareService<R> material,
                                                          const MaskedTensor<R> &y, ThreadPool *pool,
                                                          std::span<const R> turned = {});
  static Expected<std::unique_ptr<ServiceOp<R>>> makeTruncate(const PlanEntry &entry, CompareService<R> material,
                                                              const MaskedTensor<R> &y, ThreadPool *pool);
  static Expected<std::unique_ptr<ServiceOp<R>>> makeMaximum(const PlanEntry &entry, CompareService<R> material,
                                                             const MaskedTensor<R> &a, const MaskedTensor<R> &b,
                                                             ThreadPool *pool);
  void write(int k, std::span<std::uint8_t> out) override;
  Expected<void> read(int k, std::span<const std::uint8_t> in) override;

private:
  ServiceCompare(const PlanEntry &entry, CompareService<R> material, ThreadPool *pool);
  static Expected<std::unique_ptr<ServiceCompare>> make(const PlanEntry &entry, CompareService<R> material,
                                                        ThreadPool *pool, bool fitting);
  void writeOpening(std::span<std::uint8_t> out);
  void finish(std::span<const std::uint8_t> words);

  CompareShape shape_;
  WordRounding<R> rounding_;
  SecretVector<R> difference_; // Maximum: a - b
  std::span<const R> y_, addend_, turned_;
  CompareRun run_;
  CompareService<R> material_; // but for what run_ has taken
};

template <RingWord R>
class ClientCompare final : public ClientOp<R> {
public:
  // For Compare, Truncate and Maximum alike. Errors if the material is spent or made for another op.
  static Expected<std::unique_ptr<ClientOp<R>>> make(const PlanEntry &entry, CompareClient<R> material,
                                                     ThreadPool *pool);
  void write(int k, std::span<std::uint8_t> out) override;
  Expected<void> read(int k, std::span<const std::uint8_t> in) override;

private:
  ClientCompare(const PlanEntry &entry, CompareClient<R> material, ThreadPool *pool);
  Expected<void> readOpening(std::span<const std::uint8_t> in);
  void writeWords(std::span<std::uint8_t> out);

  CompareShape shape_;
  WordRounding<R> rounding_;
  CompareRun run_;
  CompareClient<R> material_; // but for what run_ has taken
  SecretVector<R> word_;      // T
  SecretPlanes wraps_;        // eA, eB
};

} // namespace sd
