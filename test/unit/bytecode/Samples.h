// Small programs for the tests of the bytecode.
#pragma once

#include "ir/bytecode/Program.h"

namespace sd {

struct Sample {
  Program program;
  WeightSet weights; // without the program's digest
};

// x -> (x - mean) -> share -> matmul, relu, matmul -> output -> softmax: 2 features, 3 hidden units, 2 classes.
Sample tinyMlp();

// Two branches whose comparisons share a round group, a maximum, a truncation and a product; two inputs, two outputs.
Sample branches();

} // namespace sd
