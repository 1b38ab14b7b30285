// Tensors of a model as the project's own: every float type becomes float, every integer type and bool int64.
#pragma once

#include <span>

#include "compiler/onnx/ExternalData.h"
#include "compiler/onnx/Value.h"

namespace onnx {
class TensorProto;
}

namespace sd {

// Elements beside their shape; refuses strings, complex numbers, unknown types, and data of the wrong length.
Expected<Value> readTensor(const onnx::TensorProto &proto, const ExternalData &external);

// Its elements as doubles, which keep those of doubles as they are.
Expected<std::vector<double>> readNumbers(const onnx::TensorProto &proto, const ExternalData &external);

// A tensor of strings.
Expected<Value> readStrings(const onnx::TensorProto &proto);

// A serialised TensorProto, as in the files of ONNX's test data sets.
Expected<Value> readTensorBytes(std::span<const std::byte> bytes);

// ONNX's element types that a program's value may have.
bool isFloatType(int elementType);   // float16, bfloat16, float, double
bool isIntegerType(int elementType); // integers and bool
std::string elementTypeName(int elementType);

float roundToHalf(float value); // to the nearest float16; an infinity where it overflows
float roundToBfloat16(float value);

} // namespace sd
