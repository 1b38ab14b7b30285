// Functions that a model defines itself, in place of the nodes that call them.
#pragma once

#include "ir/core/Error.h"

namespace onnx {
class ModelProto;
}

namespace sd {

// Afterwards no node of the graph, or of a branch within it, calls a function of the model. Error: a function that
// calls itself, or that is too much to write out; one of another opset than the model's where that matters.
Expected<void> inlineFunctions(onnx::ModelProto &model);

} // namespace sd
