#include "ir/Rows.h"

#include <algorithm>

#include "ir/Fingerprint.h"

namespace sd {

namespace {

// The outputs for rows of the given contents, a number each.
struct Run {
  const Module &module;
  const RowInputs &rows;
  std::vector<std::uint32_t> contents;

  std::map<std::string, Fingerprints> inputs() const {
    std::map<std::string, Fingerprints> filled;
    for (const Op &op : module.ops) {
      if (op.kind != OpKind::Input) continue;
      const std::string &name = op.attrs.str(Attr::Name);
      const auto salt = static_cast<std::uint32_t>(std::hash<std::string>()(name));
      Fingerprints x(module.type(op.result).shape, 0);
      const auto axis = rows.axes.find(name);
      const bool hasRows = axis != rows.axes.end();
      const auto count = static_cast<std::size_t>(hasRows ? rows.count : 1);
      const auto inner = static_cast<std::size_t>(
          hasRows ? elementCount(Shape(x.shape.begin() + axis->second + 1, x.shape.end())) : x.size());
      for (std::size_t i = 0; i < x.data.size(); ++i) {
        const std::size_t row = i / inner % count, place = i / inner / count * inner + i % inner;
        x.data[i] = mixed(mixed(hasRows ? contents[row] : 0, salt), static_cast<std::uint32_t>(place));
      }
      filled.emplace(name, std::move(x));
    }
    return filled;
  }
};

struct Outcome {
  std::int64_t rows;
  std::vector<Fingerprints> outputs;
};

std::optional<Outcome> outcomeOf(const Module &module, const RowInputs &rows, std::vector<std::uint32_t> contents) {
  auto outputs = fingerprints(module, Run{module, rows, std::move(contents)}.inputs());
  if (!outputs) return std::nullopt;
  return Outcome{rows.count, *std::move(outputs)};
}

// Rows that should have equal results.
struct Pair {
  const Outcome &a;
  std::int64_t rowA;
  const Outcome &b;
  std::int64_t rowB;
};

bool equalRows(const Pair &pair, std::size_t output, std::int64_t inner) {
  const auto &a = pair.a.outputs[output].data, &b = pair.b.outputs[output].data;
  const auto each = static_cast<std::int64_t>(a.size()) / pair.a.rows;
  for (std::int64_t o = 0; o < each / inner; ++o) {
    const auto first = a.begin() + (o * pair.a.rows + pair.rowA) * inner;
    if (!std::equal(first, first + inner, b.begin() + (o * pair.b.rows + pair.rowB) * inner)) return false;
  }
  return true;
}

std::optional<RowLayout> layoutOf(std::span<const Pair> pairs) {
  RowLayout layout;
  const Outcome &any = pairs[0].a;
  for (std::size_t output = 0; output < any.outputs.size(); ++output) {
    const std::int64_t size = any.outputs[output].size(), each = size / any.rows;
    for (const Pair &pair : pairs)
      for (const Outcome *outcome : {&pair.a, &pair.b})
        if (outcome->outputs[output].size() != each * outcome->rows) return std::nullopt;
    std::int64_t inner = each;
    const auto fits = [&] {
      return each % inner == 0 &&
             std::ranges::all_of(pairs, [&](const Pair &pair) { return equalRows(pair, output, inner); });
    };
    while (inner > 0 && !fits())
      --inner;
    if (inner == 0) return std::nullopt;
    layout.push_back(inner);
  }
  return layout;
}

std::vector<std::uint32_t> numbered(std::int64_t count, std::uint32_t from) {
  std::vector<std::uint32_t> contents;
  for (std::int64_t i = 0; i < count; ++i)
    contents.push_back(from + static_cast<std::uint32_t>(i));
  return contents;
}

} // namespace

// Row 0 among `first` and row 1 among `second` have nothing else in common, so where their results are equal they
// depend on their own row alone. Turned by one, the other rows' results must follow, each from the one before.
std::optional<RowLayout> separateRows(const Module &module, const RowInputs &rows) {
  if (rows.count < 2) return RowLayout();
  std::vector<std::uint32_t> contents = numbered(rows.count, 1);
  const auto first = outcomeOf(module, rows, contents);
  std::vector<std::uint32_t> others = numbered(rows.count, 1u << 24);
  others[1] = contents[0];
  const auto second = outcomeOf(module, rows, std::move(others));
  std::ranges::rotate(contents, contents.end() - 1);
  const auto turned = outcomeOf(module, rows, std::move(contents));
  if (!first || !second || !turned) return std::nullopt;
  std::vector<Pair> pairs{{*first, 0, *second, 1}};
  for (std::int64_t i = 0; i < rows.count; ++i)
    pairs.push_back({*first, i, *turned, (i + 1) % rows.count});
  return layoutOf(pairs);
}

// As above: row 0 of the smaller and row 1 of the larger, then from place to place.
std::optional<RowLayout> separateRows(const Module &smaller, const RowInputs &smallerRows, const Module &larger,
                                      const RowInputs &largerRows) {
  assert(smallerRows.count == 2 && largerRows.count == 3);
  const auto two = outcomeOf(smaller, smallerRows, {1, 2}), three = outcomeOf(larger, largerRows, {3, 1, 4}),
             again = outcomeOf(larger, largerRows, {2, 3, 1});
  if (!two || !three || !again) return std::nullopt;
  const Pair pairs[] = {{*two, 0, *three, 1}, {*two, 0, *again, 2}, {*three, 0, *again, 1}, {*two, 1, *again, 0}};
  return layoutOf(pairs);
}

std::string mixesRows(const Module &module, const RowInputs &rows) {
  std::vector<Fingerprints> before;
  const std::vector<std::uint32_t> contents = numbered(rows.count, 1);
  fingerprints(module, Run{module, rows, contents}.inputs(),
               [&](const Op &, const Fingerprints &x) { before.push_back(x); });
  std::vector<std::uint32_t> changed = contents;
  changed[0] = 1u << 24;
  std::string found;
  std::size_t at = 0;
  fingerprints(module, Run{module, rows, changed}.inputs(), [&](const Op &op, const Fingerprints &x) {
    const Fingerprints &old = before[at++];
    std::int64_t count = 0;
    for (std::size_t i = 0; i < x.data.size(); ++i)
      count += x.data[i] != old.data[i];
    if (found.empty() && count * rows.count > x.size()) found = op.source;
  });
  return found;
}

RowInputs likelyRows(const Module &module) {
  RowInputs rows;
  for (const Op &op : module.ops) {
    if (op.kind != OpKind::Input) continue;
    const Shape &shape = module.type(op.result).shape;
    const std::int64_t count = shape.empty() ? 1 : shape[0];
    if (rows.axes.empty()) rows.count = count;
    if (count == rows.count && !shape.empty()) rows.axes.emplace(op.attrs.str(Attr::Name), 0);
  }
  return rows;
}

} // namespace sd
