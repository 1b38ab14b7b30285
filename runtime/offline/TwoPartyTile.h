// One tile of bit correlations, on each side: the steps between messages. See TwoPartyLayout.h for their order.
#pragma once

#include "runtime/offline/Material.h"
#include "runtime/offline/RingPads.h"
#include "runtime/offline/TwoPartyLayout.h"

namespace sd {

// Pads of the products of one tree level, kept from a tile's first stage to its last. P1 keeps both pads of each OT.
struct ProductPads {
  SecretPlanes choices;    // P0: the OTs' own choice bits, one plane a choice
  SecretPlanes pads, ones; // P0: pads; P1: zero and one
  SecretPlanes nodes;      // shares of all nodes' values
};

// P0's side: it receives the OTs, and its choice bits become the random parts of the material.
template <RingWord R>
class ServiceTile {
public:
  ServiceTile(const BitTile &tile, const EntryLayout &layout, ServiceMaterial<R> &material)
      : tile_(tile), layout_(layout), material_(material) {}
  // The tile's OTs: the same calls on both sides. `random` gives the masks that are no OT's choice.
  Expected<void> gather(PadReceiver &ots, PadSender *reverse, Prg &random);
  // P1's stage 1 and up.
  void apply(int stage, BitReader &in);
  // The choices of `stage` >= 2.
  void choose(int stage, BitWriter &out);
  // After the last stage.
  void finish();

private:
  Expected<void> gatherTree(CompareService<R> &m, PadReceiver &ots, Prg &random);
  Expected<void> gatherWords(CompareService<R> &m, PadReceiver &ots, PadSender *reverse);
  void applyTables(CompareService<R> &m, BitReader &in);
  void applyProducts(int stage, BitReader &in);
  void applyWords(CompareService<R> &m, BitReader &in);
  std::size_t word() const { return tile_.first / 64; }
  std::size_t words() const { return planeWords(tile_.count); }

  BitTile tile_;
  const EntryLayout &layout_;
  ServiceMaterial<R> &material_;
  SecretPlanes tablePads_;
  std::vector<ProductPads> levels_;
  SecretVector<R> pads_; // of the words, one after another
};

// P1's side. `r` is the mask of the entry's operand.
template <RingWord R>
class ClientTile {
public:
  ClientTile(const BitTile &tile, const EntryLayout &layout, ClientMaterial<R> &material)
      : tile_(tile), layout_(layout), material_(material) {}
  // The tile's OTs and stage 1.
  Expected<void> begin(PadSender &ots, PadReceiver *reverse, BitWriter &out);
  // P0's choices of `stage` >= 2, and the answer.
  void choose(int stage, BitReader &in);
  void answer(int stage, BitWriter &out);
  void finish();

private:
  Expected<void> beginTree(CompareClient<R> &m, PadSender &ots, BitWriter &out);
  Expected<void> beginProduct(ProductClient<R> &m, PadSender &ots, BitWriter &out);
  Expected<void> maskTables(CompareClient<R> &m, PadSender &ots, BitWriter &out);
  Expected<void> sendSelection(CompareClient<R> &m, PadSender &ots, PadReceiver &reverse, BitWriter &out);
  Expected<void> sendTruncation(CompareClient<R> &m, PadSender &ots, BitWriter &out);
  std::size_t word() const { return tile_.first / 64; }
  std::size_t words() const { return planeWords(tile_.count); }

  BitTile tile_;
  const EntryLayout &layout_;
  ClientMaterial<R> &material_;
  std::vector<ProductPads> levels_;
};

} // namespace sd
