#include "runtime/offline/DealerProvider.h"

#include "ir/bytecode/Writer.h"
#include "runtime/offline/Deal.h"

namespace sd {
namespace {

// An error of the dealer's connection, in words that tell it from the peer's.
template <class T>
Expected<T> fromDealer(Expected<T> result) {
  if (result) return result;
  return failAs(result.error(), "the dealer: {}", result.error().message);
}

Expected<void> sayHello(const DealerProviderOptions &options, int party, Bytes program) {
  const auto hello = encode({party, options.session, digestOf(program)});
  return options.dealer.stream(kDealerStream).send(tag::kDealerHello, hello);
}

Expected<void> waitReady(Connection &dealer) {
  std::uint8_t ready = 0;
  return dealer.stream(kDealerStream).receive(tag::kDealerReady, std::span(&ready, 1));
}

} // namespace

std::map<std::uint32_t, std::size_t> linearMatrices(const Plan &plan) {
  std::map<std::uint32_t, std::size_t> matrices;
  for (std::size_t i = 0; i < plan.entries.size(); ++i)
    if (plan.entries[i].kind == EntryKind::Linear) matrices.emplace(plan.entries[i].weights, i);
  return matrices;
}

template <RingWord R>
DealerService<R>::DealerService(const DealerProviderOptions &options) : options_(options) {}

template <RingWord R>
Expected<void> DealerService<R>::begin(const OfflineJob &job, const WeightSet<R> &weights) {
  SD_ASSIGN(const auto program, writeProgram(job.program));
  const Seed matrixSeed = options_.seed.derive("dealer matrices");
  Channel &dealer = options_.dealer.stream(kDealerStream);
  SD_TRY(fromDealer(sayHello(options_, 0, program)));
  SD_TRY(fromDealer(dealer.send(tag::kDealerProgram, program)));
  SD_TRY(fromDealer(dealer.send(tag::kDealerMatrixSeed, matrixSeed.bytes())));
  SD_TRY(fromDealer(waitReady(options_.dealer)));
  Channel &peer = options_.peer.stream(kDealerPeerStream);
  for (const auto &[index, entry] : linearMatrices(job.plan)) {
    const auto &matrix = weights.tensors[index].data;
    SecretVector<R> difference = matrixMask<R>(matrixSeed, index, matrix.size());
    for (std::size_t i = 0; i < matrix.size(); ++i)
      difference[i] = static_cast<R>(matrix[i]) - difference[i];
    SD_TRY(sendWords<R>(peer, tag::kDealerMatrix, difference.span()));
  }
  begun_ = true;
  return {};
}

template <RingWord R>
Expected<void> DealerService<R>::prepare(const OfflineJob &job, const WeightSet<R> &weights,
                                         const Sink<ServiceMaterial<R>> &sink) {
  if (!begun_) SD_TRY(begin(job, weights));
  const DealerDraw draw{number_++, job.seed.derive("dealer draw")};
  Channel &dealer = options_.dealer.stream(kDealerStream), &peer = options_.peer.stream(kDealerPeerStream);
  SD_TRY(fromDealer(sendDraw(dealer, draw)));
  std::array<std::uint8_t, 8> drawn{};
  SD_TRY(fromDealer(dealer.receive(tag::kDealerDrawn, drawn)));
  for (std::size_t i = 0; i < job.plan.entries.size(); ++i) {
    const PlanEntry &entry = job.plan.entries[i];
    Prg prg = entryStream(draw.seed, i);
    ServiceMaterial<R> material = dealtServiceParts<R>(entry, prg);
    if (std::holds_alternative<std::monostate>(material)) continue;
    if (auto *linear = std::get_if<LinearMaterial<R>>(&material)) {
      SD_ASSIGN(const auto rest, receiveWords<R>(peer, tag::kDealerLinear, entry.elements));
      for (std::size_t k = 0; k < entry.elements; ++k)
        linear->u[k] += rest[k];
    }
    SD_TRY(sink(i, std::move(material)));
  }
  return {};
}

template <RingWord R>
DealerClient<R>::DealerClient(const DealerProviderOptions &options, LinearMaps<R> &maps)
    : options_(options), maps_(maps) {}

template <RingWord R>
Expected<void> DealerClient<R>::begin(const OfflineJob &job) {
  SD_ASSIGN(const auto program, writeProgram(job.program));
  SD_TRY(fromDealer(sayHello(options_, 1, program)));
  SD_TRY(fromDealer(waitReady(options_.dealer)));
  for (const auto &[index, entry] : linearMatrices(job.plan)) {
    SD_ASSIGN(differences_[index],
              receiveWords<R>(options_.peer.stream(kDealerPeerStream), tag::kDealerMatrix, maps_.sizes(entry).weights));
  }
  begun_ = true;
  return {};
}

template <RingWord R>
Expected<void> DealerClient<R>::prepareLinear(std::size_t index, const PlanEntry &entry, MaskWalk<R> &walk,
                                              std::span<const R> v) {
  SD_ASSIGN(const auto dealt, fromDealer(receiveWords<R>(options_.dealer.stream(kDealerStream), tag::kDealerCorrections,
                                                         entry.elements)));
  SD_ASSIGN(const auto r, walk.operand(index, 0));
  SecretVector<R> message(entry.elements);
  maps_.apply(index, differences_[entry.weights].span(), r.span(), message.span());
  for (std::size_t k = 0; k < entry.elements; ++k)
    message[k] += dealt[k] - v[k];
  return sendWords<R>(options_.peer.stream(kDealerPeerStream), tag::kDealerLinear, message.span());
}

template <RingWord R>
Expected<void> DealerClient<R>::prepare(const OfflineJob &job, MaskWalk<R> &walk, const Sink<ClientMaterial<R>> &sink) {
  if (!begun_) SD_TRY(begin(job));
  const DealerDraw draw{number_++, job.seed.derive("dealer draw")};
  Channel &dealer = options_.dealer.stream(kDealerStream);
  SD_TRY(fromDealer(sendDraw(dealer, draw)));
  SD_ASSIGN(auto masks, dealtMasks(job.plan, draw.seed, walk));
  for (std::size_t i = 0; i < job.plan.entries.size(); ++i) {
    const PlanEntry &entry = job.plan.entries[i];
    if (entry.kind == EntryKind::Linear) {
      SD_TRY(prepareLinear(i, entry, walk, masks[i].span()));
      continue;
    }
    Prg prg = entryStream(draw.seed, i);
    ClientMaterial<R> material = dealtClientParts<R>(entry, prg);
    SD_TRY(setMasks(job.plan, i, walk, std::move(masks[i]), material));
    if (const std::size_t bytes = correctionBytes(entry, kBitsOf<R>)) {
      SecretVector<std::uint8_t> corrections(bytes);
      SD_TRY(fromDealer(dealer.receive(tag::kDealerCorrections, corrections.span())));
      SD_TRY(fromDealer(readCorrections(entry, corrections.span(), material)));
    }
    SD_TRY(sink(i, std::move(material)));
  }
  return {};
}

template class DealerService<Ring32>;
template class DealerService<Ring64>;
template class DealerClient<Ring32>;
template class DealerClient<Ring64>;

} // namespace sd
