// One case through everything: import, passes, code, both files written and read, fixed point, two parties.
//
// Compiled at scale 2^s: 1024, or 256 where the records' values need it to fit into 32 bits, or 1024 in 64 bits, and
// with those records as calibration data. What counts as right for an output tensor whose largest expected magnitude is
// M, in a program with L products by weights or of two values:
//   floats         imported network against the expected output: Trial::precision, relative above 1;
//   fixed point    against the expected output: Q = 8 * 2^-s * sqrt(max(1, L)) * max(1, M), and that precision. Each
//                  product brings in a few units of 2^-s, of its weights and of its operand, relative to the values at
//                  hand; those of different layers are independent;
//   two parties    against fixed point: equal, bit for bit.
#pragma once

#include "Suite.h"

namespace sd::testing {

enum class Verdict : std::uint8_t { Passed, Refused, Wrong };
std::string_view toString(Verdict verdict);

struct Outcome {
  Verdict verdict;
  std::string
      reason; // one line; of Passed: which inputs were secret, if not all; the scale and the ring, if not 1024 and 32
};

struct PathOptions {
  std::uint64_t mostMultiplyAdds = 200'000'000; // of a model that two parties run
};

Outcome runTrial(const Trial &trial, const PathOptions &options);

// Of all trials: wrong if any is; passed if any is, the one with the most secret inputs; else why the first is refused.
Outcome runCase(const Case &each, const PathOptions &options);

} // namespace sd::testing
