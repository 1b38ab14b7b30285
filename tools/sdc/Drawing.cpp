#include "tools/sdc/Drawing.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "tools/sdc/Html.h"

namespace sd::tool {

namespace {

constexpr std::size_t kMostBoxes = 100, kMostInRow = 6, kMostRows = 40;
constexpr int kWidth = 180, kHeight = 46, kGapX = 16, kGapY = 26, kMargin = 30;

struct Box {
  std::string title, detail;
  std::size_t row = 0, column = 0;
  double part = 0; // of the online bytes
};

struct Drawing {
  std::vector<Box> boxes;
  std::set<std::pair<std::size_t, std::size_t>> edges; // from, to
  std::vector<std::size_t> rows;                       // boxes in each
};

bool isDrawn(const Op &op) { return op.kind != OpKind::Constant && op.kind != OpKind::Return; }

// The length of the longest path from an input to each op.
std::vector<std::size_t> depthsOf(const Module &module, const std::vector<std::size_t> &definitions) {
  std::vector<std::size_t> depths(module.ops.size());
  for (std::size_t i = 0; i < module.ops.size(); ++i)
    for (const ValueId operand : module.ops[i].operands)
      if (const std::size_t from = definitions[operand]; isDrawn(module.ops[from]))
        depths[i] = std::max(depths[i], depths[from] + 1);
  return depths;
}

// "12 ops: 4 conv2d, 4 relu, ..."
std::string contentOf(const std::map<std::string, std::size_t> &kinds) {
  std::vector<std::pair<std::size_t, std::string>> sorted;
  for (const auto &[name, count] : kinds)
    sorted.emplace_back(count, name);
  std::ranges::stable_sort(sorted, std::greater(), &std::pair<std::size_t, std::string>::first);
  std::string text;
  for (std::size_t i = 0; i < sorted.size() && i < 2; ++i)
    text += fmt::format("{}{} {}", i ? ", " : "", sorted[i].first, sorted[i].second);
  return sorted.size() > 2 ? text + ", ..." : text;
}

std::string kindOf(const Op &op) {
  const std::string_view name = info(op.kind).mnemonic;
  return std::string(name.substr(name.find('.') + 1));
}

std::string titleOf(const Op &op) {
  if (op.kind == OpKind::Input) return op.attrs.str(Attr::Name);
  return op.source;
}

Drawing arrange(const Module &module, const std::vector<Layer> &layers, std::uint64_t onlineBytes) {
  const std::vector<std::size_t> definitions = definitionsOf(module), depths = depthsOf(module, definitions);
  std::map<std::string, double> parts;
  for (const Layer &layer : layers)
    if (layer.onlineBytes > 0)
      parts[layer.name] = static_cast<double>(layer.onlineBytes) / static_cast<double>(onlineBytes);
  std::vector<std::size_t> inRow;
  std::size_t count = 0;
  for (std::size_t i = 0; i < module.ops.size(); ++i)
    if (isDrawn(module.ops[i])) {
      inRow.resize(std::max(inRow.size(), depths[i] + 1));
      ++inRow[depths[i]];
      ++count;
    }
  const bool fold = count > kMostBoxes || std::ranges::any_of(inRow, [](std::size_t n) { return n > kMostInRow; });
  const std::size_t step = fold ? (inRow.size() + kMostRows - 1) / kMostRows : 1; // depths in a box
  Drawing drawing;
  drawing.rows.resize((inRow.size() + step - 1) / step);
  if (fold) drawing.boxes.resize(drawing.rows.size());
  std::vector<std::map<std::string, std::size_t>> kinds(drawing.boxes.size());
  std::vector<std::size_t> boxOf(module.ops.size());
  std::set<std::string> painted; // a source that has become several ops is counted once
  for (std::size_t i = 0; i < module.ops.size(); ++i) {
    const Op &op = module.ops[i];
    if (!isDrawn(op)) continue;
    const std::size_t row = depths[i] / step;
    boxOf[i] = fold ? row : drawing.boxes.size();
    if (!fold) drawing.boxes.push_back({titleOf(op), kindOf(op), row, drawing.rows[row], 0});
    if (fold) ++kinds[row][kindOf(op)];
    ++drawing.rows[row];
    if (const auto part = parts.find(op.source); part != parts.end() && painted.insert(op.source).second)
      drawing.boxes[boxOf[i]].part += part->second;
    for (const ValueId operand : op.operands)
      if (const std::size_t from = definitions[operand]; isDrawn(module.ops[from]) && boxOf[from] != boxOf[i])
        drawing.edges.emplace(boxOf[from], boxOf[i]);
  }
  if (fold)
    for (std::size_t row = 0; row < drawing.boxes.size(); ++row) {
      const std::size_t ops = std::exchange(drawing.rows[row], 1);
      drawing.boxes[row] = {fmt::format("{} op{}", ops, ops == 1 ? "" : "s"), contentOf(kinds[row]), row, 0,
                            drawing.boxes[row].part};
    }
  return drawing;
}

} // namespace

std::string drawingOf(const Module &imported, const std::vector<Layer> &layers, std::uint64_t onlineBytes) {
  const Drawing drawing = arrange(imported, layers, onlineBytes);
  if (drawing.boxes.empty()) return "<p>No ops.</p>\n";
  const int most = static_cast<int>(*std::ranges::max_element(drawing.rows));
  const int width = most * (kWidth + kGapX) + 2 * kMargin;
  const int height = static_cast<int>(drawing.rows.size()) * (kHeight + kGapY) + kGapY;
  const auto left = [&](const Box &box) { // of its box; rows are centred
    const int row = static_cast<int>(drawing.rows[box.row]) * (kWidth + kGapX) - kGapX;
    return (width - row) / 2 + static_cast<int>(box.column) * (kWidth + kGapX);
  };
  const auto top = [](const Box &box) { return static_cast<int>(box.row) * (kHeight + kGapY) + kGapY / 2; };
  std::string svg = fmt::format("<svg class=\"graph\" role=\"img\" aria-label=\"The network\" width=\"{}\" "
                                "height=\"{}\" viewBox=\"0 0 {} {}\">\n",
                                width, height, width, height);
  for (const auto &[from, to] : drawing.edges) {
    const Box &a = drawing.boxes[from], &b = drawing.boxes[to];
    if (b.row == a.row + 1) {
      svg += fmt::format("<path class=\"edge\" d=\"M{} {}L{} {}\"/>\n", left(a) + kWidth / 2, top(a) + kHeight,
                         left(b) + kWidth / 2, top(b));
    } else { // beside the rows between them
      int side = 0;
      for (const Box &box : drawing.boxes)
        if (box.row >= a.row && box.row <= b.row) side = std::max(side, left(box) + kWidth);
      side = std::min(side + kMargin, width - 4);
      svg +=
          fmt::format("<path class=\"edge\" d=\"M{0} {1}C{2} {1} {2} {1} {2} {3}L{2} {4}C{2} {5} {2} {5} {6} {5}\"/>\n",
                      left(a) + kWidth, top(a) + kHeight / 2, side, top(a) + kHeight, top(b), top(b) + kHeight / 2,
                      left(b) + kWidth);
    }
  }
  for (const Box &box : drawing.boxes) {
    const int x = left(box), y = top(box);
    const std::string percent = box.part >= 0.005 ? fmt::format(", {:.0f} % online", 100 * box.part) : "";
    svg += fmt::format("<g><title>{} ({}{})</title><rect class=\"box\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" "
                       "rx=\"6\"/>",
                       escapedHtml(box.title), escapedHtml(box.detail), percent, x, y, kWidth, kHeight);
    if (box.part > 0)
      svg += fmt::format("<rect class=\"heat\" opacity=\"{:.2f}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" "
                         "rx=\"6\"/>",
                         0.05 + 0.45 * std::min(box.part, 1.0), x, y, kWidth, kHeight);
    svg +=
        fmt::format("<text x=\"{0}\" y=\"{1}\">{2}</text><text class=\"small\" x=\"{0}\" y=\"{3}\">{4}{5}</text>"
                    "</g>\n",
                    x + kWidth / 2, y + 20, escapedHtml(box.title, 24), y + 36, escapedHtml(box.detail, 26), percent);
  }
  return svg + "</svg>\n";
}

std::string histogramOf(const std::vector<double> &values, const std::string &unit) {
  constexpr std::size_t kSteps = 20;
  constexpr int kBar = 30, kTall = 160, kFoot = 24, kHeadroom = 18;
  double most = 0;
  for (const double value : values)
    if (std::isfinite(value)) most = std::max(most, value);
  if (most <= 0) return fmt::format("<p>No error on any of {} {}.</p>\n", values.size(), unit);
  std::vector<std::size_t> counts(kSteps);
  for (const double value : values)
    ++counts[std::isfinite(value) ? std::min(static_cast<std::size_t>(value / most * kSteps), kSteps - 1) : kSteps - 1];
  const auto tallest = static_cast<double>(*std::ranges::max_element(counts));
  constexpr int kWide = kBar * static_cast<int>(kSteps) + 60;
  std::string svg = fmt::format(
      "<svg class=\"histogram\" role=\"img\" aria-label=\"Errors\" width=\"{0}\" height=\"{1}\" viewBox=\"0 "
      "0 {0} {1}\">\n",
      kWide, kTall + kFoot + kHeadroom);
  for (std::size_t i = 0; i < kSteps; ++i) {
    if (counts[i] == 0) continue;
    const int x = 30 + static_cast<int>(i) * kBar;
    const int tall = std::max(1, static_cast<int>(kTall * static_cast<double>(counts[i]) / tallest));
    svg += fmt::format("<rect class=\"fill\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/><text class=\"small\" "
                       "x=\"{}\" y=\"{}\">{}</text>\n",
                       x + 1, kHeadroom + kTall - tall, kBar - 2, tall, x + kBar / 2, kHeadroom + kTall - tall - 4,
                       counts[i]);
  }
  for (const double part : {0.0, 0.5, 1.0})
    svg += fmt::format("<text x=\"{}\" y=\"{}\">{:.3g}</text>\n", 30 + static_cast<int>(part * kBar * kSteps),
                       kHeadroom + kTall + 18, part * most);
  return svg + "</svg>\n";
}

} // namespace sd::tool
