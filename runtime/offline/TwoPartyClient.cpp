#include "runtime/offline/LeafTable.h"
#include "runtime/offline/TwoParty.h"
#include "runtime/offline/TwoPartyOverlap.h"
#include "runtime/offline/TwoPartyTags.h"
#include "runtime/offline/TwoPartyTile.h"
#include "runtime/offline/TwoPartyTransfers.h"

namespace sd {
namespace {

// Everything P1 knows without the peer: the operands' masks, its own random parts, and the result's mask.
template <RingWord R>
Expected<ClientMaterial<R>> startMaterial(std::size_t index, const OfflineJob &job, const EntryLayout &layout,
                                          MaskWalk<R> &walk, SecretVector<R> mask, Prg &random) {
  const PlanEntry &entry = job.plan.entries[index];
  const std::size_t n = entry.elements;
  SD_ASSIGN(SecretVector<R> first, walk.operand(index, 0));
  SecretVector<R> second;
  if (entry.operands() == 2) {
    SD_ASSIGN(second, walk.operand(index, 1));
  }
  if (entry.kind == EntryKind::Product)
    return ProductClient<R>{std::move(first), std::move(second), SecretVector<R>(n), std::move(mask)};
  for (std::size_t i = 0; i < second.size(); ++i)
    first[i] -= second[i]; // Maximum: the mask of a - b
  const CompareTree &tree = layout.tree;
  const CompareShape &shape = layout.shape;
  const std::size_t selected = shape.selects ? n : 0, truncated = shape.truncation ? n : 0;
  const std::size_t both = std::min(selected, truncated);
  SecretPlanes tables = leafTables(tree, comparedBits<R>(tree, first.span()));
  return CompareClient<R>{std::move(first),
                          std::move(tables),
                          SecretPlanes::random(n, tree.wires(), random),
                          SecretPlanes(n, tree.products()),
                          SecretPlanes::random(n, shape.results(), random), // l1 is then its transfer's own choice
                          SecretVector<R>(selected),
                          SecretVector<R>(truncated),
                          SecretVector<R>(both),
                          SecretVector<R>(both),
                          SecretVector<R>(truncated),
                          std::move(second),
                          std::move(mask)};
}

} // namespace

template <RingWord R>
class TwoPartyClient<R>::Bits {
public:
  explicit Bits(const TwoPartyOptions &options) : connection_(options.connection), transfers_(options) {}

  TwoPartyState state() const { return transfers_.state(); }
  Expected<void> setUp(const TwoPartyLayout &layout, const OfflineJob &job) { return transfers_.setUp(layout, job); }

  // The OTs of the linear entries: before all others of their direction, and before any of their messages, so that
  // the extension's own messages wait for nothing.
  Expected<std::vector<ReceiverSeeds<R>>> gatherLinear(const TwoPartyLayout &layout) {
    std::vector<ReceiverSeeds<R>> all;
    for (const TransferCost &linear : layout.transfers) {
      SD_ASSIGN(ReceiverSeeds<R> seeds, gatherSeeds<R>(*transfers_.reversePads(), linear.inputs));
      all.push_back(std::move(seeds));
    }
    return all;
  }

  Expected<void> run(const OfflineJob &job, const TwoPartyLayout &layout, MaskWalk<R> &walk,
                     std::vector<SecretVector<R>> masks, const Sink<ClientMaterial<R>> &sink) {
    if (layout.ots == 0) return {};
    Prg random(job.seed.derive("two-party client masks"));
    for (const BitWindow &window : layout.windows) {
      std::vector<ClientMaterial<R>> materials(job.plan.entries.size());
      for (const std::size_t i : window.entries) {
        SD_ASSIGN(materials[i], startMaterial(i, job, layout.entries[i], walk, std::move(masks[i]), random));
      }
      SD_TRY(runWindow(layout, window, materials));
      for (const std::size_t i : window.entries)
        SD_TRY(sink(i, std::move(materials[i])));
    }
    return {};
  }

private:
  Expected<void> runWindow(const TwoPartyLayout &layout, const BitWindow &window,
                           std::vector<ClientMaterial<R>> &materials) {
    Channel &channel = connection_.stream(kBitStream);
    std::vector<std::vector<ClientTile<R>>> tiles;
    for (const BitBatch &batch : window.batches) {
      auto &own = tiles.emplace_back();
      std::vector<std::uint8_t> message(batch.messageBytes[0]);
      BitWriter out(message);
      for (const BitTile &tile : batch.tiles) {
        own.emplace_back(tile, layout.entries[tile.entry], materials[tile.entry]);
        SD_TRY(own.back().begin(transfers_.pads(), transfers_.reversePads(), out));
      }
      out.finish();
      SD_TRY(channel.send(tag::kBitStage, message));
    }
    for (int k = 1; k + 1 < window.messages; k += 2)
      for (std::size_t b = 0; b < tiles.size(); ++b)
        SD_TRY(exchange(channel, window.batches[b], k, tiles[b]));
    for (auto &batch : tiles)
      for (ClientTile<R> &tile : batch)
        tile.finish();
    return {};
  }

  // P0's message k and the answer, k + 1.
  static Expected<void> exchange(Channel &channel, const BitBatch &batch, std::size_t k,
                                 std::vector<ClientTile<R>> &tiles) {
    if (k + 1 >= batch.messageBytes.size()) return {};
    const int stage = static_cast<int>(k / 2 + 2);
    std::vector<std::uint8_t> question(batch.messageBytes[k]), answer(batch.messageBytes[k + 1]);
    SD_TRY(channel.receive(static_cast<std::uint16_t>(tag::kBitStage + k), question));
    BitReader in(question);
    BitWriter out(answer);
    for (ClientTile<R> &tile : tiles) {
      tile.choose(stage, in);
      tile.answer(stage, out);
    }
    if (!in.finish()) return fail("the peer's choices end in stray bits; end the session");
    out.finish();
    return channel.send(static_cast<std::uint16_t>(tag::kBitStage + k + 1), answer);
  }

  Connection &connection_;
  TwoPartyTransfers<CotSender, CotReceiver> transfers_;
};

template <RingWord R>
TwoPartyClient<R>::TwoPartyClient(const TwoPartyOptions &options)
    : bits_(std::make_unique<Bits>(options)), options_(options) {}

template <RingWord R>
TwoPartyClient<R>::~TwoPartyClient() = default;

template <RingWord R>
TwoPartyCost TwoPartyClient<R>::bitCost(const Plan &plan) const {
  return costOf(TwoPartyLayout::make(plan), bits_->state());
}

template <RingWord R>
Expected<void> TwoPartyClient<R>::prepare(const OfflineJob &job, MaskWalk<R> &walk,
                                          const Sink<ClientMaterial<R>> &sink) {
  const auto &entries = job.plan.entries;
  Prg random(job.seed.derive("results' masks"));
  std::vector<SecretVector<R>> masks(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].kind == EntryKind::Linear || !entries[i].newMask()) continue;
    masks[i] = randomRing<R>(entries[i].elements, random);
    SD_TRY(walk.announce(i, masks[i].span()));
  }
  const TwoPartyLayout layout = TwoPartyLayout::make(job.plan);
  const auto transfers = [&] { return bits_->setUp(layout, job); };
  const auto linear = [&](std::vector<ReceiverSeeds<R>> seeds) -> Expected<void> {
    if (!job.plan.hasLinear()) return {};
    if (!linear_)
      linear_.emplace(options_.connection.stream(kLinearStream), options_.seed.derive("linear correlations"));
    return linear_->run(job, walk, std::move(seeds), [&](std::size_t i, SecretVector<R> share) -> Expected<void> {
      SD_ASSIGN(SecretVector<R> r, walk.operand(i, 0));
      SD_ASSIGN(SecretVector<R> s, walk.operand(i, 1));
      return sink(i, ProductClient<R>{std::move(r), std::move(s), std::move(share), std::move(masks[i])});
    });
  };
  const auto gather = [&] { return bits_->gatherLinear(layout); };
  SD_TRY(runTransfersAndLinear(options_.connection, layout, transfers, gather, linear));
  for (std::size_t i = 0; i < entries.size(); ++i)
    if (entries[i].kind == EntryKind::Input) SD_TRY(sink(i, InputMaterial<R>{std::move(masks[i])}));
  SD_TRY(bits_->run(job, layout, walk, std::move(masks), sink));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].kind != EntryKind::Output) continue;
    SD_ASSIGN(SecretVector<R> r, walk.operand(i, 0));
    SD_TRY(sink(i, OutputMaterial<R>{std::move(r)}));
  }
  return {};
}

template class TwoPartyClient<Ring32>;
template class TwoPartyClient<Ring64>;

} // namespace sd
