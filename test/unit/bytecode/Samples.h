// Small programs for the tests of the bytecode.
#pragma once

#include "ir/bytecode/Reader.h"

namespace sd {

struct Sample {
  Program program;
  AnyWeightSet weights; // without the program's digest

  void bind(const Digest &digest) { // the weights to the program
    std::visit([&](auto &set) { set.program = digest; }, weights);
  }
};

// x -> (x - mean) -> share -> matmul, relu, matmul -> output -> softmax: 2 features, 3 hidden units, 2 classes.
Sample tinyMlp();

// y = 3 x + b, of one number: the worked example of docs/bytecode.md.
Sample smallest();

// Two branches whose comparisons share a round group, a maximum, a truncation and a product; two inputs, two outputs.
Sample branches();

// In the ring of 64 bits: x 2^33 times a weight, plus one, of which no 32 bits hold any, truncated and compared.
Sample wide();

// Scores of two matrices that are computed from one record: a product of matrices, truncated.
Sample matrices();

// The same program as format version 1 has it: without a schema.
Sample asVersion1(Sample sample);

// The weights of a program of either ring.
Expected<AnyWeightSet> readAnyWeights(Bytes bytes, const Program &program, const Digest &digest);

// An inspection's text without its lines about the offline phase, whose cost is no part of the format.
std::string withoutOfflineCost(const std::string &text);

// The file with the digest that its content asks for: corruption that the digest doesn't catch.
std::vector<std::uint8_t> withProgramDigest(std::vector<std::uint8_t> file);
std::vector<std::uint8_t> withWeightsDigest(std::vector<std::uint8_t> file);

} // namespace sd
