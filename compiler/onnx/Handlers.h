// The handlers that OnnxOps.def names: each reads one node and sets its outputs.
#pragma once

#include "compiler/onnx/Emitter.h"
#include "compiler/onnx/Node.h"

namespace sd {

#define SD_ONNX(name, since, until, least, most, handler) Expected<void> handler(Node &node, Emitter &emitter);
#define SD_ONNX_ML SD_ONNX
#define SD_ONNX_MS(name, least, most, handler) Expected<void> handler(Node &node, Emitter &emitter);
#define SD_ONNX_ADVICE(name, advice)
#include "compiler/onnx/OnnxOps.def"
#undef SD_ONNX
#undef SD_ONNX_ML
#undef SD_ONNX_MS
#undef SD_ONNX_ADVICE

} // namespace sd
