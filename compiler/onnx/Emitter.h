// Builds the nn-level module, folding whatever is constant: handlers use one vocabulary for shape arithmetic on the
// host and for tensors of the program.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "compiler/onnx/Fold.h"
#include "compiler/onnx/Value.h"

namespace sd {

// No op selects more positions along an axis: each takes memory, however small the model's file.
inline constexpr std::int64_t kMaxSelected = std::int64_t{1} << 24;

struct InputSpec {
  std::string name;
  Shape shape;
  bool isInteger = false;
  std::optional<std::pair<double, double>> range;
};

class Emitter {
public:
  Emitter(std::string moduleName, FoldMemo &memo) : builder_(std::move(moduleName)), memo_(memo) {}

  void allow(std::int64_t factor) { mostComputed_ *= factor; }        // as many times the elements in a value
  void setSource(std::string source) { source_ = std::move(source); } // of the ops to come
  Expected<Value> input(const InputSpec &spec);
  Expected<void> finish(const std::vector<Value> &outputs, std::vector<std::string> names); // nn.return
  Module take() { return builder_.take(); }

  // Data movement, of constants and of secret and opened values alike. All without effect give their operand back.
  Expected<Value> reshape(const Value &x, Shape shape);
  Expected<Value> transpose(const Value &x, std::vector<std::int64_t> perm);
  Expected<Value> gather(const Value &x, std::int64_t axis, std::vector<std::int64_t> indices); // axis, indices >= 0
  Expected<Value> concat(std::vector<Value> xs, std::int64_t axis);
  Expected<Value> pad(const Value &x, std::vector<std::int64_t> pads, double fill); // pads >= 0
  Expected<Value> broadcast(const Value &x, const Shape &shape);

  // Add, Sub, Mul or Div with broadcasting. Two computed operands are brought to one shape first.
  Expected<Value> arithmetic(OpKind op, const Value &a, const Value &b);
  Expected<Value> relu(const Value &x);

  // An op on floats that needs the two-party protocols: not on opened values.
  Expected<Value> compute(OpKind op, const std::vector<Value> &operands, Attrs attrs = {});
  // An op that the hospital does in the clear after the outputs are opened; a sigmoid or softmax may also stand
  // before.
  Expected<Value> openAnd(OpKind op, const Value &x, Attrs attrs);

  // A function of ir/core/Functions.h: of constants, or computed by the hospital in the clear, for which a secret value
  // is opened. `isTruth`: it gives 0 or 1.
  Expected<Value> function(std::string_view name, const Value &x, bool isTruth = false);
  bool isOpenedElsewhere(const Value &x) const { // some function takes it
    const auto found = openers_.find(x.id());
    return found != openers_.end() && !found->second.empty();
  }
  // `functions` of x turned out to be computed on shares, so they are no reason to open it. False if it was opened
  // beside one of them: nothing is changed then.
  bool keepClosed(ValueId x, const std::set<ValueId> &functions);
  std::string nameOfClearEnd(const Value &x) const; // of an opened value: "Exp"

  const Op &maker(ValueId value) const { return builder_.module().ops[value]; } // of a computed value
  Value secret(ValueId value) const {                                           // an operand of what was made
    return Value::computed(value, builder_.type(value).shape, Value::Stage::Secret, false);
  }
  Value opened(ValueId value) const {
    return Value::computed(value, builder_.type(value).shape, Value::Stage::Opened, false);
  }
  Value constant(ValueId value) const { return Value::of(Tensor<float>(maker(value).attrs.floats(Attr::Value))); }
  const Shape &shapeOf(ValueId value) const { return builder_.type(value).shape; }
  bool isOpenedValue(ValueId value) const { return openedValues_.contains(value); } // at least at first
  bool isWhole(const Value &x); // an opened value that is whole numbers by construction

  // a OP b that no program computes, such as of a secret and an opened value, as part of a formula that may be
  // recognised as a whole. finish() fails if an output depends on it.
  Expected<Value> postponed(OpKind op, const Value &a, const Value &b);
  bool isPostponed(ValueId value) const { return postponed_.contains(value); }
  Expected<void> expectComputed(const Value &x) const; // that it is not postponed

  // Before a constant of that shape, or a list of indices, is made. What a model may take is in proportion to the
  // constants that its file holds, which grantBudget() counts: a few bytes can describe any size.
  Expected<void> takeBudget(const Shape &constant);
  void grantBudget(std::int64_t storedElements) { storedElements_ += storedElements; }

  // The names of the classes whose scores, or whose number, a computed value holds.
  void nameClasses(const Value &x, std::vector<std::string> names) { classNames_[x.id()] = std::move(names); }
  const std::vector<std::string> *classNames(ValueId value) const; // also where moves alone lie between; null: none

private:
  Expected<Value> add(Op op, Value::Stage stage, bool isInteger);
  Expected<Value> move(OpKind op, const Value &x, Attrs attrs);
  Expected<void> takeWork(double products); // before so many multiply-adds of constants
  Expected<Value> folded(OpKind op, const std::vector<Value> &operands, const Attrs &attrs);
  Expected<void> expectNothingPostponed() const;
  Expected<std::vector<Value>> withoutConstants(const std::vector<Value> &xs, std::int64_t axis);
  Expected<ValueId> idOf(const Value &x); // an nn.constant for a constant, once

  Builder builder_;
  FoldMemo &memo_;
  std::string source_;
  std::map<const void *, ValueId> constants_; // by tensor; looked up only, the module keeps the tensors
  std::int64_t storedElements_ = 0, constantElements_ = 0;
  double products_ = 0;           // multiply-adds of folded ops
  std::vector<bool> wholeValues_; // isWhole() of the first values
  std::int64_t mostComputed_ = std::int64_t{1} << 27;
  std::map<ValueId, std::vector<std::string>> classNames_;
  std::map<ValueId, std::set<ValueId>> openers_; // by secret value: the functions that it is opened for
  std::set<ValueId> openedValues_;
  std::map<ValueId, std::string> postponed_; // and why they can't be computed
};

} // namespace sd
