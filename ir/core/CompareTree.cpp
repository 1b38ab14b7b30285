#include "ir/core/CompareTree.h"

#include <algorithm>
#include <cassert>
#include <map>
#include <numeric>
#include <span>

#include "ir/core/Ring.h"

namespace sd {
namespace {

// Gives each product of masks of one level its node, and makes those it is built from.
class Nodes {
public:
  explicit Nodes(CompareTree::Level &level) : level_(level) {}

  int of(const std::vector<int> &wires) { // ascending
    if (wires.size() == 1) return wires.front();
    if (const auto found = made_.find(wires); found != made_.end()) return found->second;
    const int rest = of({wires.begin(), wires.end() - 1});
    level_.products.push_back({rest, wires.back()});
    return made_[wires] = level_.nodes() - 1;
  }

  CompareTree::Term term(std::vector<int> wires) {
    std::sort(wires.begin(), wires.end());
    CompareTree::Term term{wires, {-1}};
    for (std::size_t subset = 1; subset < std::size_t{1} << wires.size(); ++subset) {
      std::vector<int> picked;
      for (std::size_t k = 0; k < wires.size(); ++k)
        if (subset >> k & 1) picked.push_back(wires[k]);
      term.nodes.push_back(of(picked));
    }
    return term;
  }

private:
  CompareTree::Level &level_;
  std::map<std::vector<int>, int> made_;
};

CompareTree::Group makeGroup(int first, int size, int &wires) {
  CompareTree::Group group{first, size, first > 0, {}, {}, {}, {}};
  for (int k = 0; k < size; ++k) {
    const bool opened = size > 1;
    group.greaterWires.push_back(opened ? wires++ : -1);
    group.equalWires.push_back(opened && (k > 0 || group.equality) ? wires++ : -1);
  }
  return group;
}

// greater = g[top] ^ e[top] g[top-1] ^ e[top] e[top-1] g[top-2] ...; equal = e[top] ... e[0].
void addTerms(CompareTree::Group &group, Nodes &nodes) {
  if (group.passes()) return;
  std::vector<int> equals;
  for (int k = group.size - 1; k >= 0; --k) {
    std::vector<int> wires = equals;
    wires.push_back(group.greaterWires[k]);
    group.greater.push_back(nodes.term(wires));
    equals.push_back(group.equalWires[k]);
  }
  if (group.equality) group.equal.push_back(nodes.term(equals));
}

CompareTree::Level makeLevel(int inputs, int radix) {
  CompareTree::Level level;
  for (int first = 0; first < inputs; first += radix)
    level.groups.push_back(makeGroup(first, std::min(radix, inputs - first), level.wires));
  Nodes nodes(level);
  for (auto &group : level.groups)
    addTerms(group, nodes);
  return level;
}

} // namespace

CompareTree CompareTree::make(int bits, CompareSchedule schedule) {
  assert(bits >= 1 && bits <= kBoundBitsOf<Ring64> && schedule.digit >= 1 && schedule.digit <= 4);
  assert(schedule.radix >= 2 && schedule.radix <= 4);
  CompareTree tree;
  tree.bits = bits;
  for (int at = 0; at < bits; at += schedule.digit)
    tree.digits.push_back({at, std::min(schedule.digit, bits - at), at > 0});
  for (int inputs = static_cast<int>(tree.digits.size()); inputs > 1;) {
    tree.levels.push_back(makeLevel(inputs, schedule.radix));
    inputs = static_cast<int>(tree.levels.back().groups.size());
  }
  return tree;
}

int CompareTree::wires() const {
  return std::accumulate(levels.begin(), levels.end(), 0,
                         [](int sum, const Level &level) { return sum + level.wires; });
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
