#include "compiler/onnx/Importer.h"

#include <algorithm>

#include <onnx/onnx_pb.h>

#include "compiler/onnx/LinearMap.h"
#include "compiler/onnx/OpTable.h"
#include "compiler/onnx/Order.h"
#include "compiler/onnx/Quantized.h"
#include "compiler/onnx/Schema.h"
#include "compiler/onnx/Tensors.h"

namespace sd {
namespace {

std::string labelOf(const onnx::NodeProto &node) {
  if (!node.name().empty()) return printable(node.name());
  for (const std::string &output : node.output())
    if (!output.empty()) return printable(output);
  return "unnamed";
}

constexpr std::int64_t kLargestWhole = std::int64_t{1} << 24; // all integers to it are floats

bool isDefaultDomain(const std::string &domain) { return domain.empty() || domain == "ai.onnx"; }

// The op's name as messages have it.
std::string opOf(const onnx::NodeProto &node) {
  return printable(node.domain() == kMlDomain ? node.domain() + "." + node.op_type() : node.op_type());
}

std::string versionRange(const OnnxOp &op) {
  return op.until ? fmt::format("from opset {} to {}", op.since, op.until) : fmt::format("from opset {}", op.since);
}

} // namespace

Importer::Importer(LoadedModel &model, const ImportOptions &options, std::vector<ImportProblem> &problems)
    : model_(model), options_(options), problems_(problems),
      emitter_(printable(model_.proto->graph().name()), *model.folded) {}

void Importer::report(const onnx::NodeProto &node, std::string message) {
  problems_.push_back({labelOf(node), opOf(node), opsetOf(node), std::move(message)});
}

int Importer::opsetOf(const onnx::NodeProto &node) const {
  return node.domain() == kMlDomain ? static_cast<int>(model_.mlOpset) : model_.opset;
}

Expected<Module> Importer::run() {
  const std::size_t before = problems_.size();
  const onnx::GraphProto &graph = model_.proto->graph();
  declareInitializers();
  declareNodes();
  importInputs();
  const NodeOrder order = orderNodes(graph);
  for (int i : order.nodes)
    importNode(graph.node(i));
  for (int i : order.circular) {
    report(graph.node(i), "is in a cycle of the graph, or after one");
    for (const std::string &output : graph.node(i).output())
      failed_.insert(output);
  }
  if (auto done = importOutputs(); !done) report(done.error().message);
  if (const std::size_t count = problems_.size() - before)
    return fail("the model cannot be imported: {} problem{}", count, count == 1 ? "" : "s");
  if (options_.facts) *options_.facts = takeFacts();
  return emitter_.take();
}

Expected<Value> Importer::denseTensor(const onnx::SparseTensorProto &sparse) {
  SD_ASSIGN(const Value values, readTensor(sparse.values(), model_.external));
  SD_ASSIGN(const Value places, readTensor(sparse.indices(), model_.external));
  const Shape shape(sparse.dims().begin(), sparse.dims().end());
  SD_ASSIGN(const std::int64_t size, checkedElementCount(shape));
  const auto rank = static_cast<std::int64_t>(shape.size());
  const bool linear = places.rank() == 1;
  if (!places.isInteger() || values.isInteger() || values.rank() != 1 ||
      (linear ? places.size() != values.size() : places.shape() != Shape{values.size(), rank}))
    return fail("holds {} at places {}", describe(values), describe(places));
  emitter_.grantBudget(values.size());
  SD_TRY(emitter_.takeBudget(shape));
  Tensor<float> dense(shape, 0.0f);
  for (std::int64_t i = 0; i < values.size(); ++i) {
    std::int64_t at = linear ? places.ints()->data[static_cast<std::size_t>(i)] : 0;
    bool within = true;
    for (std::int64_t axis = 0; !linear && axis < rank; ++axis) {
      const std::int64_t along = places.ints()->data[static_cast<std::size_t>(i * rank + axis)];
      within &= along >= 0 && along < shape[static_cast<std::size_t>(axis)];
      at = at * shape[static_cast<std::size_t>(axis)] + (within ? along : 0);
    }
    if (!within || at < 0 || at >= size) return fail("has a place outside of {}", toString(shape));
    dense.data[static_cast<std::size_t>(at)] = values.floats()->data[static_cast<std::size_t>(i)];
  }
  return Value::of(std::move(dense));
}

ModelFacts Importer::takeFacts() {
  const onnx::ModelProto &model = *model_.proto;
  facts_.name = model.graph().name();
  if (model.model_version() > 0) facts_.version = fmt::to_string(model.model_version());
  facts_.description = model.doc_string().empty() ? model.graph().doc_string() : model.doc_string();
  for (const auto &entry : model.metadata_props())
    facts_.metadata.emplace(entry.key(), entry.value());
  return std::move(facts_);
}

void Importer::declareInitializers() {
  onnx::GraphProto &graph = *model_.proto->mutable_graph();
  for (onnx::TensorProto &tensor : *graph.mutable_initializer())
    if (!initializers_.emplace(tensor.name(), &tensor).second)
      report(fmt::format("the initializer '{}' occurs twice", printable(tensor.name())));
  for (const auto &sparse : graph.sparse_initializer()) {
    const std::string &name = sparse.values().name();
    if (initializers_.contains(name) || values_.contains(name))
      report(fmt::format("the initializer '{}' occurs twice", printable(name)));
    else if (auto dense = denseTensor(sparse))
      values_.emplace(name, dense->named(name));
    else {
      report(fmt::format("the sparse initializer '{}': {}", printable(name), dense.error().message));
      failed_.insert(name);
    }
  }
}

void Importer::declareNodes() {
  const onnx::GraphProto &graph = model_.proto->graph();
  std::unordered_set<std::string_view> made;
  for (const auto &input : graph.input())
    if (!made.insert(input.name()).second) report(fmt::format("the input '{}' occurs twice", printable(input.name())));
  for (const auto &[name, tensor] : initializers_)
    made.insert(name);
  for (const auto &sparse : graph.sparse_initializer())
    made.insert(sparse.values().name());
  for (const onnx::NodeProto &node : graph.node()) {
    for (const std::string &output : node.output())
      if (!output.empty() && !made.insert(output).second)
        report(node, fmt::format("makes '{}', which is another value's name already", printable(output)));
    visitInputs(node, [&](const std::string &input) { used_.insert(input); });
  }
  for (const auto &output : graph.output())
    used_.insert(output.name());
}

void Importer::importInputs() {
  const auto shapes = InputShapes::read(model_.proto->graph(), options_);
  if (!shapes) report(shapes.error().message);
  for (const auto &info : model_.proto->graph().input()) {
    if (initializers_.contains(info.name())) continue; // up to IR version 3 every initializer is listed as an input
    if (!shapes) {
      failed_.insert(info.name());
      continue;
    }
    auto spec = inputSpec(info, *shapes);
    if (!spec) {
      report(fmt::format("input '{}' {}", printable(info.name()), spec.error().message));
      failed_.insert(info.name());
      continue;
    }
    if (auto value = emitter_.input(*spec)) {
      values_.emplace(info.name(), value->storedAs(info.type().tensor_type().elem_type()));
    } else {
      report(fmt::format("input '{}': {}", printable(info.name()), value.error().message));
      failed_.insert(info.name());
    }
  }
  if (options_.batch && batchAxes_.empty()) {
    bool matches = !values_.empty();
    for (const auto &[name, value] : values_)
      matches &= value.rank() > 0 && value.shape()[0] == *options_.batch;
    if (!matches && failed_.empty())
      report(fmt::format("the batch cannot be set to {}: no input has a dynamic first dimension; export the model with "
                         "a dynamic batch, or leave --batch out",
                         *options_.batch));
  }
}

Expected<InputSpec> Importer::inputSpec(const onnx::ValueInfoProto &info, const InputShapes &shapes) {
  if (info.name().empty()) return fail("has no name");
  if (!info.type().has_tensor_type()) return fail("is not declared as a tensor; export the model with typed inputs");
  const auto &type = info.type().tensor_type();
  if (!isFloatType(type.elem_type()) && !isSmallFloatType(type.elem_type()) &&
      (!isIntegerType(type.elem_type()) || type.elem_type() == onnx::TensorProto::BOOL))
    return fail("is declared as {}; only floats, or integers that a Cast follows, can be given",
                elementTypeName(type.elem_type()));
  SD_ASSIGN(InputShape shape, shapes.of(info));
  if (shape.batchAxis) batchAxes_.emplace(info.name(), *shape.batchAxis);
  InputSpec spec{info.name(), std::move(shape.shape), isIntegerType(type.elem_type()), options_.inputRange};
  if (auto own = options_.inputRanges.find(info.name()); own != options_.inputRanges.end()) spec.range = own->second;
  return spec;
}

Expected<const Value *> Importer::lookUp(const std::string &name) {
  if (auto found = values_.find(name); found != values_.end()) return &found->second;
  if (failed_.contains(name)) return nullptr;
  auto initializer = initializers_.find(name);
  if (initializer == initializers_.end())
    return fail("uses '{}', which nothing defines; is an initializer missing from the file?", printable(name));
  const auto value = model_.weight(*initializer->second);
  if (!value) {
    report(fmt::format("initializer '{}': {}", printable(name), value.error().message));
    failed_.insert(name);
    return nullptr;
  }
  emitter_.grantBudget(value->size());
  return &values_.emplace(name, *value).first->second;
}

void Importer::importNode(const onnx::NodeProto &node) {
  auto handled = handle(node);
  if (handled) return;
  if (!handled.error().message.empty()) report(node, handled.error().message);
  standIn(node);
  for (const std::string &output : node.output())
    if (!values_.contains(output)) failed_.insert(output);
}

// So that the nodes that follow are looked at too. Only where the result's shape is plain, and it is no constant: else
// the nodes that follow would be blamed for what is not their fault.
void Importer::standIn(const onnx::NodeProto &node) {
  static constexpr std::string_view kKeepShape =
      " Acos Acosh Asin Asinh Atan Atanh BatchNormalization Ceil Cos Cosh Dropout Exp Floor Gelu GroupNormalization "
      "Hardmax InstanceNormalization LRN LayerNormalization LeakyRelu Log LpNormalization MeanVarianceNormalization "
      "Mish "
      "PRelu Pow RMSNormalization Reciprocal Round Shrink Sign SimplifiedLayerNormalization Sin Sinh "
      "SkipLayerNormalization Sqrt Swish Tan ThresholdedRelu ";
  if (node.input_size() == 0 || node.output_size() == 0 || node.output(0).empty()) return;
  if (kKeepShape.find(" " + node.op_type() + " ") == kKeepShape.npos) return;
  const auto x = values_.find(node.input(0));
  if (x == values_.end() || values_.contains(node.output(0)) || x->second.isConstant() || x->second.isInteger() ||
      x->second.isOpened())
    return;
  auto value = emitter_.input({node.output(0), x->second.shape(), false, {}});
  if (value) values_.emplace(node.output(0), *value);
}

Expected<const OnnxOp *> Importer::opFor(const onnx::NodeProto &node) const {
  const bool isMl = node.domain() == kMlDomain;
  const OnnxOp *op = findOnnxOp(isDefaultDomain(node.domain()) ? "" : node.domain(), node.op_type());
  if (!op && !isDefaultDomain(node.domain()) && !isMl)
    return fail("the domain '{}' is not supported; {}", printable(node.domain()),
                adviceFor(node.domain(), node.op_type()));
  if (!op) return fail("not supported; {}", adviceFor(node.op_type()));
  const int opset = opsetOf(node);
  if (opset == 0)
    return fail("the model does not say which opset of {} it uses; export it again with an ONNX exporter",
                isMl ? kMlDomain : "ai.onnx");
  if (opset < op->since || (op->until && opset > op->until))
    return fail("exists {} only, the model uses opset {}; convert it with onnx.version_converter", versionRange(*op),
                opset);
  return op;
}

// An empty message: an operand has failed, which has been reported where it did.
Expected<void> Importer::handle(const onnx::NodeProto &node) {
  if (isDefaultDomain(node.domain()) && node.op_type() == "If") return inlineBranch(node);
  const bool isMl = node.domain() == kMlDomain;
  SD_ASSIGN(const OnnxOp *op, opFor(node));
  const int opset = opsetOf(node);

  Node::Context context{opset, model_.external, {}, {}};
  bool failed = false;
  for (const std::string &name : node.input()) {
    if (name.empty()) {
      context.inputs.emplace_back();
      continue;
    }
    SD_ASSIGN(const Value *value, lookUp(name));
    if (value && value->isStrings() && !isMl)
      return fail("is given '{}', which holds STRING; only floats and integers can be computed with, convert the model",
                  printable(name));
    failed |= value == nullptr;
    context.inputs.push_back(value ? *value : Value());
  }
  if (failed) return fail("");
  while (!context.inputs.empty() && context.inputs.back().isNone())
    context.inputs.pop_back();
  if (context.inputs.size() < op->minInputs || context.inputs.size() > op->maxInputs)
    return fail("has {} inputs, not {} to {}", context.inputs.size(), op->minInputs, op->maxInputs);
  for (std::size_t i = 0; i < context.inputs.size() && i < op->minInputs; ++i)
    if (context.inputs[i].isNone()) return fail("input {} is missing", i);
  for (const std::string &name : node.output())
    context.usedOutputs.push_back(!name.empty() && used_.contains(name));

  for (int i = 0; i < node.output_size(); ++i)
    if (!node.output(i).empty()) context.namedOutputs = static_cast<std::size_t>(i + 1);

  Node view(node, std::move(context));
  emitter_.setSource(labelOf(node));
  auto done = op->handler(view, emitter_);
  batchHints_.insert(view.batchHints().begin(), view.batchHints().end());
  if (!done) return done;
  SD_TRY(view.expectAllRead());
  SD_TRY(checkAgainstSchema(node, opset));
  if (options_.remarks)
    for (const std::string &remark : view.remarks())
      options_.remarks->push_back(toString({labelOf(node), opOf(node), opset, remark}));
  const auto outputs = view.outputs();
  for (int i = 0; i < node.output_size(); ++i) {
    const std::string &name = node.output(i);
    const auto at = static_cast<std::size_t>(i);
    if (name.empty()) continue;
    if (at < outputs.size() && !outputs[at].isNone())
      values_.emplace(name, outputs[at].isConstant() ? outputs[at].named(name) : outputs[at]);
    else if (view.isUsed(at))
      return fail("its output {} ('{}') is not supported; only the first is", i, printable(name));
  }
  return {};
}

Expected<void> Importer::inlineBranch(const onnx::NodeProto &node) {
  if (node.input_size() != 1) return fail("has {} inputs, not 1", node.input_size());
  SD_ASSIGN(const Value *condition, lookUp(node.input(0)));
  if (!condition) return fail("");
  if (!condition->isConstant() || !condition->isInteger() || condition->size() != 1)
    return fail("not supported unless its condition is a constant; {}", adviceFor(node.op_type()));
  const std::string_view wanted = condition->ints()->data[0] ? "then_branch" : "else_branch";
  for (const onnx::AttributeProto &attribute : node.attribute())
    if (attribute.name() == wanted && attribute.has_g()) return importBranch(attribute.g(), node);
  return fail("the attribute '{}' is missing", wanted);
}

// A branch's names are its own: they go when it ends, since another may use them again.
Expected<void> Importer::importBranch(const onnx::GraphProto &branch, const onnx::NodeProto &node) {
  if (branch.input_size() || branch.sparse_initializer_size())
    return fail("has a branch with inputs or sparse initializers, which is not supported");
  if (branch.output_size() != node.output_size())
    return fail("has {} outputs, its branch {}", node.output_size(), branch.output_size());
  std::unordered_set<std::string> own;
  const auto declare = [&](const std::string &name) -> Expected<void> {
    const bool isTaken = values_.contains(name) || failed_.contains(name) || initializers_.contains(name);
    if (name.empty() || (!isTaken && own.insert(name).second)) return {};
    return fail("its branch makes '{}', which is another value's name already", printable(name));
  };
  for (const onnx::TensorProto &tensor : branch.initializer())
    SD_TRY(declare(tensor.name()));
  for (const onnx::NodeProto &inner : branch.node())
    for (const std::string &output : inner.output())
      SD_TRY(declare(output));
  for (const onnx::TensorProto &tensor : branch.initializer()) {
    SD_ASSIGN(const Value value, readTensor(tensor, model_.external));
    emitter_.grantBudget(value.size());
    values_.emplace(tensor.name(), value.named(tensor.name()));
  }
  const NodeOrder order = orderNodes(branch);
  if (!order.circular.empty()) return fail("has a cycle in its branch");
  for (int i : order.nodes)
    importNode(branch.node(i));
  bool failed = false;
  for (int i = 0; i < branch.output_size(); ++i) {
    SD_ASSIGN(const Value *value, lookUp(branch.output(i).name()));
    failed |= value == nullptr;
    if (value) values_.emplace(node.output(i), Value(*value));
  }
  for (const std::string &name : own) {
    values_.erase(name);
    failed_.erase(name);
  }
  return failed ? fail("") : Expected<void>();
}

Expected<Value> Importer::sameForAll(const Value &constant) {
  if (constant.isStrings() || constant.size() == 0 || constant.size() > kMaxSelected)
    return fail("does not depend on any input; remove it from the model's outputs");
  if (!batchAxes_.empty())
    return fail("does not depend on any input, so it has no row for each record of a batch; remove it from the model's "
                "outputs, or give the sizes of one record with --shape");
  const auto &inputs = model_.proto->graph().input();
  const auto given = std::ranges::find_if(inputs, [&](const onnx::ValueInfoProto &info) {
    const auto found = values_.find(info.name());
    return found != values_.end() && !found->second.isConstant();
  });
  if (given == inputs.end())
    return fail("does not depend on any input, and the model has none: there is nothing secret to compute with");
  Tensor<float> numbers(constant.shape());
  for (std::size_t i = 0; i < numbers.data.size(); ++i) {
    numbers.data[i] = constant.isInteger() ? static_cast<float>(constant.ints()->data[i]) : constant.floats()->data[i];
    if (const std::int64_t whole = constant.isInteger() ? constant.ints()->data[i] : 0;
        whole > kLargestWhole || whole < -kLargestWhole)
      return fail(
          "does not depend on any input, and holds {}, too large an integer; remove it from the model's outputs",
          whole);
  }
  const Value &any = values_.at(given->name());
  const Value secret = Value::computed(any.id(), any.shape(), any.stage(), false);
  SD_ASSIGN(const Value flat, emitter_.reshape(secret, {secret.size()}));
  SD_ASSIGN(const Value first, emitter_.gather(flat, 0, {0}));
  std::vector<std::int64_t> nothing(numbers.data.size(), kZero);
  SD_ASSIGN(const Value zeros, gatherElements(emitter_, first, std::move(nothing), constant.shape()));
  return emitter_.arithmetic(OpKind::Add, zeros, Value::of(std::move(numbers)));
}

Expected<Value> Importer::outputOf(const Value &value, const std::string &shown) {
  const auto remark = [&](std::string_view text) {
    if (options_.remarks) options_.remarks->push_back(fmt::format("output '{}' {}", shown, text));
  };
  if (value.isConstant()) {
    remark("does not depend on any input: it is the same for all records, and every hospital learns it as it is");
    return sameForAll(value);
  }
  if (!value.quantisation()) return value;
  if (!value.quantisation()->isModels)
    return fail(
        "is integers that depend on how the model rounds its data, which is not supported; make what they stand "
        "for the output");
  remark(
      "is rounded to integers by the hospital, which learns the numbers that they stand for; an integer may be off by "
      "one where such a number lies within the program's error of a half");
  return roundedByHospital(emitter_, value);
}

Expected<void> Importer::importOutputs() {
  std::vector<Value> outputs;
  std::vector<std::string> names;
  std::unordered_set<std::string_view> seen;
  const auto &graph = model_.proto->graph();
  if (graph.output().empty()) return fail("the graph has no output");
  const std::size_t before = problems_.size();
  for (const auto &info : graph.output()) {
    const std::string shown = printable(info.name());
    auto value = lookUp(info.name());
    if (!seen.insert(info.name()).second)
      report(fmt::format("the output '{}' occurs twice", shown));
    else if (!value)
      report(fmt::format("output '{}' is made by no node", shown));
    else if (*value) {
      auto output = outputOf(**value, shown);
      if (!output) {
        report(fmt::format("output '{}' {}", shown, output.error().message));
        continue;
      }
      outputs.push_back(*std::move(output));
      names.push_back(info.name());
      if ((*value)->isConstant()) continue;
      if (const auto *classes = emitter_.classNames((*value)->id())) facts_.classNames[info.name()] = *classes;
    }
  }
  if (!problems_.empty() &&
      (problems_.size() > before || outputs.size() != static_cast<std::size_t>(graph.output_size())))
    return {};
  return emitter_.finish(outputs, std::move(names));
}

} // namespace sd
