// Lists of names in the metadata of a model's file.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sd {

// The names in a JSON list, in an object or a Python dictionary by their numbers from 0 ({0: 'cat', 1: 'dog'}), or with
// commas between them. Empty if it is none of these.
std::vector<std::string> parseNames(std::string_view text);

} // namespace sd
