// What travels under RLWE, whatever is computed with it (LinearCorrelation.h, DotCorrelation.h):
//
//   hospital (P1)                                                 service (P0)
//   once a session:    public seed, k0                     ->
//   uploads, in messages of up to kUploadsPerMessage:  c0  ->     (c1 from the seed)
//                                                          <-     replies: c1 and the wanted coefficients of c0
//
// Both sides must name the same uploads in the same order.
#pragma once

#include <functional>

#include "runtime/he/Rlwe.h"
#include "runtime/kernels/ThreadPool.h"
#include "runtime/net/Channel.h"

namespace sd {

// One message, P1 to P0.
template <RingWord R, RlweUse U = RlweUse::Weights>
inline constexpr std::size_t kLinearSetupBytes = Seed::kBytes + RlweParameters<R, U>::kSizes.uploadBytes();

inline constexpr std::uint16_t kRlweSetupTag = 0x300, kRlweUploadTag = 0x301, kRlweReplyTag = 0x302;

template <RingWord R, RlweUse U>
class RlweUploader {
public:
  // Makes the session's key and sends its public half.
  static Expected<RlweUploader> setUp(Channel &channel, const Seed &seed);

  // Sends `count` encryptions. `pack` writes all N coefficients of upload i; it is called on several threads.
  Expected<void> send(std::int64_t count, const std::function<void(std::int64_t i, std::span<R> coefficients)> &pack,
                      ThreadPool &threads);

  // The opened coefficients of a reply, in the order of `positions`.
  void open(std::span<const std::uint8_t> reply, std::span<const std::int32_t> positions, std::span<R> out) const;

private:
  RlweUploader(Channel &channel, const Seed &seed);
  Channel *channel_;
  Seed seed_;
  Prg publicStream_;
  RlweSecretKey<R, U> secret_;
  std::uint64_t uploads_ = 0;
};

struct RlweUploads {
  std::vector<RlwePoly> c0, c1;
};

template <RingWord R, RlweUse U>
class RlweReplier {
public:
  static Expected<RlweReplier> setUp(Channel &channel);
  Expected<RlweUploads> receive(std::int64_t count);
  // `out` holds RlweSizes::replyBytes() of as many positions.
  void write(const ReplySums<R, U> &sums, const ReplyRequest<R> &request, Prg &randomness,
             std::span<std::uint8_t> out) const;

private:
  RlweReplier(Channel &channel, const Seed &publicSeed);
  Channel *channel_;
  Prg publicStream_;
  RlwePublicKey key_;
};

} // namespace sd
