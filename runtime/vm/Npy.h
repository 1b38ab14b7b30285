// NumPy's .npy format, versions 1 to 3 (numpy.lib.format).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ir/core/Tensor.h"

namespace sd {

// Element types: bool, integers of 1 to 8 bytes, floats of 4 or 8, of either byte order; rows or columns first. All are
// converted to the nearest float. Refused: any other type, a header that is not as NumPy writes it, a shape beyond the
// project's limits, a length that does not fit the shape, an infinity that the file did not hold.
Expected<Tensor<float>> parseNpy(std::string_view content);

// What stands in front of the elements ('<f4', rows first) of an array of that shape.
std::string npyHeader(const Shape &shape);

std::string encodeNpy(const Tensor<float> &tensor);        // '<f4'
std::string encodeNpy(const Tensor<std::int64_t> &tensor); // '<i8'

} // namespace sd
