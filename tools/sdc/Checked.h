// A model and what it does on records: what sdc check prints and sdc report draws.
#pragma once

#include "compiler/Comparison.h"
#include "tools/sdc/Common.h"

namespace sd::tool {

struct CheckFlags {
  ModelFlags model;
  std::vector<std::string> data, expected; // [NAME=]FILE
  std::string labels;
  std::size_t records = 0; // 0: all
};

// What addModelFlags() and addRecordFlags() add, and --records.
void addCheckFlags(CLI::App &command, CheckFlags &flags);

// The largest |y| before an op with a bound, or an output.
struct SeenRange {
  std::string where;
  double seen = 0, proved = 0, limit = 0;
  bool isProved() const { return proved <= limit; }
};

struct Checked {
  Job job;
  Comparison sum;
  bool hasLabels = false, hasScores = true; // hasScores: else the outputs are classes, and no scores to compare

  std::vector<SeenRange> ranges() const;
  // Whether no value seen lies beyond what its op takes.
  bool holdsWithin() const;
  // How many records of each label (row) are of each class (column); empty if there are no labels, or several findings.
  std::vector<std::vector<std::int64_t>> confusion() const;
  // Of each finding, on how many records the program's decision is the label's; empty without labels of several.
  std::vector<std::int64_t> findingsRight() const;
};

// Compiles the model, and runs it in floats and in fixed point on the records.
Expected<Checked> checkModel(const CheckFlags &flags);

} // namespace sd::tool
