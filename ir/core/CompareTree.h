// The circuit of a comparison "a > c" of `bits`-bit numbers, as data: docs/protocols.md, comparison, steps 3, 4.
// The cost model counts it, the offline phase prepares its correlations, the protocol runs it.
#pragma once

#include <vector>

namespace sd {

// One point of the family of comparison protocols. Digits of `digit` bits against tables, then `radix` digits a merge.
struct CompareSchedule {
  int digit = 3; // 1 to 4
  int radix = 3; // 2 to 4
  bool operator==(const CompareSchedule &) const = default;
};

struct CompareTree {
  // Bits [firstBit, firstBit + bits) of both numbers, looked up in a table of 2^bits entries. The lowest digit's
  // "equal" is never needed.
  struct Digit {
    int firstBit = 0, bits = 0;
    bool equality = false;
    int tables() const { return equality ? 2 : 1; } // "greater", then "equal"
    int tablePlanes() const { return tables() << bits; }
  };

  // The mask of node `rest` (a wire, or an earlier product) times the mask of wire `last`.
  struct Product {
    int rest = 0, last = 0;
  };

  // A product of opened wires. With value = public ^ mask it expands to products of masks: nodes[S] is the node that
  // holds the masks of the wires in S (bit k for wires[k]); nodes[0] is unused.
  struct Term {
    std::vector<int> wires, nodes;
  };

  // Merges inputs first .. first + size - 1 (least significant first) into one. A group of one passes its input on.
  struct Group {
    int first = 0, size = 0;
    bool equality = false;
    std::vector<int> greaterWires, equalWires; // of each input; -1 where it is not opened
    std::vector<Term> greater, equal;          // the results: exclusive ors of terms
    bool passes() const { return size == 1; }
  };

  // Wires are opened in order. Nodes: wires 0 .. wires - 1, then the products in order.
  struct Level {
    int wires = 0;
    std::vector<Product> products;
    std::vector<Group> groups;
    int nodes() const { return wires + static_cast<int>(products.size()); }
  };

  int bits = 0;
  std::vector<Digit> digits; // least significant first
  std::vector<Level> levels;

  // 1 <= bits <= 62, and a schedule within its limits.
  static CompareTree make(int bits, CompareSchedule schedule);

  int wires() const;
  int products() const;
  int tablePlanes() const;
};

} // namespace sd
