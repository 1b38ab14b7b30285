// The text form of a module; the grammar is in docs/ir.md.
#pragma once

#include "ir/Module.h"

namespace sd {

struct PrintOptions {
  bool elide = false; // large constants are left out: for reading, can't be parsed again
};

// Values are numbered in order of definition. parse(print(m)) == m, floats bit for bit.
std::string print(const Module &module, PrintOptions options = {});

} // namespace sd
