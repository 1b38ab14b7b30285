// The nodes of a graph in an order in which every value is made before it is used.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ir/core/Error.h"

namespace onnx {
class GraphProto;
class NodeProto;
} // namespace onnx

namespace sd {

struct NodeOrder {
  std::vector<int> nodes;    // indices into graph.node(); the file's order where that is possible
  std::vector<int> circular; // those that wait for themselves
};

NodeOrder orderNodes(const onnx::GraphProto &graph);

// Calls `visit` with the names that a node takes, itself and within its branches.
void visitInputs(const onnx::NodeProto &node, const std::function<void(const std::string &)> &visit);

} // namespace sd
