// The command line of sd-run.
#pragma once

#include <variant>
#include <vector>

#include "data/ImageOptions.h"
#include "data/Results.h"
#include "runtime/vm/Csv.h"
#include "runtime/vm/Providers.h"
#include "runtime/vm/Screening.h"
#include "tools/NetworkOptions.h"

namespace sd {

// Results beside, or in place of, lines of text.
struct ReportOptions {
  std::vector<ReportFormat> formats; // none: text
  std::string path;                  // empty: the standard output
  bool addsEnding = false;           // each format's is added to the path: there are several, or a folder is watched
  bool thumbnails = false;           // of images, in HTML
  std::string audit;                 // a file; empty: none
  std::string service;               // whom results are from

  // `record`, from 0: of formats that have a file for each; later ones have their number before the ending.
  std::string pathOf(ReportFormat format, std::size_t record = 0) const;
};

struct RunOptions {
  int party = 0;
  bool local = false; // both parties in this process
  std::string program, weights;
  std::string model; // of the service's, to be fetched into program; none if empty
  NetworkOptions network;
  EndpointOptions endpoint;                 // of the peer
  std::vector<std::string> inputs, outputs; // [NAME=]FILE each; see RunFiles.h
  PreprocessMode mode = PreprocessMode::TwoParty;
  EndpointOptions dealer; // with PreprocessMode::Dealer, unless local
  std::string stats, profile;
  bool serve = false;                    // party 0: sessions until stopped
  unsigned sessions = 8;                 // of them at once
  double drain = 0;                      // seconds from a signal to the end of sessions that still go on; 0: none
  double longest = 86400;                // seconds that a session may take
  std::uint64_t mostRecords = 1'000'000; // of a session
  std::string store, storeKey;           // StorePlace; none without
  std::uint64_t prepare = 0, keep = 0;
  std::string ifEmpty;              // --if-empty: "fail" (also if empty) or "fresh"
  Purpose purpose = Purpose::Fresh; // as store and prepare say
  bool verbose = false;
  unsigned threads = 0;
  std::uint64_t memory = 0; // MB that all sessions may take together; 0: what the machine has
  std::uint64_t weightCache = WeightTransforms::kDefaultBudget / 1'000'000; // party 0: MB
  std::vector<std::string> classes;
  CsvOptions tables;          // how --input is read
  ImageOptions images;        // the same of images
  ScreeningOptions screening; // what --out-of-range says
  bool resume = false;
  std::vector<std::string> identifiers; // columns
  ReportOptions report;
  std::string watch, results; // folders of records and their results; empty: the inputs are all
  double rescan = 10;         // seconds between looks into the folder
};

// The options, or the exit code if the program shall end here: after --help, or after a usage error, which has been
// said.
std::variant<RunOptions, int> parseRunOptions(int argc, char **argv);

} // namespace sd
