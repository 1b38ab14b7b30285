// Which layer an error of the results comes from.
#pragma once

#include "compiler/Comparison.h"
#include "passes/Pass.h"

namespace sd {

// A compilation, and floats against fixed point on records.
struct Measured {
  const Module &imported, &lowered;
  const PassContext &context;
  std::span<const Record> records;
  const Comparison &comparison;
};

// What most of it comes from: "values beyond the limit of Gemm_3 (share.truncate)", "the rounded weights of Conv_1
// (nn.conv)" and the like. Each kind of rounding is done alone, in floats, layer by layer. Empty if that would take
// long.
std::string sourceOfError(const Measured &measured);

} // namespace sd
