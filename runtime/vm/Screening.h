// What a batch does about records that can't go in.
#pragma once

#include "runtime/vm/Records.h"

namespace sd {

enum class OutOfRange {
  Refuse, // the batch, before anything is sent
  Skip,   // the record, which then has no result
  Clip,   // values that are outside by no more than a tolerance become the range's end; others refuse the batch
};

struct ScreeningOptions {
  OutOfRange outOfRange = OutOfRange::Refuse;
  // How far outside is clipped. Negative: 2^-21 of the range's larger end, which is the last digits of a float.
  double tolerance = -1;
  bool showValues = false; // in messages: only for the terminal of who has the records
};

struct Screening {
  std::vector<bool> skipped;        // by record
  std::uint64_t clipped = 0;        // values
  std::vector<std::string> remarks; // why the first of the skipped ones were, and how many there are
};

// Checks all records: shapes, ranges, numbers small enough for the program's integers. Errors and remarks name record,
// input, element and range.
Expected<Screening> screenRecords(const Program &program, std::span<NamedTensors> records,
                                  const ScreeningOptions &options);

} // namespace sd
