#include "runtime/offline/TwoParty.h"
#include "runtime/offline/TwoPartyOverlap.h"
#include "runtime/offline/TwoPartyTags.h"
#include "runtime/offline/TwoPartyTile.h"
#include "runtime/offline/TwoPartyTransfers.h"

namespace sd {
namespace {

template <RingWord R>
ServiceMaterial<R> emptyMaterial(const PlanEntry &entry, const EntryLayout &layout) {
  const std::size_t n = entry.elements;
  if (entry.kind == EntryKind::Product)
    return ProductService<R>{SecretVector<R>(n), SecretVector<R>(n), SecretVector<R>(n)};
  const CompareTree &tree = layout.tree;
  const CompareShape &shape = layout.shape;
  const std::size_t selected = shape.selects ? n : 0, truncated = shape.truncation ? n : 0;
  const std::size_t both = std::min(selected, truncated);
  CompareService<R> m{SecretPlanes(n, tree.bits),
                      SecretPlanes(n, tree.tablePlanes()),
                      SecretPlanes(n, tree.wires()),
                      SecretPlanes(n, tree.products()),
                      SecretPlanes(n, shape.results()),
                      SecretVector<R>(selected),
                      SecretVector<R>(selected),
                      SecretPlanes(n, shape.wraps()),
                      SecretVector<R>(truncated),
                      SecretVector<R>(both),
                      SecretVector<R>(both),
                      SecretVector<R>(truncated)};
  std::fill(m.tables.words().begin(), m.tables.words().end(), 0); // the butterflies start from P1's plain table
  return m;
}

} // namespace

template <RingWord R>
class TwoPartyService<R>::Bits {
public:
  explicit Bits(const TwoPartyOptions &options) : connection_(options.connection), transfers_(options) {}

  TwoPartyState state() const { return transfers_.state(); }
  Expected<void> setUp(const TwoPartyLayout &layout, const OfflineJob &job) { return transfers_.setUp(layout, job); }

  // The OTs of the linear entries: before all others of their direction, and before any of their messages, so that
  // the extension's own messages wait for nothing.
  Expected<std::vector<SenderSeeds>> gatherLinear(const TwoPartyLayout &layout) {
    std::vector<SenderSeeds> all;
    for (const TransferCost &linear : layout.transfers) {
      SD_ASSIGN(SenderSeeds seeds, gatherSeeds<R>(*transfers_.reversePads(), linear.inputs));
      all.push_back(std::move(seeds));
    }
    return all;
  }

  Expected<void> run(const OfflineJob &job, const TwoPartyLayout &layout, const Sink<ServiceMaterial<R>> &sink) {
    if (layout.ots == 0) return {};
    Prg random(job.seed.derive("two-party service masks"));
    for (const BitWindow &window : layout.windows)
      SD_TRY(runWindow(job, layout, window, random, sink));
    return {};
  }

private:
  Expected<void> runWindow(const OfflineJob &job, const TwoPartyLayout &layout, const BitWindow &window, Prg &random,
                           const Sink<ServiceMaterial<R>> &sink) {
    Channel &channel = connection_.stream(kBitStream);
    std::vector<ServiceMaterial<R>> materials(job.plan.entries.size());
    for (const std::size_t i : window.entries)
      materials[i] = emptyMaterial<R>(job.plan.entries[i], layout.entries[i]);
    std::vector<std::vector<ServiceTile<R>>> tiles;
    for (const BitBatch &batch : window.batches) {
      auto &own = tiles.emplace_back();
      for (const BitTile &tile : batch.tiles) {
        own.emplace_back(tile, layout.entries[tile.entry], materials[tile.entry]);
        SD_TRY(own.back().gather(transfers_.pads(), transfers_.reversePads(), random));
      }
      SD_TRY(receive(channel, batch, 0, own));
      SD_TRY(send(channel, batch, 1, own));
    }
    for (int k = 2; k < window.messages; k += 2)
      for (std::size_t b = 0; b < tiles.size(); ++b) {
        SD_TRY(receive(channel, window.batches[b], k, tiles[b]));
        SD_TRY(send(channel, window.batches[b], k + 1, tiles[b]));
      }
    for (auto &batch : tiles)
      for (ServiceTile<R> &tile : batch)
        tile.finish();
    for (const std::size_t i : window.entries)
      SD_TRY(sink(i, std::move(materials[i])));
    return {};
  }

  static bool has(const BitBatch &batch, std::size_t k) {
    return k < batch.messageBytes.size() && batch.messageBytes[k] > 0;
  }

  static Expected<void> receive(Channel &channel, const BitBatch &batch, int k, std::vector<ServiceTile<R>> &tiles) {
    if (!has(batch, k)) return {};
    std::vector<std::uint8_t> message(batch.messageBytes[k]);
    SD_TRY(channel.receive(static_cast<std::uint16_t>(tag::kBitStage + k), message));
    BitReader in(message);
    for (ServiceTile<R> &tile : tiles)
      tile.apply(k / 2 + 1, in);
    if (!in.finish()) return fail("the peer's correlations end in stray bits; end the session");
    return {};
  }

  static Expected<void> send(Channel &channel, const BitBatch &batch, int k, std::vector<ServiceTile<R>> &tiles) {
    if (!has(batch, k)) return {};
    std::vector<std::uint8_t> message(batch.messageBytes[k]);
    BitWriter out(message);
    for (ServiceTile<R> &tile : tiles)
      tile.choose(k / 2 + 2, out);
    out.finish();
    return channel.send(static_cast<std::uint16_t>(tag::kBitStage + k), message);
  }

  Connection &connection_;
  TwoPartyTransfers<CotReceiver, CotSender> transfers_;
};

template <RingWord R>
TwoPartyService<R>::TwoPartyService(const TwoPartyOptions &options)
    : bits_(std::make_unique<Bits>(options)), options_(options) {}

template <RingWord R>
TwoPartyService<R>::~TwoPartyService() = default;

template <RingWord R>
TwoPartyCost TwoPartyService<R>::bitCost(const Plan &plan) const {
  return costOf(TwoPartyLayout::make(plan), bits_->state());
}

template <RingWord R>
Expected<void> TwoPartyService<R>::prepare(const OfflineJob &job, const WeightSet<R> &weights,
                                           const Sink<ServiceMaterial<R>> &sink) {
  const TwoPartyLayout layout = TwoPartyLayout::make(job.plan);
  const auto transfers = [&] { return bits_->setUp(layout, job); };
  const auto linear = [&](std::vector<SenderSeeds> seeds) -> Expected<void> {
    if (!job.plan.hasLinear()) return {};
    if (!linear_)
      linear_.emplace(options_.connection.stream(kLinearStream), options_.seed.derive("linear correlations"),
                      options_.transforms);
    return linear_->run(job, weights, std::move(seeds), sink);
  };
  const auto gather = [&] { return bits_->gatherLinear(layout); };
  SD_TRY(runTransfersAndLinear(options_.connection, layout, transfers, gather, linear));
  return bits_->run(job, layout, sink);
}

template class TwoPartyService<Ring32>;
template class TwoPartyService<Ring64>;

} // namespace sd
