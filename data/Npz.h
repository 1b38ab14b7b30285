// NumPy's .npz: a ZIP archive of .npy files, stored or deflated.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ir/core/Error.h"

namespace sd {

// Name (without .npy) and bytes of each array, in the archive's order. Refused: archives that are damaged, encrypted or
// hold anything else; more than `limit` bytes in all.
Expected<std::vector<std::pair<std::string, std::string>>> readNpz(std::string_view content, std::uint64_t limit);

} // namespace sd
