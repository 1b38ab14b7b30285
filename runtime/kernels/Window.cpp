#include "runtime/kernels/Window.h"

namespace sd {

Window plainWindow(Shape kernel) {
  const std::size_t rank = kernel.size();
  return {std::move(kernel), Shape(rank, 1), Shape(rank, 1), Shape(rank, 0), Shape(rank, 0)};
}

Shape outputExtents(const Shape &input, const Window &window) {
  assert(input.size() == window.kernel.size());
  Shape output(input.size());
  for (std::size_t i = 0; i < input.size(); ++i) {
    std::int64_t span = window.dilations[i] * (window.kernel[i] - 1) + 1;
    std::int64_t room = input[i] + window.padsBegin[i] + window.padsEnd[i] - span;
    output[i] = room < 0 ? 0 : room / window.strides[i] + 1;
  }
  return output;
}

} // namespace sd
