// The nodes of a graph in an order in which every value is made before it is used.
#pragma once

#include <vector>

#include "ir/core/Error.h"

namespace onnx {
class GraphProto;
}

namespace sd {

struct NodeOrder {
  std::vector<int> nodes;    // indices into graph.node(); the file's order where that is possible
  std::vector<int> circular; // those that wait for themselves
};

NodeOrder orderNodes(const onnx::GraphProto &graph);

} // namespace sd
