// The fixed-point program against the float model, on records.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/Module.h"

namespace sd {

using Record = std::map<std::string, Tensor<float>>; // the inputs of one run, by name

struct CompareOptions {
  const Tensor<float> *labels = nullptr; // a class for each record; or of findings, a 0 or 1 for each of its findings
  bool scores = true;                    // else the lowered module opens classes, whose values are no scores
  // What another implementation says of outputs by name, record after record.
  const std::map<std::string, Tensor<float>> *expected = nullptr;
  // PassOptions::thresholds: a record of findings is of the same class if each of them is decided alike.
  const std::map<std::string, std::vector<double>> *thresholds = nullptr;
  // An output's range is that of so many records, one group after another, and rangeError that which nine of ten groups
  // stay below: more records have more outliers, and against their range every error is small. 0: of all records.
  std::size_t group = 0;
  std::function<void(std::size_t done, std::size_t all)> progress = {}; // of records, from any thread
};

// The largest error of an output over all records, and its least and largest value.
struct OutputError {
  std::string name; // none if all are exact or name classes
  double error = 0, low = 0, high = 0;
};

// What one record's output decides, by the float model and by the fixed-point one: a class, or each finding (0 or 1).
struct ComparedRecord {
  std::vector<std::int64_t> floats, fixed, labels; // labels: none without
  double error = 0; // the largest of the run that the record is in, over all outputs; 0 if they are not compared
};

struct Comparison {
  std::int64_t records = 0, same = 0;          // of the same class in both
  std::int64_t floatRight = 0, fixedRight = 0; // of the class that the labels say
  std::int64_t elements = 0;                   // of all outputs
  double errorSum = 0, errorMost = 0;          // |float - fixed| over all elements
  double outputMost = 0;                       // largest |float|
  double rangeError = 0;                       // the largest error of an output, as a part of its range
  OutputError worst;                           // of the output that it is of
  bool compared = true;                        // the errors are known: see CompareOptions::scores
  std::optional<double> importMost;            // largest |float - expected|
  std::vector<ComparedRecord> each;            // record after record
  std::int64_t classes = 0;                    // that the output tells apart; 0: not known, or it is findings
  std::vector<double> seen;                    // by op of the lowered module: the largest |y| that entered it

  // Whether less than 1 % of the classes (one is allowed from 20 records) and less than 2 % of the output range differ.
  bool sameClasses() const;
  bool close() const { return sameClasses() && (!compared || rangeError <= 0.02); }
};

// Runs both modules on every record, on all cores. A secure run gives what the fixed-point one does. The classes are
// those of the first output that names them, else of the first of all: its largest element, or whether its only one is
// above one half (behind a sigmoid) or zero. Error if a record does not fit, or lies outside a declared range, if
// what is expected has another size, or a label is no class of the model's.
Expected<Comparison> compare(const Module &imported, const Module &lowered, std::span<const Record> records,
                             const CompareOptions &options);

// How many records a run takes: the size of the inputs' first axis, if the network treats what lies along it apart
// (ir/Rows.h); else 1.
std::int64_t recordsInRun(const Module &imported);

// "99.00 % (99 of 100)"
std::string percentOf(std::int64_t part, std::int64_t whole);

} // namespace sd
