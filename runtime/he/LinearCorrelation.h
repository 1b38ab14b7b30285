// The linear correlation u + v = W r mod 2^32 or 2^64 of one layer, from RLWE, with no third party.
//
//   hospital (P1, holds r)                                        service (P0, holds W)
//   each layer:        Enc(r), block by block              ->
//                                                          <-     for each output block: sum of W * Enc(r),
//                                                                 re-randomised, - u, flooded, switched to 2^41 or 2^73
//   v = what they open to                                         u uniform
//
// RlweExchange.h has the messages. One round trip for any number of layers: the hospital may upload all before it
// collects. Both sides must name the same layers in the same order. Packing: ir/core/LinearPacking.h. Privacy of W:
// docs/protocols.md.
#pragma once

#include "runtime/he/RlweExchange.h"
#include "runtime/he/WeightTransforms.h"

namespace sd {

struct LinearLayer {
  explicit LinearLayer(LinearGeometry layerGeometry)
      : geometry(std::move(layerGeometry)), packing(choosePacking(geometry)) {}
  LinearGeometry geometry;
  Packing packing;
};

// How many transforms of weight polynomials it is worth to keep of a layer. Those of constants cost nothing.
std::size_t keptPolynomials(const LinearLayer &layer);

// An error that says what to do if the replies to an inference with this sum of replySquares() over its layers would
// tell more of the weights than RlweParameters.h admits. The service asks before it answers anything.
template <RingWord R>
Expected<void> checkHidden(double squares);

// The layers' geometries are of the same ring.
template <RingWord R>
class LinearHospital {
public:
  // Makes the session's key and sends its public half.
  static Expected<LinearHospital> setUp(Channel &channel, const Seed &seed);

  // Sends r (the layer's input, flat) under encryption.
  Expected<void> upload(const LinearLayer &layer, std::span<const R> r, ThreadPool &threads);

  // Receives the reply to the oldest upload not collected yet: v (the layer's output, flat). May run on another thread
  // than upload().
  Expected<void> collect(const LinearLayer &layer, std::span<R> v, ThreadPool &threads) const;

private:
  LinearHospital(Channel &channel, RlweUploader<R, RlweUse::Weights> uploader)
      : channel_(&channel), uploader_(std::move(uploader)) {}
  Channel *channel_;
  RlweUploader<R, RlweUse::Weights> uploader_;
};

template <RingWord R>
class LinearService {
public:
  static Expected<LinearService> setUp(Channel &channel, const Seed &seed);

  // Receives one layer's uploads and answers them. Writes u. checkHidden() must have passed.
  // `kept`: this layer's, of these weights.
  Expected<void> answer(const LinearLayer &layer, std::span<const SignedOf<R>> weights, std::span<R> u,
                        ThreadPool &threads, LayerTransforms *kept = nullptr);

private:
  struct ServiceLayer {
    const LinearLayer &layer;
    std::span<const SignedOf<R>> weights;
    const RlweUploads &uploads; // by tile, then input block
    LayerTransforms *kept;
    std::vector<std::size_t> firstPolynomial; // by output block
  };
  std::vector<ReplySums<R>> multiply(const ServiceLayer &own, std::int64_t outBlock) const;
  std::vector<std::uint8_t> reply(const ServiceLayer &own, std::int64_t outBlock, std::span<const R> u) const;

  LinearService(Channel &channel, const Seed &seed, RlweReplier<R, RlweUse::Weights> replier)
      : channel_(&channel), seed_(seed), replier_(std::move(replier)) {}
  Channel *channel_;
  Seed seed_;
  RlweReplier<R, RlweUse::Weights> replier_;
  std::uint64_t layers_ = 0;
};

} // namespace sd
