// What a value is: who holds it, its shape, and for integers its scale.
#pragma once

#include <string>

#include "ir/core/Tensor.h"

namespace sd {

enum class Holder : std::uint8_t {
  Clear,  // floats. At nn level the meaning of the model; in a lowered module, the hospital's (P1's) plaintext
  Weight, // quantised integers that P0 alone holds
  Share,  // X + r in the ring: P0 holds X, P1 the mask r
};

// An integer q of scale s stands for the real q / 2^s. A scale may be negative. Clear values have scale 0.
struct Type {
  Holder holder = Holder::Clear;
  Shape shape;
  int scale = 0;

  static Type clear(Shape shape) { return {Holder::Clear, std::move(shape), 0}; }
  static Type weight(Shape shape, int scale) { return {Holder::Weight, std::move(shape), scale}; }
  static Type share(Shape shape, int scale) { return {Holder::Share, std::move(shape), scale}; }
  bool operator==(const Type &) const = default;
};

inline constexpr int kMaxScale = 62; // |scale| of any integer type

// "clear<1x30>", "weight<16x30, 2^10>", "share<1x16, 2^20>", "clear<scalar>".
std::string toString(const Type &type);

} // namespace sd
