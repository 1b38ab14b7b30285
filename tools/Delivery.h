// What becomes of the results of a run: printed as they come, or kept as they come and in their files at the end.
//
// With files, each result goes to a journal beside the first of them (ResultJournal.h), and at the end, whatever it is,
// all that were finished go to the files. What can't be written where it should is written to another folder, and
// errors name it: no result that was computed is lost.
#pragma once

#include <optional>

#include "data/DicomSr.h"
#include "ir/bytecode/ProgramIo.h"
#include "ir/bytecode/Reader.h"
#include "runtime/vm/Records.h"
#include "runtime/vm/ResultWords.h"
#include "tools/RunFiles.h"

namespace sd {

struct DeliveryOptions {
  const LoadedProgram &program;
  const RunFiles &files;
  const std::vector<std::string> &classes;
  const std::vector<bool> &skipped;     // by record: it has no result, as the user wanted
  std::vector<std::string> identifiers; // of each record, or none
  std::vector<RecordOrigin> origins;    // the same
  bool resume = false;
  const ReportOptions &report;
};

class ResultJournal;

class Delivery {
public:
  // `records` is the digest of what goes in. All references outlive the delivery.
  static Expected<Delivery> open(const DeliveryOptions &options, const Digest &records);
  Delivery(Delivery &&) noexcept;
  ~Delivery();

  std::uint64_t done() const { return done_; } // records that have been delivered; an earlier run's too, with `resume`

  // The next record's outputs, or none if it has no result: NaN in files. After an error no more can be put.
  Expected<void> put(const std::vector<Tensor<float>> &outputs);

  // Writes the files, with as many results as there are. An error names what is not in its place, and where it is.
  Expected<void> finish();

  // Where the results of an unfinished batch are, and how to go on, to be added to the message of why; empty if there
  // are none, or they were printed.
  std::string whereabouts() const;

  // An error that names the records without valid results.
  Expected<void> checkValid() const;

private:
  Delivery(const DeliveryOptions &options, ResultWords words);
  void collect(const std::vector<Tensor<float>> &outputs, std::uint64_t record); // for the report
  std::string idOf(std::uint64_t record) const;
  RecordOrigin originOf(std::uint64_t record) const;
  std::vector<Tensor<float>> outputsOf(std::span<const float> values) const; // of an entry of the journal
  Expected<void> writeReports();
  Expected<void> writeDocuments(const ReportFacts &facts) const; // DICOM's, one a record
  Expected<void> writeFiles();
  Expected<void> printNext(const std::vector<Tensor<float>> &outputs);
  Expected<void> keepNext(const std::vector<Tensor<float>> &outputs);
  Expected<void> writeOutput(const std::string &path, std::size_t output) const;
  Expected<std::string> writeSomewhere(const std::string &path, std::size_t output) const;

  DeliveryOptions options_;
  ResultWords words_;
  ProgramIo io_;
  std::uint64_t count_ = 0, done_ = 0, kept_ = 0; // kept_: of done_, those of an earlier run
  std::vector<std::uint64_t> invalid_;
  std::unique_ptr<ResultJournal> journal_;
  std::string place_;                    // of the journal, where --resume looks for it
  std::vector<float> last_;              // the result that no journal would take
  std::vector<ReportedRecord> reported_; // with a format, those of done_
};

} // namespace sd
