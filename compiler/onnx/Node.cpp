#include "compiler/onnx/Node.h"

#include <algorithm>

#include <onnx/onnx_pb.h>

#include "compiler/onnx/Tensors.h"

namespace sd {

using onnx::AttributeProto;

const std::string &Node::op() const { return proto_.op_type(); }

const Value &Node::input(std::size_t i) const {
  static const Value none;
  return i < inputCount() ? context_.inputs[i] : none;
}

Expected<void> Node::expectConstant(std::size_t i, std::string_view what) const {
  if (input(i).isConstant()) return {};
  return fail("its {} must be known when the model is compiled, but {}; make it an initializer or a Constant", what,
              has(i) ? "depends on an input" : "is missing");
}

Expected<std::vector<std::int64_t>> Node::constantInts(std::size_t i, std::string_view what) const {
  SD_TRY(expectConstant(i, what));
  if (!input(i).isInteger()) return fail("its {} must be integers, not {}", what, describe(input(i)));
  if (input(i).rank() > 1) return fail("its {} must be a list, not of shape {}", what, toString(input(i).shape()));
  return input(i).ints()->data;
}

Expected<double> Node::constantScalar(std::size_t i, std::string_view what) const {
  SD_TRY(expectConstant(i, what));
  const Value &x = input(i);
  if (x.size() != 1) return fail("its {} must be a single number, not of shape {}", what, toString(x.shape()));
  return x.isInteger() ? static_cast<double>(x.ints()->data[0]) : static_cast<double>(x.floats()->data[0]);
}

bool Node::hasAttr(std::string_view name) const {
  return std::ranges::any_of(proto_.attribute(), [&](const AttributeProto &a) { return a.name() == name; });
}

Expected<const AttributeProto *> Node::find(std::string_view name, int type, std::string_view typeName) {
  read_.emplace(name);
  const AttributeProto *found = nullptr;
  for (const AttributeProto &attribute : proto_.attribute()) {
    if (attribute.name() != name) continue;
    if (found) return fail("the attribute '{}' occurs twice", name);
    if (!attribute.ref_attr_name().empty()) return fail("the attribute '{}' refers to a function's attribute", name);
    if (attribute.type() != type) return fail("the attribute '{}' must be {}", name, typeName);
    found = &attribute;
  }
  return found;
}

Expected<std::int64_t> Node::integer(std::string_view name, std::int64_t otherwise) {
  SD_ASSIGN(const AttributeProto *attribute, find(name, AttributeProto::INT, "an integer"));
  return attribute ? attribute->i() : otherwise;
}

Expected<std::vector<std::int64_t>> Node::integers(std::string_view name) {
  SD_ASSIGN(const AttributeProto *attribute, find(name, AttributeProto::INTS, "integers"));
  if (!attribute) return std::vector<std::int64_t>{};
  return std::vector<std::int64_t>(attribute->ints().begin(), attribute->ints().end());
}

Expected<double> Node::real(std::string_view name, double otherwise) {
  SD_ASSIGN(const AttributeProto *attribute, find(name, AttributeProto::FLOAT, "a float"));
  return attribute ? static_cast<double>(attribute->f()) : otherwise;
}

Expected<std::vector<double>> Node::reals(std::string_view name) {
  SD_ASSIGN(const AttributeProto *attribute, find(name, AttributeProto::FLOATS, "floats"));
  if (!attribute) return std::vector<double>{};
  return std::vector<double>(attribute->floats().begin(), attribute->floats().end());
}

Expected<std::string> Node::text(std::string_view name, std::string otherwise) {
  SD_ASSIGN(const AttributeProto *attribute, find(name, AttributeProto::STRING, "a string"));
  return attribute ? attribute->s() : std::move(otherwise);
}

Expected<std::vector<std::string>> Node::texts(std::string_view name) {
  SD_ASSIGN(const AttributeProto *attribute, find(name, AttributeProto::STRINGS, "strings"));
  if (!attribute) return std::vector<std::string>{};
  return std::vector<std::string>(attribute->strings().begin(), attribute->strings().end());
}

Expected<Value> Node::tensor(std::string_view name) {
  SD_ASSIGN(const AttributeProto *attribute, find(name, AttributeProto::TENSOR, "a tensor"));
  if (!attribute) return Value();
  return readTensor(attribute->t(), context_.external);
}

Expected<std::vector<double>> Node::numbers(std::string_view name) {
  SD_ASSIGN(const AttributeProto *attribute, find(name, AttributeProto::TENSOR, "a tensor"));
  if (!attribute) return std::vector<double>{};
  return readNumbers(attribute->t(), context_.external);
}

Expected<void> Node::expectAllRead() const {
  for (const AttributeProto &attribute : proto_.attribute())
    if (!read_.contains(attribute.name()))
      return fail("the attribute '{}' is not known for {} at opset {}", printable(attribute.name()), op(), opset());
  return {};
}

void Node::setOutput(std::size_t i, Value value) {
  if (outputs_.size() <= i) outputs_.resize(i + 1);
  outputs_[i] = std::move(value);
}

Expected<std::int64_t> normalizedAxis(std::int64_t axis, std::int64_t rank) {
  if (axis < -rank || axis >= rank) return fail("there is no axis {} among {} axes", axis, rank);
  return axis < 0 ? axis + rank : axis;
}

Expected<std::vector<std::int64_t>> normalizedAxes(std::vector<std::int64_t> axes, std::int64_t rank) {
  for (std::int64_t &axis : axes) {
    SD_ASSIGN(axis, normalizedAxis(axis, rank));
  }
  std::ranges::sort(axes);
  if (std::ranges::adjacent_find(axes) != axes.end()) return fail("the axes [{}] repeat", fmt::join(axes, ", "));
  return axes;
}

} // namespace sd
