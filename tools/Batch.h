// A hospital's records from their files to their results: which of them are run, and how that ends.
#pragma once

#include "tools/Delivery.h"
#include "tools/Interruption.h"

namespace sd {

struct IdentifiedRecords {
  std::vector<NamedTensors> records;
  std::vector<std::string> identifiers; // of each record, or none
  std::vector<RecordOrigin> origins;    // the same
};

class Batch {
public:
  // Screens the records and opens the delivery; says what was skipped or clipped. All references outlive the batch.
  static Expected<Batch> open(const RunOptions &options, const RunFiles &files, const LoadedProgram &program,
                              IdentifiedRecords records);

  // The records that are still to be run: neither skipped nor done by the run that --resume goes on with.
  std::span<const NamedTensors> toRun() const { return records_; }

  Expected<void> put(std::vector<Tensor<float>> outputs); // of the next of toRun()

  bool isComplete() const; // each record of toRun() has been put

  // Brings the results home. The error that ends the run, if any: `failure` with what has become of the results, a
  // result that is not where it should be, or one that is not valid.
  Expected<void> finish(const Error *failure, const Interruption &interruption);

private:
  Batch(std::unique_ptr<std::vector<bool>> skipped, Delivery delivery, std::vector<NamedTensors> records)
      : skipped_(std::move(skipped)), delivery_(std::move(delivery)), records_(std::move(records)) {}
  Expected<void> passSkipped();

  std::unique_ptr<std::vector<bool>> skipped_; // the delivery refers to it
  Delivery delivery_;
  std::vector<NamedTensors> records_;
  std::uint64_t put_ = 0; // of records_
};

} // namespace sd
