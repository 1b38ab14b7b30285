// The committed table of verdicts: a line a case, sorted by name.
//   passed  node/test_add
//   passed  node/test_conv (1 of 2 inputs secret)
//   refused node/test_acos: node 'y' (Acos, opset 7): not supported; ...
#pragma once

#include <map>

#include "WholePath.h"

namespace sd::testing {

using Table = std::map<std::string, Outcome>;

Expected<Table> readTable(const std::filesystem::path &path);
Expected<void> writeTable(const std::filesystem::path &path, const Table &table);
std::string rowOf(const std::string &name, const Outcome &outcome);

} // namespace sd::testing
