#include "ir/core/CompareTree.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstdint>
#include <map>
#include <numeric>
#include <optional>
#include <set>

namespace sd {
namespace {

constexpr int kMostDigitBits = 4, kMostRadix = 4;

// ------------------------------------------------------------------------------------------------ products of masks

using WireSet = std::uint32_t; // bit k: wire k of a merge

int sizeOf(WireSet wires) { return std::popcount(wires); }

// Ways to make the product of `wires` from two others, the larger one of as few factors as possible: the products of
// four masks are then made in two steps, not three.
template <class F>
void forSplits(WireSet wires, F &&f) {
  const int larger = (sizeOf(wires) + 1) / 2;
  for (WireSet part = wires; part > 0; part = (part - 1) & wires)
    if (sizeOf(part) == larger) f(part, wires ^ part);
}

// Which products are factors of others. Each costs a transfer of its own, so as few as a greedy cover finds.
class Factors {
public:
  explicit Factors(const std::set<WireSet> &wanted) {
    for (int size = kMostFactors; size > 2; --size) {
      std::vector<WireSet> sets;
      std::ranges::copy_if(wanted, std::back_inserter(sets), [&](WireSet s) { return sizeOf(s) == size; });
      while (std::erase_if(sets, [&](WireSet s) { return split(s).has_value(); }), !sets.empty())
        used_.merge(bestAddition(sets));
    }
  }
  std::optional<std::pair<WireSet, WireSet>> split(WireSet wires) const {
    std::optional<std::pair<WireSet, WireSet>> found;
    forSplits(wires, [&](WireSet a, WireSet b) {
      if (!found && isFactor(a) && isFactor(b)) found = {a, b};
    });
    return found;
  }

private:
  bool isFactor(WireSet wires) const { return sizeOf(wires) == 1 || used_.contains(wires); }

  // The one or two new factors that serve the most of `sets` each.
  std::set<WireSet> bestAddition(const std::vector<WireSet> &sets) const {
    std::map<std::set<WireSet>, std::size_t> served;
    for (const WireSet wires : sets)
      forSplits(wires, [&](WireSet a, WireSet b) {
        std::set<WireSet> added;
        for (const WireSet part : {a, b})
          if (!isFactor(part)) added.insert(part);
        served[added] += 1;
      });
    return std::ranges::max_element(served, {}, [](const auto &each) { return each.second * 2 / each.first.size(); })
        ->first;
  }

  std::set<WireSet> used_;
};

// ---------------------------------------------------------------------------------------------------------- merges

// Neighbouring inputs that become one, or at the last level all of them, with wires and nodes of its own.
struct Merge {
  struct Wire {
    int input = 0;
    bool equal = false;
  };
  std::vector<Wire> wires;
  std::vector<CompareTree::Product> products;
  std::vector<std::vector<CompareTree::Term>> results; // "greater"; "equal", or at the last level the product with c
  MergeCost cost;
};

class MergeMaker {
public:
  int open(int input, bool equal) {
    merge_.wires.push_back({input, equal});
    return static_cast<int>(merge_.wires.size()) - 1;
  }
  void result(const std::vector<WireSet> &terms) { results_.push_back(terms); }

  Merge finish() {
    std::set<WireSet> wanted;
    for (const auto &terms : results_)
      for (const WireSet term : terms)
        for (WireSet part = term; part > 0; part = (part - 1) & term)
          wanted.insert(part);
    makeProducts(wanted);
    for (const auto &terms : results_) {
      auto &result = merge_.results.emplace_back();
      for (const WireSet term : terms)
        result.push_back(termOf(term));
    }
    return std::move(merge_);
  }

private:
  void makeProducts(const std::set<WireSet> &wanted) {
    const Factors factors(wanted);
    std::set<int> choices;
    const int wires = static_cast<int>(merge_.wires.size());
    for (int k = 0; k < wires; ++k)
      node_[WireSet{1} << k] = k;
    for (int size = 2; size <= kMostFactors; ++size)
      for (const WireSet product : wanted) {
        if (sizeOf(product) != size) continue;
        const auto [a, b] = *factors.split(product);
        merge_.products.push_back({node_.at(a), node_.at(b)});
        choices.insert({node_.at(a), node_.at(b)});
        node_[product] = wires + static_cast<int>(merge_.products.size()) - 1;
        merge_.cost.factors = size;
      }
    merge_.cost.wires = wires;
    merge_.cost.products = static_cast<int>(merge_.products.size());
    merge_.cost.choices = static_cast<int>(choices.size());
    merge_.cost.productChoices = static_cast<int>(std::ranges::count_if(choices, [&](int n) { return n >= wires; }));
  }

  CompareTree::Term termOf(WireSet wires) const {
    CompareTree::Term term{{}, {-1}};
    for (int k = 0; k < static_cast<int>(merge_.wires.size()); ++k)
      if (wires >> k & 1) term.wires.push_back(k);
    for (std::size_t subset = 1; subset < std::size_t{1} << term.wires.size(); ++subset) {
      WireSet picked = 0;
      for (std::size_t k = 0; k < term.wires.size(); ++k)
        if (subset >> k & 1) picked |= WireSet{1} << term.wires[k];
      term.nodes.push_back(node_.at(picked));
    }
    return term;
  }

  Merge merge_;
  std::vector<std::vector<WireSet>> results_;
  std::map<WireSet, int> node_;
};

// The terms of g[top] ^ e[top] g[top - 1] ^ ... for inputs first .. first + size - 1, and e[top] ... e[first], 0 unless
// `equality`.
struct Chain {
  std::vector<WireSet> greater;
  WireSet equal = 0;
};
Chain openChain(MergeMaker &maker, int first, int size, bool equality) {
  std::vector<WireSet> greater, equal;
  for (int k = 0; k < size; ++k) {
    greater.push_back(WireSet{1} << maker.open(first + k, false));
    equal.push_back(k > 0 || equality ? WireSet{1} << maker.open(first + k, true) : 0);
  }
  Chain chain;
  for (int k = size; k-- > 0;) {
    chain.greater.push_back(chain.equal | greater[k]);
    chain.equal |= equal[k];
  }
  return chain;
}

Merge makeGroup(int size, bool equality) {
  MergeMaker maker;
  const Chain chain = openChain(maker, 0, size, equality);
  maker.result(chain.greater);
  if (equality) maker.result({chain.equal});
  return maker.finish();
}

// c is the low part's "greater": the carry into the sign is high ^ equal c, its product with c is high c ^ equal c.
Merge makeMeeting(int low, int high) {
  MergeMaker maker;
  const Chain carry = openChain(maker, 0, low, false), sign = openChain(maker, low, high, true);
  std::vector<WireSet> into = sign.greater, both;
  for (const WireSet c : carry.greater) {
    into.push_back(sign.equal | c);
    both.push_back(sign.equal | c);
    for (const WireSet term : sign.greater)
      both.push_back(term | c);
  }
  maker.result(into);
  maker.result(both);
  return maker.finish();
}

// Every merge that a tree can have. A group of one passes its input on and is not among them.
struct Merges {
  std::array<std::array<Merge, 2>, kMostFactors + 1> group;
  std::array<std::array<Merge, kMostFactors>, kMostFactors> meeting;
  Merges() {
    for (int size = 2; size <= kMostFactors; ++size)
      for (const bool equality : {false, true})
        group[size][equality] = makeGroup(size, equality && size <= kMostRadix);
    for (int low = 1; low < kMostFactors; ++low)
      for (int high = 1; low + high <= kMostFactors; ++high)
        meeting[low][high] = makeMeeting(low, high);
  }
  static const Merges &all() {
    static const Merges merges;
    return merges;
  }
};

// ------------------------------------------------------------------------------------------------------------ levels

int merged(int inputs, int radix) { return (inputs + radix - 1) / radix; }

// Calls f(merge, first input, inputs, equality) for each group of a level, in order; null where one input passes.
template <class F>
void forGroups(int low, int high, const CompareSchedule &schedule, bool last, F &&f) {
  const auto group = [&](int first, int size, bool equality) {
    f(size > 1 ? &Merges::all().group[size][equality] : nullptr, first, size, equality);
  };
  if (last && low > 0 && high > 0) return f(&Merges::all().meeting[low][high], 0, low + high, false);
  if (last) return group(0, low + high, false);
  for (int at = 0; at < low; at += schedule.low.radix)
    group(at, std::min(schedule.low.radix, low - at), at > 0);
  for (int at = 0; at < high; at += schedule.high.radix)
    group(low + at, std::min(schedule.high.radix, high - at), low + at > 0);
}

// Calls f(level, low, high) for each level with the inputs that it has of either part.
template <class F>
void forLevels(const CompareSchedule &schedule, F &&f) {
  int low = schedule.low.digits, high = schedule.high.digits;
  for (int level = 1; level <= schedule.levels; ++level) {
    f(level, low, high);
    low = merged(low, schedule.low.radix);
    high = merged(high, schedule.high.radix);
  }
}

CompareTree::Term shifted(CompareTree::Term term, int firstWire, const auto &node) {
  for (int &wire : term.wires)
    wire += firstWire;
  for (std::size_t s = 1; s < term.nodes.size(); ++s)
    term.nodes[s] = node(term.nodes[s]);
  return term;
}

CompareTree::Level makeLevel(int low, int high, const CompareSchedule &schedule, bool last) {
  CompareTree::Level level;
  int wires = 0, products = 0;
  forGroups(low, high, schedule, last,
            [&](const Merge *merge, int, int, bool) { wires += merge ? merge->cost.wires : 0; });
  int group = 0, firstWire = 0;
  forGroups(low, high, schedule, last, [&](const Merge *merge, int first, int, bool equality) {
    const int plane = 2 * group++;
    if (!merge) {
      level.results.push_back({plane, 2 * first, {}});
      if (equality) level.results.push_back({plane + 1, 2 * first + 1, {}});
      return;
    }
    for (const auto &wire : merge->wires)
      level.wires.push_back(2 * (first + wire.input) + (wire.equal ? 1 : 0));
    const auto node = [&](int n) {
      return n < merge->cost.wires ? firstWire + n : wires + products + n - merge->cost.wires;
    };
    for (const auto &product : merge->products)
      level.products.push_back({node(product.a), node(product.b)});
    for (std::size_t k = 0; k < merge->results.size(); ++k) {
      CompareTree::Result result{plane + static_cast<int>(k), -1, {}};
      for (const auto &term : merge->results[k])
        result.terms.push_back(shifted(term, firstWire, node));
      level.results.push_back(std::move(result));
    }
    firstWire += merge->cost.wires;
    products += merge->cost.products;
  });
  return level;
}

void addDigits(CompareTree &tree, int bits, int digits) {
  for (int i = 0; i < digits; ++i) {
    const int own = bits / digits + (i < bits % digits ? 1 : 0);
    tree.digits.push_back({tree.bits, own, !tree.digits.empty()});
    tree.bits += own;
  }
}

bool cuts(const ComparePart &part, int bits) {
  return part.digits >= merged(bits, kMostDigitBits) && part.digits <= bits && part.radix >= 1 &&
         part.radix <= kMostRadix;
}

} // namespace

MergeCost &MergeCost::operator+=(const MergeCost &other) {
  wires += other.wires;
  products += other.products;
  choices += other.choices;
  productChoices += other.productChoices;
  factors = std::max(factors, other.factors);
  return *this;
}

CompareTree CompareTree::make(int lowBits, int highBits, const CompareSchedule &schedule) {
  assert(makesTree(lowBits, highBits, schedule));
  CompareTree tree;
  addDigits(tree, lowBits, schedule.low.digits);
  addDigits(tree, highBits, schedule.high.digits);
  forLevels(schedule, [&](int level, int low, int high) {
    tree.levels.push_back(makeLevel(low, high, schedule, level == schedule.levels));
  });
  tree.results = lowBits > 0 && highBits > 0 ? 2 : 1;
  return tree;
}

std::vector<MergeCost> mergeCosts(const CompareSchedule &schedule) {
  std::vector<MergeCost> costs;
  forLevels(schedule, [&](int level, int low, int high) {
    MergeCost &cost = costs.emplace_back();
    forGroups(low, high, schedule, level == schedule.levels, [&](const Merge *merge, int, int, bool) {
      if (merge) cost += merge->cost;
    });
  });
  return costs;
}

bool makesTree(int lowBits, int highBits, const CompareSchedule &schedule) {
  if (lowBits + highBits < 1 || !cuts(schedule.low, lowBits) || !cuts(schedule.high, highBits)) return false;
  if (schedule.levels < 0 || schedule.levels > kMaxCompareLevels) return false;
  if (schedule.levels == 0) return schedule.low.digits + schedule.high.digits == 1;
  bool good = true;
  forLevels(schedule, [&](int level, int low, int high) {
    const bool last = level == schedule.levels;
    const bool merges =
        last ? low + high > 1 : merged(low, schedule.low.radix) + merged(high, schedule.high.radix) < low + high;
    good = good && merges && (!last || low + high <= kMostFactors);
  });
  return good;
}

CompareSchedule evenSchedule(int lowBits, int highBits, int width, int radix) {
  CompareSchedule schedule{0, {merged(highBits, width), radix}, {merged(lowBits, width), radix}};
  while (!makesTree(lowBits, highBits, schedule) && schedule.levels < kMaxCompareLevels)
    ++schedule.levels;
  assert(makesTree(lowBits, highBits, schedule) && "numbers of 1 to 62 bits");
  return schedule;
}

CompareSchedule standardSchedule(int lowBits, int highBits) {
  std::optional<CompareSchedule> best;
  std::array<int, 3> least{};
  const auto consider = [&](const CompareSchedule &schedule) {
    if (!makesTree(lowBits, highBits, schedule)) return;
    MergeCost all;
    for (const MergeCost &level : mergeCosts(schedule))
      all += level;
    const std::array cost{(schedule.levels + 1) / 2, all.factors > 4 ? 1 : 0, all.products + 4 * all.wires};
    if (best && cost >= least) return;
    best = schedule;
    least = cost;
  };
  for (int levels = 0; levels <= kMaxCompareLevels; ++levels)
    for (const int width : {3, kMostDigitBits})
      for (const int high : {3, kMostRadix})
        for (const int low : {3, kMostRadix})
          consider({levels, {merged(highBits, width), high}, {merged(lowBits, width), low}});
  assert(best && "numbers of 1 to 62 bits");
  return *best;
}

int CompareTree::wires() const {
  return std::accumulate(levels.begin(), levels.end(), 0,
                         [](int sum, const Level &level) { return sum + level.wireCount(); });
}

int CompareTree::products() const {
  return std::accumulate(levels.begin(), levels.end(), 0,
                         [](int sum, const Level &level) { return sum + static_cast<int>(level.products.size()); });
}

int CompareTree::tablePlanes() const {
  return std::accumulate(digits.begin(), digits.end(), 0,
                         [](int sum, const Digit &digit) { return sum + digit.tablePlanes(); });
}

} // namespace sd
