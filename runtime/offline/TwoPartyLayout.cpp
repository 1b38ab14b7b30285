#include "runtime/offline/TwoPartyLayout.h"

#include <algorithm>
#include <map>

#include "runtime/net/Channel.h"

namespace sd {
namespace {

constexpr std::uint64_t kTileElements = 4096, kProductTileElements = 512;
constexpr std::uint64_t kBatchElements = 8192;
constexpr std::uint64_t kWindowElements = std::uint64_t{1} << 21;

bool hasBits(EntryKind kind) { return compares(kind) || kind == EntryKind::Product; }

void addBatch(BitWindow &window, BitBatch &batch, const TwoPartyLayout &layout) {
  if (batch.tiles.empty()) return;
  std::vector<std::uint64_t> bits;
  for (const BitTile &tile : batch.tiles) {
    const auto &each = layout.entries[tile.entry].messageBits;
    bits.resize(std::max(bits.size(), each.size()));
    for (std::size_t k = 0; k < each.size(); ++k)
      bits[k] += each[k] * tile.count;
  }
  for (const std::uint64_t count : bits)
    batch.messageBytes.push_back((count + 7) / 8);
  window.messages = std::max(window.messages, static_cast<int>(bits.size()));
  window.batches.push_back(std::move(batch));
  batch = {};
}

BitWindow makeWindow(std::vector<std::size_t> entries, const Plan &plan, const TwoPartyLayout &layout) {
  BitWindow window{std::move(entries), {}, 0};
  BitBatch batch;
  std::uint64_t weight = 0;
  for (const std::size_t index : window.entries) {
    const PlanEntry &entry = plan.entries[index];
    const std::uint64_t limit = entry.kind == EntryKind::Product ? kProductTileElements : kTileElements;
    for (std::uint64_t first = 0; first < entry.elements; first += limit) {
      const std::uint64_t count = std::min(limit, entry.elements - first);
      const std::uint64_t own = count * (kTileElements / limit);
      if (weight + own > kBatchElements) {
        addBatch(window, batch, layout);
        weight = 0;
      }
      batch.tiles.push_back({index, first, count});
      weight += own;
    }
  }
  addBatch(window, batch, layout);
  return window;
}

void addOts(TwoPartyCost &total, const CotCost &cost, bool senderIsP1) {
  total.bytesFromP0 += senderIsP1 ? cost.bytesFromReceiver : cost.bytesFromSender;
  total.bytesFromP1 += senderIsP1 ? cost.bytesFromSender : cost.bytesFromReceiver;
  total.messagesFromP0 += senderIsP1 ? cost.messagesFromReceiver : cost.messagesFromSender;
  total.messagesFromP1 += senderIsP1 ? cost.messagesFromSender : cost.messagesFromReceiver;
}

CotCost costOfNext(const CotState &state, std::uint64_t n) {
  return n <= state.buffered ? CotCost{} : costOf(planCots(state, n - state.buffered));
}

} // namespace

ProductLayout ProductLayout::make(const CompareTree::Level &level) {
  ProductLayout layout;
  layout.wires = level.wireCount();
  layout.nodes = level.nodes();
  std::map<int, Choice> choices;
  std::vector<int> stageOf(level.nodes(), 0);
  for (std::size_t i = 0; i < level.products.size(); ++i) {
    Step step;
    step.a = level.products[i].a;
    step.b = level.products[i].b;
    step.result = layout.wires + static_cast<int>(i);
    step.stage = stageOf[step.result] = std::max(stageOf[step.a], stageOf[step.b]) + 1;
    layout.stages = std::max(layout.stages, step.stage);
    step.aPlane = choices[step.a].width++; // among its node's own; made absolute below
    step.bPlane = choices[step.b].width++;
    layout.steps.push_back(step);
  }
  for (auto &[node, choice] : choices) {
    choice.node = node;
    choice.firstPlane = layout.planes;
    choice.stage = stageOf[node] + 1;
    layout.planes += choice.width;
    layout.choices.push_back(choice);
  }
  for (Step &step : layout.steps) {
    step.aPlane += choices[step.a].firstPlane;
    step.bPlane += choices[step.b].firstPlane;
  }
  std::stable_sort(layout.steps.begin(), layout.steps.end(),
                   [](const Step &a, const Step &b) { return a.stage < b.stage; });
  return layout;
}

EntryLayout EntryLayout::make(const PlanEntry &entry, int ringBits) {
  EntryLayout layout;
  if (!hasBits(entry.kind)) return layout;
  layout.messageBits = {0};
  if (entry.kind == EntryKind::Product) layout.messageBits[0] = ringBits * (ringBits + 1);
  if (!compares(entry.kind)) return layout;

  layout.shape = entry.compare;
  layout.tree = layout.shape.tree();
  for (const auto &level : layout.tree.levels) {
    layout.levels.push_back(ProductLayout::make(level));
    layout.stages = std::max(layout.stages, layout.levels.back().stages);
  }
  layout.messageBits.assign(2 * layout.stages - 1, 0);
  for (const auto &digit : layout.tree.digits)
    layout.messageBits[0] += digit.payloadPlanes();
  const int t = layout.shape.truncation;
  layout.messageBits[0] += (layout.shape.selects ? ringBits : 0) + (t ? ringBits : 0);
  layout.messageBits[0] += (layout.shape.selects ? 3 : 1) * t;
  for (const auto &level : layout.levels) {
    for (const auto &step : level.steps)
      layout.messageBits[2 * (step.stage - 1)] += 2;
    for (const auto &choice : level.choices)
      if (choice.stage > 1) layout.messageBits[2 * (choice.stage - 1) - 1] += 1;
  }
  return layout;
}

TwoPartyLayout TwoPartyLayout::make(const Plan &plan) {
  TwoPartyLayout layout;
  for (const PlanEntry &entry : plan.entries)
    layout.entries.push_back(EntryLayout::make(entry, plan.ringBits));
  std::vector<std::size_t> entries;
  std::uint64_t elements = 0;
  const auto close = [&] {
    if (!entries.empty()) layout.windows.push_back(makeWindow(std::exchange(entries, {}), plan, layout));
    elements = 0;
  };
  for (std::size_t i = 0; i < plan.entries.size(); ++i) {
    const PlanEntry &entry = plan.entries[i];
    if (entry.transfers) {
      layout.transfers.push_back(entry.transfers);
      layout.reverseOts += entry.transfers.ots();
    }
    if (!hasBits(entry.kind)) continue;
    if (elements + entry.elements > kWindowElements) close();
    entries.push_back(i);
    elements += entry.elements;
    const ProtocolCost cost = entry.cost(plan.ringBits);
    layout.ots += cost.ots * entry.elements;
    layout.reverseOts += cost.reverseOts * entry.elements;
  }
  close();
  return layout;
}

TwoPartyCost &TwoPartyCost::operator+=(const TwoPartyCost &other) {
  bytesFromP0 += other.bytesFromP0;
  bytesFromP1 += other.bytesFromP1;
  messagesFromP0 += other.messagesFromP0;
  messagesFromP1 += other.messagesFromP1;
  return *this;
}

TwoPartyCost costOf(const TwoPartyLayout &layout, const TwoPartyState &state) {
  TwoPartyCost total;
  const bool reverse = layout.reverseOts > 0;
  const std::uint64_t ots = layout.ots + (reverse && !state.reverse ? kBaseTransfers : 0);
  if (ots > 0 && !state.forward) addOts(total, cotSetupCost(), true);
  addOts(total, costOfNext(state.forwardOts, ots), true);
  if (reverse && !state.reverse) addOts(total, cotReverseSetupCost(), false);
  addOts(total, costOfNext(state.reverseOts, layout.reverseOts), false);
  for (const TransferCost &linear : layout.transfers)
    total += {linear.bytesDown() + kFrameHeaderBytes, linear.bytesUp() + kFrameHeaderBytes, 1, 1};
  for (const BitWindow &window : layout.windows)
    for (const BitBatch &batch : window.batches)
      for (std::size_t k = 0; k < batch.messageBytes.size(); ++k) {
        if (batch.messageBytes[k] == 0) continue;
        const std::uint64_t bytes = batch.messageBytes[k] + kFrameHeaderBytes;
        (k % 2 ? total.bytesFromP0 : total.bytesFromP1) += bytes;
        (k % 2 ? total.messagesFromP0 : total.messagesFromP1) += 1;
      }
  return total;
}

} // namespace sd
