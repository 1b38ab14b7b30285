// Small programs for the tests of the bytecode.
#pragma once

#include "ir/bytecode/Program.h"

namespace sd {

struct Sample {
  Program program;
  WeightSet<Ring32> weights; // without the program's digest
};

// x -> (x - mean) -> share -> matmul, relu, matmul -> output -> softmax: 2 features, 3 hidden units, 2 classes.
Sample tinyMlp();

// y = 3 x + b, of one number: the worked example of docs/bytecode.md.
Sample smallest();

// Two branches whose comparisons share a round group, a maximum, a truncation and a product; two inputs, two outputs.
Sample branches();

// An inspection's text without its lines about the offline phase, whose cost is no part of the format.
std::string withoutOfflineCost(const std::string &text);

// The file with the digest that its content asks for: corruption that the digest doesn't catch.
std::vector<std::uint8_t> withProgramDigest(std::vector<std::uint8_t> file);
std::vector<std::uint8_t> withWeightsDigest(std::vector<std::uint8_t> file);

} // namespace sd
