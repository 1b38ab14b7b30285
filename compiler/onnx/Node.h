// One ONNX node as its handler sees it: inputs as values, typed attributes, outputs to be set.
#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "compiler/onnx/Value.h"

namespace onnx {
class NodeProto;
class AttributeProto;
} // namespace onnx

namespace sd {

class ExternalData;

class Node {
public:
  struct Context {
    int opset;
    const ExternalData &external;
    std::vector<Value> inputs;     // Value() for those left out
    std::vector<bool> usedOutputs; // some node or the graph's outputs want it
    std::size_t namedOutputs = 0;  // up to the last that has a name
  };
  Node(const onnx::NodeProto &proto, Context context) : proto_(proto), context_(std::move(context)) {}

  const std::string &op() const;
  int opset() const { return context_.opset; }

  std::size_t inputCount() const { return context_.inputs.size(); } // trailing ones left out do not count
  bool has(std::size_t i) const { return i < inputCount() && !context_.inputs[i].isNone(); }
  const Value &input(std::size_t i) const; // Value() if left out
  // Elements of a constant input; `what` names it in the error otherwise.
  Expected<std::vector<std::int64_t>> constantInts(std::size_t i, std::string_view what) const;
  Expected<double> constantScalar(std::size_t i, std::string_view what) const; // of a float or integer
  Expected<void> expectConstant(std::size_t i, std::string_view what) const;

  // Attributes: absent ones give `otherwise`; one of another type is an error. Reading one marks it as understood.
  bool hasAttr(std::string_view name) const;
  Expected<std::int64_t> integer(std::string_view name, std::int64_t otherwise);
  Expected<std::vector<std::int64_t>> integers(std::string_view name); // empty if absent
  Expected<double> real(std::string_view name, double otherwise);
  Expected<std::vector<double>> reals(std::string_view name); // empty if absent
  Expected<std::string> text(std::string_view name, std::string otherwise);
  Expected<std::vector<std::string>> texts(std::string_view name); // empty if absent
  Expected<Value> tensor(std::string_view name);                   // Value() if absent
  // Elements of a tensor of floats, doubles or integers; empty if absent.
  Expected<std::vector<double>> numbers(std::string_view name);
  void ignore(std::string_view name) { read_.emplace(name); }
  // An attribute that no handler looked at might change the node's meaning.
  Expected<void> expectAllRead() const;

  // Where the program gives something else than the model says.
  void remark(std::string text) { remarks_.push_back(std::move(text)); }
  std::span<const std::string> remarks() const { return remarks_; }

  // A size of the batch that the node asks for by a constant shape.
  void hintBatch(std::int64_t size) { batchHints_.push_back(size); }
  std::span<const std::int64_t> batchHints() const { return batchHints_; }

  std::size_t outputCount() const { return context_.usedOutputs.size(); }
  std::size_t namedOutputs() const { return context_.namedOutputs; } // whether or not they are used
  bool isUsed(std::size_t i) const { return i < outputCount() && context_.usedOutputs[i]; }
  void setOutput(std::size_t i, Value value);
  std::span<const Value> outputs() const { return outputs_; }

private:
  Expected<const onnx::AttributeProto *> find(std::string_view name, int type, std::string_view typeName);

  const onnx::NodeProto &proto_;
  Context context_;
  std::set<std::string, std::less<>> read_;
  std::vector<Value> outputs_;
  std::vector<std::string> remarks_;
  std::vector<std::int64_t> batchHints_;
};

// A negative axis counts from the end; error unless -rank <= axis < rank.
Expected<std::int64_t> normalizedAxis(std::int64_t axis, std::int64_t rank);
// The same for several, which must differ; sorted.
Expected<std::vector<std::int64_t>> normalizedAxes(std::vector<std::int64_t> axes, std::int64_t rank);

} // namespace sd
