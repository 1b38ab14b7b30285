// Walks a loaded graph: names to values, nodes to handlers, problems collected.
#pragma once

#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "compiler/onnx/Emitter.h"
#include "compiler/onnx/Import.h"
#include "compiler/onnx/InputShapes.h"
#include "compiler/onnx/Load.h"

namespace onnx {
class NodeProto;
class GraphProto;
class SparseTensorProto;
class ValueInfoProto;
class TensorProto;
} // namespace onnx

namespace sd {

struct OnnxOp;

class Importer {
public:
  // The weights that it reads stay in `model`, for another import.
  Importer(LoadedModel &model, const ImportOptions &options, std::vector<ImportProblem> &problems);

  // Values may have as many times the elements that a program's may: the module is looked at and not compiled.
  void allow(std::int64_t factor) { emitter_.allow(factor); }
  Expected<Module> run();

  // After run(): the inputs of a dynamic batch, with its axis, and sizes of it that a Reshape of the model asks for.
  const std::map<std::string, std::int64_t> &batchAxes() const { return batchAxes_; }
  const std::set<std::int64_t> &batchHints() const { return batchHints_; }

private:
  void report(std::string message) { problems_.push_back({{}, {}, 0, std::move(message)}); }
  void report(const onnx::NodeProto &node, std::string message);

  void declareInitializers();
  void declareNodes(); // every name is made once
  void importInputs();
  Expected<InputSpec> inputSpec(const onnx::ValueInfoProto &info, const InputShapes &shapes);
  int opsetOf(const onnx::NodeProto &node) const;
  void importNode(const onnx::NodeProto &node);
  Expected<void> handle(const onnx::NodeProto &node);
  Expected<const OnnxOp *> opFor(const onnx::NodeProto &node) const;
  void standIn(const onnx::NodeProto &node);                // for the result of a node that was refused
  Expected<void> inlineBranch(const onnx::NodeProto &node); // of an If whose condition is known
  Expected<void> importBranch(const onnx::GraphProto &branch, const onnx::NodeProto &node);
  Expected<void> importOutputs();
  Expected<Value> outputOf(const Value &value, const std::string &shown); // as the program gives it
  Expected<Value> sameForAll(const Value &constant);                      // a constant as an output
  ModelFacts takeFacts();
  Expected<Value> denseTensor(const onnx::SparseTensorProto &sparse); // once, at the end

  // The value of a name; initializers are read when they are first needed. Null if it could not be made, which has
  // been reported.
  Expected<const Value *> lookUp(const std::string &name);

  LoadedModel &model_;
  const ImportOptions &options_;
  std::vector<ImportProblem> &problems_;
  Emitter emitter_;
  std::map<std::string, std::int64_t> batchAxes_;
  std::set<std::int64_t> batchHints_;
  ModelFacts facts_;
  std::unordered_map<std::string, Value> values_;
  std::unordered_set<std::string> failed_; // names whose maker was refused
  std::unordered_map<std::string_view, onnx::TensorProto *> initializers_;
  std::unordered_set<std::string_view> used_; // names that a node or the graph's outputs want
};

} // namespace sd
