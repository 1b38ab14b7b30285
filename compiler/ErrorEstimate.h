// How far fixed point is from the floats, where there are no records to see it on: on random ones.
#pragma once

#include "compiler/Comparison.h"
#include "compiler/RandomRecords.h"
#include "passes/Pass.h"

namespace sd {

struct ErrorEstimate {
  std::vector<Record> records;           // in the declared ranges; the same ones each time
  RecordKind kind = RecordKind::Uniform; // of them: that of the largest error
  std::vector<std::string> assumed;      // input ranges that they lie in where none is declared, as flags
  Comparison comparison;                 // of scores, even if classes are revealed

  // Whether a result may be off by more than 1 % of the output's range; and that with a margin, for other records than
  // these may be off by more.
  bool isLarge() const { return !(comparison.rangeError <= kLarge); }
  bool isSmall() const { return comparison.rangeError <= kSmall && assumed.empty(); }

  static constexpr double kSmall = 0.005, kLarge = 0.007;
};

// Why a model is too large to be estimated; empty if it is not.
std::string whyNotEstimated(const Module &imported, const Module &lowered);

// None for such models.
std::optional<ErrorEstimate> estimateError(const Module &imported, const Module &lowered, const PassContext &context);

// "on 32 random records of the declared range"
std::string describeRecords(const ErrorEstimate &estimate);

// What is off, by how much and because of which layer; in one line.
std::string describeError(const ErrorEstimate &estimate, const Module &imported, const Module &lowered,
                          const PassContext &context);

} // namespace sd
