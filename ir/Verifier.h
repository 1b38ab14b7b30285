// What a module as a whole must satisfy, beside each op's own rule.
#pragma once

#include "ir/Module.h"
#include "ir/core/Diagnostics.h"

namespace sd {

// V1, V2, ...: checked in this order, numbered in messages.
std::span<const std::string_view> moduleConstraints();

// Reports every violation; `locations`, if given, holds one entry an op, and V2 violations name the op otherwise.
// Returns whether the module is valid.
bool verify(const Module &module, Diagnostics &diagnostics, std::span<const Location> locations = {});

// The same, with the first violation as the error. For passes and tools.
Expected<void> verify(const Module &module);

// Whether the module holds a share op.
bool isLowered(const Module &module);

} // namespace sd
