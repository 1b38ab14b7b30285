// The correlation behind share.dot from RLWE, with no third party: c0 + c1 = alpha s^T + r beta^T in the ring, for each
// of a batch (shapes: ir/core/DotPacking.h).
//
//   hospital (P1, holds r, s)                      service (P0, holds alpha, beta)
//   Enc(r), Enc(s), block by block          ->
//                                           <-     for each block of the result: sum of alpha Enc(s) + beta Enc(r),
//                                                  re-randomised, - c0, flooded, switched
//   c1 = what they open to                         c0 uniform
//
// RlweExchange.h has the messages; all uploads of one of the batch come before the next one's. alpha and beta are
// uniform in the ring: the encryption has the room for such factors, and for a flood that hides them (LinearHiding.h).
#pragma once

#include "ir/core/DotPacking.h"
#include "runtime/he/RlweExchange.h"

namespace sd {

template <RingWord R>
class DotHospital {
public:
  static Expected<DotHospital> setUp(Channel &channel, const Seed &seed);

  // Sends r [batch, rows, length] and s [batch, columns, length] under encryption.
  Expected<void> upload(const DotPacking &packing, std::span<const R> r, std::span<const R> s, ThreadPool &threads);

  // Receives the replies to the oldest upload not collected yet: c1 [batch, rows, columns]. May run on another thread
  // than upload().
  Expected<void> collect(const DotPacking &packing, std::span<R> product, ThreadPool &threads) const;

private:
  using Uploader = RlweUploader<R, RlweUse::Masks>;
  DotHospital(Channel &channel, Uploader uploader) : channel_(&channel), uploader_(std::move(uploader)) {}
  Channel *channel_;
  Uploader uploader_;
};

template <RingWord R>
class DotService {
public:
  static Expected<DotService> setUp(Channel &channel, const Seed &seed);

  // Receives one op's uploads and answers them. Writes c0 [batch, rows, columns].
  Expected<void> answer(const DotPacking &packing, std::span<const R> alpha, std::span<const R> beta,
                        std::span<R> product, ThreadPool &threads);

private:
  using Replier = RlweReplier<R, RlweUse::Masks>;
  DotService(Channel &channel, const Seed &seed, Replier replier)
      : channel_(&channel), seed_(seed), replier_(std::move(replier)) {}
  Expected<void> answerOne(const DotPacking &packing, std::span<const R> alpha, std::span<const R> beta,
                           std::span<R> product, ThreadPool &threads);
  Channel *channel_;
  Seed seed_;
  Replier replier_;
  std::uint64_t answered_ = 0; // of the batches
};

} // namespace sd
