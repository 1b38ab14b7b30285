// Einsum of one or two operands: sums, transposes and one matrix product.
#include <algorithm>

#include "compiler/onnx/Handlers.h"
#include "compiler/onnx/LinearMap.h"

namespace sd {
namespace {

using Labels = std::string; // one letter an axis; those of an ellipsis are digits, counted from the last

struct Equation {
  std::vector<Labels> operands;
  Labels result;
};

Expected<Labels> labelsOf(std::string_view term, std::int64_t rank) {
  Labels labels;
  const auto dots = term.find("...");
  const auto letters = static_cast<std::int64_t>(term.size()) - (dots == term.npos ? 0 : 3);
  const std::int64_t spread = rank - letters;
  if (spread < 0 || (dots == term.npos && spread != 0) || spread > 9)
    return fail("its term '{}' has not the {} axes of its operand", printable(term), rank);
  for (std::size_t i = 0; i < term.size(); ++i) {
    if (i == dots) {
      for (std::int64_t d = spread; d-- > 0;)
        labels += static_cast<char>('0' + d);
      i += 2;
    } else if (std::isalpha(static_cast<unsigned char>(term[i]))) {
      labels += term[i];
    } else {
      return fail("its term '{}' holds '{}'", printable(term), printable(term.substr(i, 1)));
    }
  }
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (labels.find(labels[i], i + 1) != labels.npos)
      return fail("takes a diagonal (its term '{}'), which is not supported", printable(term));
  return labels;
}

Expected<Equation> parse(std::string text, const Node &node) {
  std::erase(text, ' ');
  const auto arrow = text.find("->");
  std::string_view left = std::string_view(text).substr(0, arrow);
  Equation equation;
  for (std::size_t i = 0; i < node.inputCount(); ++i) {
    const auto comma = left.find(',');
    if ((comma == left.npos) != (i + 1 == node.inputCount()))
      return fail("its equation '{}' is not for {} operands", printable(text), node.inputCount());
    SD_ASSIGN(Labels labels, labelsOf(left.substr(0, comma), node.input(i).rank()));
    equation.operands.push_back(std::move(labels));
    if (comma != left.npos) left.remove_prefix(comma + 1);
  }
  std::string all;
  for (const Labels &labels : equation.operands)
    all += labels;
  std::string spread; // the ellipsis' axes
  for (char c = '9'; c >= '0'; --c)
    if (all.find(c) != all.npos) spread += c;
  if (arrow == text.npos) { // what occurs once, in the alphabet's order
    equation.result = spread;
    std::ranges::sort(all);
    for (char c : all)
      if (std::isalpha(static_cast<unsigned char>(c)) && std::ranges::count(all, c) == 1) equation.result += c;
    return equation;
  }
  std::string result = text.substr(arrow + 2);
  if (const auto dots = result.find("..."); dots != result.npos) result.replace(dots, 3, spread);
  for (std::size_t i = 0; i < result.size(); ++i)
    if (all.find(result[i]) == all.npos || result.find(result[i], i + 1) != result.npos)
      return fail("its equation '{}' has a result that its operands do not give", printable(text));
  equation.result = std::move(result);
  return equation;
}

// x with the axes of `wanted` in that order; those that x lacks have size 1, and axes that are not wanted are summed.
Expected<Value> aligned(Emitter &emitter, const Value &x, const Labels &labels, const Labels &wanted) {
  std::vector<std::int64_t> perm;
  Shape shape;
  std::int64_t summed = 1;
  for (char c : wanted)
    if (const auto at = labels.find(c); at != labels.npos) {
      perm.push_back(static_cast<std::int64_t>(at));
      shape.push_back(x.shape()[at]);
    } else {
      shape.push_back(1);
    }
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (wanted.find(labels[i]) == wanted.npos) {
      perm.push_back(static_cast<std::int64_t>(i));
      summed *= x.shape()[i];
    }
  SD_ASSIGN(Value out, emitter.transpose(x, std::move(perm)));
  if (summed > 1) {
    SD_ASSIGN(out, emitter.reshape(out, {x.size() / summed, summed}));
    SD_ASSIGN(out, mapAlong(emitter, out, 1, Tensor<float>({summed, 1}, 1.0f)));
  }
  return emitter.reshape(out, std::move(shape));
}

std::int64_t sizeOf(const Equation &equation, const Node &node, char label) {
  std::int64_t size = 1;
  for (std::size_t i = 0; i < equation.operands.size(); ++i)
    if (const auto at = equation.operands[i].find(label); at != equation.operands[i].npos)
      size = std::max(size, node.input(i).shape()[at]);
  return size;
}

struct Groups {
  Labels batch, rows, columns, inner; // of both and kept; of one and kept; of both and summed
};

Groups groupsOf(const Equation &equation) {
  const Labels &a = equation.operands[0], &b = equation.operands[1];
  Groups groups;
  for (char c : equation.result) {
    const bool inA = a.find(c) != a.npos, inB = b.find(c) != b.npos;
    (inA && inB ? groups.batch : inA ? groups.rows : groups.columns) += c;
  }
  for (char c : a)
    if (b.find(c) != b.npos && equation.result.find(c) == equation.result.npos) groups.inner += c;
  return groups;
}

} // namespace

Expected<void> importEinsum(Node &node, Emitter &emitter) {
  SD_ASSIGN(std::string text, node.text("equation", ""));
  for (std::size_t i = 0; i < node.inputCount(); ++i)
    if (node.input(i).isInteger()) return fail("needs floats but is given {}", describe(node.input(i)));
  SD_ASSIGN(const Equation equation, parse(std::move(text), node));
  Shape shape;
  for (char c : equation.result)
    shape.push_back(sizeOf(equation, node, c));
  if (node.inputCount() == 1) {
    SD_ASSIGN(Value result, aligned(emitter, node.input(0), equation.operands[0], equation.result));
    node.setOutput(0, std::move(result));
    return {};
  }
  const Groups groups = groupsOf(equation);
  std::array<std::int64_t, 4> sizes = {1, 1, 1, 1};
  const std::array<const Labels *, 4> kinds = {&groups.batch, &groups.rows, &groups.columns, &groups.inner};
  Shape batch;
  for (std::size_t g = 0; g < 4; ++g)
    for (char c : *kinds[g]) {
      sizes[g] *= sizeOf(equation, node, c);
      if (g == 0) batch.push_back(sizeOf(equation, node, c));
    }
  const auto factor = [&](std::size_t at, const Labels &order, Shape matrix) -> Expected<Value> {
    SD_ASSIGN(Value out, aligned(emitter, node.input(at), equation.operands[at], order));
    Shape whole;
    for (char c : order)
      whole.push_back(sizeOf(equation, node, c));
    SD_ASSIGN(out, emitter.broadcast(out, whole));
    matrix.insert(matrix.begin(), batch.begin(), batch.end());
    return emitter.reshape(out, std::move(matrix));
  };
  SD_ASSIGN(const Value a, factor(0, groups.batch + groups.rows + groups.inner, {sizes[1], sizes[3]}));
  SD_ASSIGN(const Value b, factor(1, groups.batch + groups.inner + groups.columns, {sizes[3], sizes[2]}));
  SD_ASSIGN(Value result, product(emitter, a, b));
  const Labels order = groups.batch + groups.rows + groups.columns;
  Shape whole;
  std::vector<std::int64_t> perm;
  for (char c : order)
    whole.push_back(sizeOf(equation, node, c));
  for (char c : equation.result)
    perm.push_back(static_cast<std::int64_t>(order.find(c)));
  SD_ASSIGN(result, emitter.reshape(result, std::move(whole)));
  SD_ASSIGN(result, emitter.transpose(result, std::move(perm)));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
