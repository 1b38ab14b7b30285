// The options of every tool that reads tables.
#pragma once

#include "runtime/vm/Csv.h"

namespace CLI {
class App;
}

namespace sd {

// Adds --delimiter, --decimal and --header, which set `options`. It outlives the parsing.
void addTableOptions(CLI::App &app, CsvOptions &options);

} // namespace sd
