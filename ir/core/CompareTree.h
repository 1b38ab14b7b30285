// The circuit of a comparison as data: docs/protocols.md, truncation and comparison, steps 2 to 5. The cost model
// counts it, the offline phase prepares its correlations, the protocol runs it.
//
// P0's number Y' and the complement of P1's r are compared in two parts: the low bits, whose "greater" is the carry c
// of a truncation, and the high bits, whose "greater or equal with c" is the carry into the sign.
#pragma once

#include <vector>

namespace sd {

// One part of the numbers: cut into `digits` digits as even as possible, wider ones first (lowest), each looked up in
// a table; `radix` neighbours merge at each level before the last.
struct ComparePart {
  int digits = 0; // at most 4 bits each; 0: the part is empty
  int radix = 3;  // 1 to 4; 1: they meet at the last level only
  bool operator==(const ComparePart &) const = default;
};

// One point of the family of comparison protocols. At the last level all that is left of both parts meets.
struct CompareSchedule {
  int levels = 2; // of openings between the tables and the result: round trips are levels / 2 + 1
  ComparePart high, low;
  bool operator==(const CompareSchedule &) const = default;
};

inline constexpr int kMaxCompareLevels = 6;
inline constexpr int kMostFactors = 5; // masks in one product

struct CompareTree {
  // Bits [firstBit, firstBit + bits) of both numbers, looked up in a table of 2^bits entries.
  struct Digit {
    int firstBit = 0, bits = 0;
    bool equality = false;
    int tables() const { return equality ? 2 : 1; } // "greater", then "equal"
    int tablePlanes() const { return tables() << bits; }
    int payloadPlanes() const { return bits * tables() << (bits - 1); } // of the transfers behind them
  };

  // The masks of two nodes (a wire, or an earlier product), multiplied.
  struct Product {
    int a = 0, b = 0;
  };

  // A product of opened wires. With value = public ^ mask it expands to products of masks: nodes[S] is the node that
  // holds the masks of the wires in S (bit k for wires[k]); nodes[0] is unused.
  struct Term {
    std::vector<int> wires, nodes;
  };

  // Values are numbered as planes: "greater" of input i in 2i, "equal" in 2i + 1, inputs least significant first. A
  // level's results take the places of its inputs; the last level's are plane 0 and, with both parts, plane 1.
  struct Result {
    int plane = 0;
    int from = -1;           // passes this plane on unopened
    std::vector<Term> terms; // else: their exclusive or
  };

  // Wires are opened in order. Nodes: wires 0 .. wires - 1, then the products in order.
  struct Level {
    std::vector<int> wires; // the planes that are opened
    std::vector<Product> products;
    std::vector<Result> results;
    int wireCount() const { return static_cast<int>(wires.size()); }
    int nodes() const { return wireCount() + static_cast<int>(products.size()); }
  };

  int bits = 0;
  std::vector<Digit> digits; // least significant first: the low part's, then the high part's
  std::vector<Level> levels;
  int results = 1; // 2 with both parts: the carry into the sign, and its product with c

  // Of the low `lowBits` and the `highBits` above them; one of them may be 0, and its part is then empty. The schedule
  // is one that check() below accepts.
  static CompareTree make(int lowBits, int highBits, const CompareSchedule &schedule);

  int wires() const;
  int products() const;
  int tablePlanes() const;
};

// What the cost of a merge, or of a level's merges, is made of. `choices`: nodes that are factors of products.
struct MergeCost {
  int wires = 0, products = 0, choices = 0;
  int productChoices = 0; // those that are products themselves
  int factors = 1;        // of the largest product
  MergeCost &operator+=(const MergeCost &other);
};

// The same as CompareTree::make(...) has, level by level, without making it.
std::vector<MergeCost> mergeCosts(const CompareSchedule &schedule);

// Whether the schedule makes a tree of so many bits: parts and digits of the right number, every level merges
// something, and at most kMostFactors - 1 digits meet at the last.
bool makesTree(int lowBits, int highBits, const CompareSchedule &schedule);

// Digits of at most `width` bits, 1 to 4, `radix` of them merged at a time, 2 to 4, in as few levels as that takes.
CompareSchedule evenSchedule(int lowBits, int highBits, int width, int radix);

// Where no network decides: of digits of three or four bits the fewest round trips, then few wires and products.
CompareSchedule standardSchedule(int lowBits, int highBits);

} // namespace sd
