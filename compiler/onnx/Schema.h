// What ONNX's own library says of nodes.
#pragma once

#include "ir/core/Error.h"

namespace onnx {
class NodeProto;
}

namespace sd {

// Inputs, outputs and attributes against the op's definition in that opset, as far as the library knows it: the
// meaning of a node with others would be a guess.
Expected<void> checkAgainstSchema(const onnx::NodeProto &node, int opset);

} // namespace sd
