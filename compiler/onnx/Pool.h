// Pools of values that need not be a node's own operand.
#pragma once

#include "compiler/onnx/Emitter.h"
#include "compiler/onnx/Node.h"

namespace sd {

// By the attributes of an AveragePool; x has the shape of the node's first input.
Expected<Value> averagePool(Node &node, Emitter &emitter, const Value &x);

// Over all spatial axes of x [N,C,...], which stay with size 1. `op` is AvgPool or MaxPool.
Expected<Value> globalPool(Emitter &emitter, OpKind op, const Value &x);

// Of rows [1,n,m], over each row: the maximum, the mean, or with `sums` the sum; in the clear if they are opened.
Expected<Value> pooledRows(Emitter &emitter, OpKind kind, const Value &rows, bool sums);

} // namespace sd
