#include "runtime/he/RlweExchange.h"

#include <algorithm>

#include "runtime/he/PackBits.h"

namespace sd {

namespace {

template <RingWord R, RlweUse U>
inline constexpr std::size_t kUploadBytes = RlweParameters<R, U>::kSizes.uploadBytes();
template <RingWord R, RlweUse U>
inline constexpr std::size_t kReplyBytes = RlweParameters<R, U>::kSizes.replyBytes();

} // namespace

template <RingWord R, RlweUse U>
RlweUploader<R, U>::RlweUploader(Channel &channel, const Seed &seed)
    : channel_(&channel), seed_(seed), publicStream_(seed.derive("rlwe public")), secret_([&] {
        Prg randomness(seed.derive("rlwe secret"));
        return RlweSecretKey<R, U>(randomness);
      }()) {}

template <RingWord R, RlweUse U>
Expected<RlweUploader<R, U>> RlweUploader<R, U>::setUp(Channel &channel, const Seed &seed) {
  RlweUploader uploader(channel, seed);
  RlwePoly k1 = makeRlwePoly<R, U>(), k0 = makeRlwePoly<R, U>();
  uniformPoly<R, U>(uploader.publicStream_, k1);
  Prg randomness(seed.derive("rlwe public key errors"));
  uploader.secret_.makePublicKey(k1, randomness, k0);
  std::vector<std::uint8_t> message(kLinearSetupBytes<R, U>);
  const Seed publicSeed = seed.derive("rlwe public");
  std::ranges::copy(publicSeed.bytes(), message.begin());
  packPoly(k0, std::span(message).subspan(Seed::kBytes));
  SD_TRY(channel.send(kRlweSetupTag, message));
  return uploader;
}

template <RingWord R, RlweUse U>
Expected<void> RlweUploader<R, U>::send(std::int64_t count, const std::function<void(std::int64_t, std::span<R>)> &pack,
                                        ThreadPool &threads) {
  std::vector<RlwePoly> c1(std::min(kUploadsPerMessage, count));
  std::ranges::generate(c1, makeRlwePoly<R, U>);
  std::vector<std::uint8_t> message;
  for (std::int64_t first = 0; first < count; first += kUploadsPerMessage) {
    const std::int64_t batch = std::min(kUploadsPerMessage, count - first);
    for (std::int64_t i = 0; i < batch; ++i)
      uniformPoly<R, U>(publicStream_, c1[i]);
    message.resize(batch * kUploadBytes<R, U>);
    const std::uint64_t number = uploads_;
    threads.parallelFor(batch, [&](std::int64_t i) {
      Prg randomness(seed_.derive(fmt::format("rlwe upload {}", number + i)));
      SecretVector<R> coefficients(RlweParameters<R, U>::kDegree);
      pack(first + i, coefficients.span());
      RlwePoly c0 = makeRlwePoly<R, U>();
      secret_.encrypt(coefficients.span(), c1[i], randomness, c0);
      packPoly(c0, std::span(message).subspan(i * kUploadBytes<R, U>, kUploadBytes<R, U>));
    });
    uploads_ += batch;
    SD_TRY(channel_->send(kRlweUploadTag, message));
  }
  return {};
}

template <RingWord R, RlweUse U>
void RlweUploader<R, U>::open(std::span<const std::uint8_t> reply, std::span<const std::int32_t> positions,
                              std::span<R> out) const {
  using P = RlweParameters<R, U>;
  std::vector<ReplyWord<R>> c1(P::kDegree), wanted(positions.size());
  unpackBits(reply.first(kReplyBytes<R, U>), P::kReplyBits, std::span(c1));
  unpackBits(reply.subspan(kReplyBytes<R, U>), P::kWantedBits, std::span(wanted));
  secret_.decrypt(c1, wanted, positions, out);
}

template <RingWord R, RlweUse U>
RlweReplier<R, U>::RlweReplier(Channel &channel, const Seed &publicSeed)
    : channel_(&channel), publicStream_(publicSeed), key_{makeRlwePoly<R, U>(), makeRlwePoly<R, U>()} {}

template <RingWord R, RlweUse U>
Expected<RlweReplier<R, U>> RlweReplier<R, U>::setUp(Channel &channel) {
  std::vector<std::uint8_t> message(kLinearSetupBytes<R, U>);
  SD_TRY(channel.receive(kRlweSetupTag, message));
  RlweReplier replier(channel, Seed(std::span(message).template first<Seed::kBytes>()));
  uniformPoly<R, U>(replier.publicStream_, replier.key_.k1);
  SD_TRY((unpackPoly<R, U>(std::span(message).subspan(Seed::kBytes), replier.key_.k0)));
  return replier;
}

template <RingWord R, RlweUse U>
Expected<RlweUploads> RlweReplier<R, U>::receive(std::int64_t count) {
  RlweUploads uploads{std::vector<RlwePoly>(count), std::vector<RlwePoly>(count)};
  std::vector<std::uint8_t> message;
  for (std::int64_t first = 0; first < count; first += kUploadsPerMessage) {
    const std::int64_t batch = std::min(kUploadsPerMessage, count - first);
    message.resize(batch * kUploadBytes<R, U>);
    SD_TRY(channel_->receive(kRlweUploadTag, message));
    for (std::int64_t i = 0; i < batch; ++i) {
      RlwePoly &c0 = uploads.c0[first + i] = makeRlwePoly<R, U>(), &c1 = uploads.c1[first + i] = makeRlwePoly<R, U>();
      SD_TRY((unpackPoly<R, U>(std::span(message).subspan(i * kUploadBytes<R, U>, kUploadBytes<R, U>), c0)));
      uniformPoly<R, U>(publicStream_, c1);
    }
  }
  return uploads;
}

template <RingWord R, RlweUse U>
void RlweReplier<R, U>::write(const ReplySums<R, U> &sums, const ReplyRequest<R> &request, Prg &randomness,
                              std::span<std::uint8_t> out) const {
  using P = RlweParameters<R, U>;
  std::vector<ReplyWord<R>> c1(P::kDegree), wanted(request.positions.size());
  makeReply<R, U>(sums, key_, request, randomness, c1, wanted);
  packBits(std::span<const ReplyWord<R>>(c1), P::kReplyBits, out.first(kReplyBytes<R, U>));
  packBits(std::span<const ReplyWord<R>>(wanted), P::kWantedBits, out.subspan(kReplyBytes<R, U>));
}

#define SD_INSTANTIATE(R, U)                                                                                           \
  template class RlweUploader<R, U>;                                                                                   \
  template class RlweReplier<R, U>;
SD_INSTANTIATE(Ring32, RlweUse::Weights)
SD_INSTANTIATE(Ring64, RlweUse::Weights)
SD_INSTANTIATE(Ring32, RlweUse::Masks)
SD_INSTANTIATE(Ring64, RlweUse::Masks)
#undef SD_INSTANTIATE

} // namespace sd
