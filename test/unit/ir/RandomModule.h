// Seeded random modules that obey every rule, at either level, for property tests.
#pragma once

#include <random>

#include "ir/Module.h"

namespace sd::test {

// A share-level module if `lowered`, else an nn-level one; a few dozen ops of all kinds that fit.
Module randomModule(std::uint32_t seed, bool lowered, int ringBits = kBitsOf<Ring32>);

} // namespace sd::test
