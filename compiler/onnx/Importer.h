// Walks a loaded graph: names to values, nodes to handlers, problems collected.
#pragma once

#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "compiler/onnx/Emitter.h"
#include "compiler/onnx/Import.h"
#include "compiler/onnx/Load.h"

namespace onnx {
class NodeProto;
class GraphProto;
class ValueInfoProto;
class TensorProto;
} // namespace onnx

namespace sd {

class Importer {
public:
  Importer(LoadedModel model, const ImportOptions &options, std::vector<ImportProblem> &problems);

  Expected<Module> run();

private:
  void report(std::string message) { problems_.push_back({{}, {}, 0, std::move(message)}); }
  void report(const onnx::NodeProto &node, std::string message);

  void declareInitializers();
  void declareNodes(); // every name is made once
  void importInputs();
  Expected<InputSpec> inputSpec(const onnx::ValueInfoProto &info);
  int opsetOf(const onnx::NodeProto &node) const;
  void importNode(const onnx::NodeProto &node);
  Expected<void> handle(const onnx::NodeProto &node);
  Expected<void> inlineBranch(const onnx::NodeProto &node); // of an If whose condition is known
  Expected<void> importBranch(const onnx::GraphProto &branch, const onnx::NodeProto &node);
  Expected<void> importOutputs();

  // The value of a name; initializers are read when they are first needed. Null if it could not be made, which has
  // been reported.
  Expected<const Value *> lookUp(const std::string &name);

  LoadedModel model_;
  const ImportOptions &options_;
  std::vector<ImportProblem> &problems_;
  Emitter emitter_;
  bool hasDynamicBatch_ = false;
  std::string batchSymbol_;
  std::unordered_map<std::string, Value> values_;
  std::unordered_set<std::string> failed_; // names whose maker was refused
  std::unordered_map<std::string_view, onnx::TensorProto *> initializers_;
  std::unordered_set<std::string_view> used_; // names that a node or the graph's outputs want
};

} // namespace sd
