#include "compiler/onnx/Order.h"

#include <functional>
#include <queue>
#include <string_view>
#include <unordered_map>

#include <onnx/onnx_pb.h>

namespace sd {

void visitInputs(const onnx::NodeProto &node, const std::function<void(const std::string &)> &visit) {
  for (const std::string &input : node.input())
    visit(input);
  for (const onnx::AttributeProto &attribute : node.attribute()) {
    if (!attribute.has_g()) continue;
    for (const onnx::NodeProto &inner : attribute.g().node())
      visitInputs(inner, visit);
    for (const auto &output : attribute.g().output())
      visit(output.name());
  }
}

NodeOrder orderNodes(const onnx::GraphProto &graph) {
  std::unordered_map<std::string_view, int> makers;
  for (int i = 0; i < graph.node_size(); ++i)
    for (const std::string &output : graph.node(i).output())
      if (!output.empty()) makers.emplace(output, i);

  const auto count = static_cast<std::size_t>(graph.node_size());
  std::vector<std::vector<int>> users(count);
  std::vector<int> waitingFor(count, 0);
  for (int i = 0; i < graph.node_size(); ++i)
    visitInputs(graph.node(i), [&](const std::string &input) {
      auto maker = makers.find(input);
      if (maker == makers.end()) return;
      users[static_cast<std::size_t>(maker->second)].push_back(i);
      ++waitingFor[static_cast<std::size_t>(i)];
    });

  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (int i = 0; i < graph.node_size(); ++i)
    if (waitingFor[static_cast<std::size_t>(i)] == 0) ready.push(i);
  NodeOrder order;
  for (; !ready.empty();) {
    const int next = ready.top();
    ready.pop();
    order.nodes.push_back(next);
    for (int user : users[static_cast<std::size_t>(next)])
      if (--waitingFor[static_cast<std::size_t>(user)] == 0) ready.push(user);
  }
  for (int i = 0; i < graph.node_size(); ++i)
    if (waitingFor[static_cast<std::size_t>(i)] > 0) order.circular.push_back(i);
  return order;
}

} // namespace sd
