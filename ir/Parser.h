// Reads the text form of a module; the grammar is in docs/ir.md.
#pragma once

#include <optional>

#include "ir/Module.h"
#include "ir/core/Diagnostics.h"

namespace sd {

// The module, verified, or nothing and at least one error. One op a line; after an error the next line is read, so one
// run reports all. A type may be left out where the op determines it. `file` is for the locations.
std::optional<Module> parse(std::string_view text, std::string_view file, Diagnostics &diagnostics);

} // namespace sd
