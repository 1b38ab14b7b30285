// What passes share: walk the old module, build the new one.
#pragma once

#include <optional>

#include "ir/Module.h"
#include "ir/core/Ring.h"

namespace sd {

// "Conv_0 (nn.conv)", or "nn.conv" for an op without a source.
std::string describe(const Op &op);

// max(x, 0) everywhere.
inline bool isPlainRelu(const Op &op) { return op.kind == OpKind::Relu && op.operands.size() == 1; }

// Collects what is wrong with several ops, to report them all in one run.
class Complaints {
public:
  template <class... Args>
  void add(const Op &op, fmt::format_string<Args...> format, Args &&...args) {
    append(fmt::format("{}: {}", describe(op), fmt::format(format, std::forward<Args>(args)...)));
  }
  void append(std::string message);
  bool empty() const { return text_.empty(); }
  tl::unexpected<Error> error() const { return tl::unexpected<Error>(Error{text_}); } // one line each

private:
  std::string text_;
};

// Read access to a module with its uses and definitions.
class Graph {
public:
  explicit Graph(const Module &m) : module(m), users(usersOf(m)), definitions(definitionsOf(m)) {}

  const Op &definition(ValueId value) const { return module.ops[definitions[value]]; }
  bool isA(ValueId value, OpKind kind) const { return definition(value).kind == kind; }
  const Tensor<float> *constant(ValueId value) const; // the value of an nn.constant, or null
  bool hasOneUser(ValueId value) const { return users[value].size() == 1; }

  const Module &module;
  std::vector<std::vector<std::size_t>> users;
  std::vector<std::size_t> definitions;
};

// Builds a new module from an old one; values of the old one are mapped as they are defined.
class Rewriter {
public:
  explicit Rewriter(const Module &old) : builder(old.name, old.ringBits), old_(old), map_(old.types.size(), kNoValue) {}

  ValueId operator[](ValueId oldValue) const {
    assert(map_[oldValue] != kNoValue);
    return map_[oldValue];
  }
  void map(ValueId oldValue, ValueId newValue) { map_[oldValue] = newValue; }

  // The new op that defines a new value; not to be held while ops are appended.
  const Op &made(ValueId newValue);

  // Appends the op as it is, with mapped operands (or with `attrs` instead of its own).
  ValueId clone(const Op &op) { return clone(op, op.attrs); }
  ValueId clone(const Op &op, Attrs attrs);

  // Appends an op in place of `op`: its source, and its result mapped to the new one.
  ValueId replace(const Op &op, OpKind kind, std::vector<ValueId> operands, Attrs attrs = {});

  // The new module without the ops that nothing uses any more.
  Module finish();

  Builder builder;

private:
  const Module &old_;
  std::vector<ValueId> map_;
  std::vector<std::size_t> made_; // by new value: the op that defines it, of the first `seen_` ops
  std::size_t seen_ = 0;
};

// Drops ops whose results nothing uses; inputs and nn.return stay.
Module withoutDeadOps(Module module);

// The element of `tensor` that broadcasts to position `index` of `shape`, for every position: a copy in that shape.
Tensor<float> broadcastTo(const Tensor<float> &tensor, const Shape &shape);

// If `tensor` broadcast against `shape` varies along `axis` alone (or not at all): its values along it.
std::optional<std::vector<float>> valuesAlong(const Tensor<float> &tensor, const Shape &shape, std::size_t axis);

} // namespace sd
