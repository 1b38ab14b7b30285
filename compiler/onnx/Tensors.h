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

// Types that this version of ONNX's library does not name yet.
enum SmallType : int {
  kFloat8E4M3 = 17, // without infinities
  kFloat8E4M3Fnuz,  // nor a zero of its own sign
  kFloat8E5M2,
  kFloat8E5M2Fnuz,
  kUint4,
  kInt4,
  kFloat4E2M1, // numbers alone
  kFloat8E8M0, // powers of 2
};

// ONNX's element types that a program's value may have.
bool isFloatType(int elementType);      // float16, bfloat16, float, double
bool isSmallFloatType(int elementType); // those of 8 and 4 bits, which are read and never written
bool isIntegerType(int elementType);    // integers, of 4 bits too, and bool
std::string elementTypeName(int elementType);

float roundToHalf(float value); // to the nearest float16; an infinity where it overflows
float roundToBfloat16(float value);

} // namespace sd
