// Interval analysis of the integers of a lowered module: where each value lies for every record that the declared input
// ranges admit, if every promise of an interactive op holds.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "ir/Module.h"

namespace sd {

// low <= q <= high, elementwise. The shape broadcasts to the value's: dimensions of 1 where the bounds don't vary.
struct Interval {
  Tensor<double> low, high;

  static Interval uniform(double low, double high) {
    return {Tensor<double>(Shape{}, low), Tensor<double>(Shape{}, high)};
  }
  double least() const, most() const;
  double magnitude() const; // largest |q|
};

enum class Knowledge : std::uint8_t {
  Public,  // weights are unknown: what the hospital may know too
  Weights, // the service's proof
};

// |y| that op takes: 2^k - 2^t of a truncation, ReLU; 2^k - 1 of the difference of a maximum; 2^(ringBits - 1) - 1 of
// an output.
double limitOf(const Op &op, int ringBits);

// Called before each op with a limit, with the largest |y| that the intervals of its operands admit.
using LimitVisitor = std::function<void(std::size_t op, double magnitude)>;

// Of each element of an input's record, by the input's name: narrower than nn.input's low and high.
using ColumnRanges = std::map<std::string, std::vector<std::pair<double, double>>>;

// Walks the module in order. A value beyond an op's limit is reported, and taken as within it from there on.
void walkIntervals(const Module &module, Knowledge knowledge, const LimitVisitor &visit,
                   const ColumnRanges &columns = {});

} // namespace sd
