// What the two-party offline phase sends for all that a plan has made of OTs, the bit correlations first of all, and in
// which order (docs/protocols.md, offline phase). Public sizes only: both parties derive the same, and so does the
// declared cost.
//
// A window is as many entries as fit in memory (whole networks but the largest). Its messages are
//
//     P0 (OT receiver)                           P1 (OT sender)
//        <-- stage 1: tables, products of two masks, words --
//        -- stage 2's choices: shares of products, masked -->
//        <-- stage 2: products of three or four masks --
//        ... stage 3 only for products of five
//
// each split into batches so that neither side waits for a whole window. So the round trips don't grow with the
// network.
#pragma once

#include "runtime/offline/Plan.h"
#include "runtime/ot/CotPlan.h"

namespace sd {

// The OTs behind the products of masks of one tree level. A node that is a factor is the choice of one OT, with one bit
// of payload for each product it is a factor of: a b = a0 b0 + a1 b1 + (a0 b1 under a0) + (b0 a1 under b0).
struct ProductLayout {
  struct Step {
    int a = 0, b = 0, result = 0; // nodes
    int aPlane = 0, bPlane = 0;   // of the payload, over all choices of the level
    int stage = 1;                // 1: both factors are wires
  };
  struct Choice {
    int node = 0, firstPlane = 0, width = 0;
    int stage = 1; // of the steps that need its derandomised choice; a wire's choice is the OT's own: 1
  };
  std::vector<Step> steps;     // by stage, then in the order of the tree
  std::vector<Choice> choices; // by node
  int wires = 0, nodes = 0, planes = 0, stages = 0;

  static ProductLayout make(const CompareTree::Level &level);
};

struct EntryLayout {
  CompareShape shape; // of an entry that compares()
  CompareTree tree;
  std::vector<ProductLayout> levels;
  int stages = 1;
  // Message k of the chart, bits an element: even k from P1.
  std::vector<std::uint64_t> messageBits;

  static EntryLayout make(const PlanEntry &entry, int ringBits);
};

// Elements [first, first + count) of an entry; `first` is a multiple of 64.
struct BitTile {
  std::size_t entry = 0;
  std::uint64_t first = 0, count = 0;
};

struct BitBatch {
  std::vector<BitTile> tiles;
  std::vector<std::uint64_t> messageBytes; // 0: not sent
};

struct BitWindow {
  std::vector<std::size_t> entries; // with bit correlations, in the plan's order
  std::vector<BitBatch> batches;
  int messages = 0;
};

struct TwoPartyLayout {
  std::vector<EntryLayout> entries; // one for each of the plan
  std::vector<BitWindow> windows;
  std::uint64_t ots = 0, reverseOts = 0; // with those of linear entries
  std::vector<TransferCost> transfers;   // linear entries by OT, in the plan's order

  static TwoPartyLayout make(const Plan &plan);
};

// Frame headers included.
struct TwoPartyCost {
  std::uint64_t bytesFromP0 = 0, bytesFromP1 = 0, messagesFromP0 = 0, messagesFromP1 = 0;
  TwoPartyCost &operator+=(const TwoPartyCost &other);
  std::uint64_t bytes() const { return bytesFromP0 + bytesFromP1; }
  bool operator==(const TwoPartyCost &) const = default;
};

// All that one inference has made of OTs, in the session's state. `fresh()` before the first one.
struct TwoPartyState {
  bool forward = false, reverse = false; // directions set up
  CotState forwardOts, reverseOts;
};

TwoPartyCost costOf(const TwoPartyLayout &layout, const TwoPartyState &state);

} // namespace sd
