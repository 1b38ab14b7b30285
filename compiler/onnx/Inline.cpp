#include "compiler/onnx/Inline.h"

#include <map>
#include <unordered_map>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <onnx/defs/schema.h>
#include <onnx/onnx_pb.h>

#include "compiler/onnx/Value.h"

namespace sd {
namespace {

using onnx::AttributeProto;
using onnx::FunctionProto;
using onnx::NodeProto;
using Key = std::pair<std::string, std::string>; // domain and name
using Nodes = google::protobuf::RepeatedPtrField<NodeProto>;

constexpr int kDeepest = 32;          // calls within calls
constexpr int kMostNodes = 1'000'000; // of the whole graph: a few bytes of nested calls can describe any number

std::string domainOf(const std::string &domain) { return domain == "ai.onnx" ? "" : domain; }

// Defaults of a function's attributes, a field that this version of ONNX's library does not know yet.
std::vector<AttributeProto> defaultsOf(const FunctionProto &function) {
  namespace protobuf = google::protobuf;
  constexpr int kAttributeProto = 11;
  const std::string bytes = function.SerializeAsString();
  protobuf::io::CodedInputStream in(reinterpret_cast<const std::uint8_t *>(bytes.data()),
                                    static_cast<int>(bytes.size()));
  std::vector<AttributeProto> defaults;
  using Wire = protobuf::internal::WireFormatLite;
  while (const std::uint32_t tag = in.ReadTag()) {
    if (tag != Wire::MakeTag(kAttributeProto, Wire::WIRETYPE_LENGTH_DELIMITED)) {
      if (!Wire::SkipField(&in, tag)) break;
      continue;
    }
    std::uint32_t length = 0;
    std::string content;
    if (!in.ReadVarint32(&length) || !in.ReadString(&content, static_cast<int>(length))) break;
    defaults.emplace_back();
    if (!defaults.back().ParseFromString(content)) break;
  }
  return defaults;
}

// What a function's body is written in terms of: its call's names and attributes.
struct Call {
  std::string prefix; // of the names that the body makes
  std::unordered_map<std::string, std::string> names;
  std::unordered_map<std::string, AttributeProto> attributes;
  Nodes passed; // give the caller's name to what has another already: an input, or an earlier output

  Call(const NodeProto &caller, const FunctionProto &called, int number)
      : prefix(fmt::format("{}/{}#{}/",
                           caller.name().empty() && caller.output_size() ? caller.output(0) : caller.name(),
                           called.name(), number)) {
    for (int i = 0; i < called.input_size(); ++i)
      names[called.input(i)] = i < caller.input_size() ? caller.input(i) : "";
    for (int i = 0; i < called.output_size() && i < caller.output_size(); ++i) {
      if (caller.output(i).empty()) continue;
      const auto [own, isFirst] = names.try_emplace(called.output(i), caller.output(i));
      if (isFirst) continue;
      NodeProto &identity = *passed.Add();
      identity.set_op_type("Identity");
      identity.add_input(own->second);
      identity.add_output(caller.output(i));
    }
    for (AttributeProto &attribute : defaultsOf(called))
      attributes[attribute.name()] = std::move(attribute);
    for (const AttributeProto &attribute : caller.attribute())
      attributes[attribute.name()] = attribute;
  }

  std::string name(const std::string &own) {
    return own.empty() ? own : names.try_emplace(own, prefix + own).first->second;
  }

  void rewrite(NodeProto &copy) {
    for (std::string &input : *copy.mutable_input())
      input = name(input);
    for (std::string &output : *copy.mutable_output())
      output = name(output);
    copy.set_name(prefix + (copy.name().empty() ? copy.op_type() : copy.name()));
    google::protobuf::RepeatedPtrField<AttributeProto> kept;
    for (AttributeProto &attribute : *copy.mutable_attribute()) {
      if (!attribute.ref_attr_name().empty()) {
        const auto given = attributes.find(attribute.ref_attr_name());
        if (given == attributes.end()) continue; // left out by the caller: the op's own default
        const std::string own = attribute.name();
        attribute = given->second;
        attribute.set_name(own);
      }
      if (attribute.has_g()) rewrite(*attribute.mutable_g());
      *kept.Add() = std::move(attribute);
    }
    copy.mutable_attribute()->Swap(&kept);
  }

  void rewrite(onnx::GraphProto &branch) {
    for (auto &tensor : *branch.mutable_initializer())
      tensor.set_name(name(tensor.name()));
    for (NodeProto &inner : *branch.mutable_node())
      rewrite(inner);
    for (auto &output : *branch.mutable_output())
      output.set_name(name(output.name()));
  }
};

class Inliner {
public:
  explicit Inliner(onnx::ModelProto &model) : model_(model) {
    for (const FunctionProto &function : model.functions())
      functions_.emplace(Key(domainOf(function.domain()), function.name()), &function);
    for (const auto &import : model.opset_import())
      opsets_[domainOf(import.domain())] = import.version();
  }

  Expected<void> run() {
    if (functions_.empty()) return {};
    if (static_cast<int>(functions_.size()) != model_.functions_size())
      return fail("it defines a function twice; overloads are not supported, inline them (onnx.inliner) first");
    SD_TRY(expand(*model_.mutable_graph()->mutable_node(), 0));
    // The functions' own domains are the model's now.
    for (const auto &[key, function] : functions_)
      for (const auto &import : function->opset_import())
        if (opsets_.emplace(domainOf(import.domain()), import.version()).second) *model_.add_opset_import() = import;
    return {};
  }

private:
  Expected<void> expand(Nodes &nodes, int depth) {
    Nodes out;
    for (NodeProto &node : nodes) {
      for (AttributeProto &attribute : *node.mutable_attribute())
        if (attribute.has_g()) SD_TRY(expand(*attribute.mutable_g()->mutable_node(), depth));
      const auto found = functions_.find(Key(domainOf(node.domain()), node.op_type()));
      if (found == functions_.end()) {
        if (++count_ > kMostNodes) return fail("its functions write out more than {} nodes", kMostNodes);
        *out.Add() = std::move(node);
        continue;
      }
      SD_ASSIGN(Nodes body, bodyOf(node, *found->second, depth));
      for (NodeProto &inner : body)
        *out.Add() = std::move(inner);
    }
    nodes.Swap(&out);
    return {};
  }

  Expected<Nodes> bodyOf(const NodeProto &node, const FunctionProto &function, int depth) {
    const auto shown = [&] { return printable(function.name()); };
    if (depth >= kDeepest) return fail("the function '{}' calls itself, or others {} deep", shown(), kDeepest);
    if (node.input_size() > function.input_size() || node.output_size() > function.output_size())
      return fail("a node calls the function '{}' with {} inputs and {} outputs; it has {} and {}", shown(),
                  node.input_size(), node.output_size(), function.input_size(), function.output_size());
    SD_TRY(checkOpsets(function));
    if (calls_ >= kMostNodes) return fail("its functions are called more than {} times", kMostNodes);
    Call call(node, function, ++calls_);
    Nodes body;
    for (const NodeProto &inner : function.node()) {
      *body.Add() = inner;
      call.rewrite(*body.rbegin());
    }
    body.MergeFrom(call.passed);
    SD_TRY(expand(body, depth + 1));
    return body;
  }

  // A function may be of another opset than the model where none of its ops has changed between the two.
  Expected<void> checkOpsets(const FunctionProto &function) const {
    for (const auto &import : function.opset_import()) {
      const std::string domain = domainOf(import.domain());
      const auto outside = opsets_.find(domain);
      if (outside == opsets_.end() || outside->second == import.version()) continue;
      for (const NodeProto &node : function.node()) {
        if (domainOf(node.domain()) != domain || functions_.contains(Key(domain, node.op_type()))) continue;
        const auto *here = onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(import.version()), domain);
        const auto *there = onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(outside->second), domain);
        if (here && here == there) continue;
        return fail("the function '{}' uses {} of opset {}, the model opset {}; export the model with one opset",
                    printable(function.name()), printable(node.op_type()), import.version(), outside->second);
      }
    }
    return {};
  }

  onnx::ModelProto &model_;
  std::map<Key, const FunctionProto *> functions_;
  std::map<std::string, std::int64_t> opsets_;
  int calls_ = 0, count_ = 0;
};

} // namespace

Expected<void> inlineFunctions(onnx::ModelProto &model) { return Inliner(model).run(); }

} // namespace sd
