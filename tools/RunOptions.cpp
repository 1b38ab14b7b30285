#include "tools/RunOptions.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>

#include "data/Image.h"
#include "tools/ImageFlags.h"
#include "tools/TableOptions.h"

namespace sd {

namespace {

struct RawOptions {
  std::string preprocess = "two-party", classes, outOfRange = "refuse";
};

Expected<std::vector<ReportFormat>> parseFormats(const std::string &text) {
  static const std::map<std::string, ReportFormat> known = {{"csv", ReportFormat::Csv},
                                                            {"json", ReportFormat::Json},
                                                            {"html", ReportFormat::Html},
                                                            {"fhir", ReportFormat::Fhir},
                                                            {"dicom-sr", ReportFormat::DicomSr}};
  std::vector<ReportFormat> formats;
  if (text == "text") return formats;
  for (const std::string &name : CLI::detail::split(text, ',')) {
    const auto found = known.find(name);
    if (found == known.end()) return fail("text, csv, json, html, fhir or dicom-sr, not '{}'", name);
    if (std::ranges::find(formats, found->second) != formats.end()) return fail("'{}' is there twice", name);
    if (found->second == ReportFormat::DicomSr && !hasDicom())
      return fail("dicom-sr: this build writes no DICOM: build with DCMTK (libdcmtk-dev)");
    formats.push_back(found->second);
  }
  return formats;
}

// refuse, skip, clip or clip=TOLERANCE
Expected<ScreeningOptions> readScreening(const std::string &text) {
  ScreeningOptions screening;
  screening.showValues = ::isatty(STDERR_FILENO) == 1;
  if (text == "refuse") return screening;
  screening.outOfRange = text == "skip" ? OutOfRange::Skip : OutOfRange::Clip;
  if (text == "skip" || text == "clip") return screening;
  const std::string_view number = text.starts_with("clip=") ? std::string_view(text).substr(5) : std::string_view();
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), screening.tolerance);
  if (number.empty() || error != std::errc{} || end != number.data() + number.size() ||
      !(screening.tolerance >= 0 && std::isfinite(screening.tolerance)))
    return fail("--out-of-range is refuse, skip, clip or clip=TOLERANCE (a number from 0 on), not '{}'", text);
  return screening;
}

Expected<void> readPreprocess(const std::string &text, RunOptions &options) {
  if (text == "two-party") return {};
  options.mode = PreprocessMode::Dealer;
  if (text == "dealer" && options.local) return {};
  if (!text.starts_with("dealer=") || options.local)
    return fail("--preprocess is two-party or {}, not '{}'", options.local ? "dealer" : "dealer=HOST:PORT", text);
  SD_ASSIGN(options.dealer, options.network.endpoint(text.substr(7)));
  return {};
}

Expected<void> readStore(RunOptions &options, const RawOptions &raw) {
  if (options.store.empty()) {
    if (options.prepare > 0) return fail("--prepare needs --store DIR, where the inferences are kept");
    if (options.keep > 0) return fail("--keep needs --store DIR, where the inferences are kept");
    if (!options.storeKey.empty()) return fail("--store-key goes with --store postgresql://...");
    return {};
  }
  if (options.local) return fail("--local has no --store: it keeps nothing between runs");
  SD_TRY(StorePlace(options.store, options.storeKey).check());
  if (options.keep > 0 && options.prepare > 0) return fail("say either --prepare or --keep");
  if (options.keep > 0 && options.party != 1) return fail("--keep goes with --party 1: the hospital asks");
  options.purpose = options.prepare + options.keep > 0 ? Purpose::Prepare : Purpose::Stored;
  if (options.purpose == Purpose::Stored && raw.preprocess != "two-party")
    return fail("--preprocess goes with --prepare N: what is in the store has been made already");
  if (!options.ifEmpty.empty() && (options.party != 1 || options.purpose == Purpose::Prepare))
    return fail("--if-empty goes with --party 1 --store: what a run does that finds too few inferences");
  if (options.purpose == Purpose::Prepare &&
      !(options.inputs.empty() && options.outputs.empty() && raw.classes.empty()))
    return fail(
        "--prepare and --keep have no --input, --output or --classes: they make what later runs with --store use");
  return {};
}

Expected<void> readWatch(RunOptions &options, bool hasRecord) {
  if (options.watch.empty()) return {};
  if (!hasRecord) return fail("--watch is party 1's: it has the records");
  if (options.results.empty()) return fail("--watch needs --results FOLDER, where results and the ledger go");
  if (!(options.inputs.empty() && options.outputs.empty() && options.report.path.empty() && options.stats.empty() &&
        options.profile.empty()))
    return fail(
        "--watch has no --input, --output, --report, --stats or --profile: each file's results go to --results");
  if (options.report.formats.empty()) options.report.formats = {ReportFormat::Json};
  options.report.addsEnding = true;
  return {};
}

Expected<void> readReport(RunOptions &options) {
  ReportOptions &report = options.report;
  if (report.thumbnails && std::ranges::find(report.formats, ReportFormat::Html) == report.formats.end())
    return fail("--thumbnails needs --format html: the other formats have no pictures");
  if (!report.path.empty() && report.formats.empty())
    return fail("--report needs --format csv, json, html, fhir or dicom-sr: text is printed as it comes");
  if (report.formats.size() < 2 && !(report.formats == std::vector{ReportFormat::DicomSr} && report.path.empty()))
    return {};
  if (report.path.empty() && options.watch.empty()) {
    if (report.formats.size() > 1)
      return fail("several formats go to files: --report NAME, to which each adds its ending");
    return fail("--format dicom-sr needs --report FILE.dcm: a report is a file for each record");
  }
  report.addsEnding = true;
  return {};
}

Expected<void> finish(RunOptions &options, const RawOptions &raw, bool hasParty) {
  if (options.program.empty()) options.program = options.model + ".sdb";
  if (options.program == ".sdb") return fail("M.sdb is missing: the compiled program, or --model NAME");
  if (options.local == hasParty) return fail("say either --party 0, --party 1 or --local");
  SD_TRY(readStore(options, raw));
  SD_ASSIGN(options.screening, readScreening(raw.outOfRange));
  if (!raw.classes.empty()) options.classes = CLI::detail::split(raw.classes, ',');
  const bool isClient = options.local || options.party == 1;
  const bool hasRecord = isClient && options.purpose != Purpose::Prepare;
  if (!isClient && !(options.inputs.empty() && options.outputs.empty() && options.classes.empty()))
    return fail("party 0 has no --input, --output or --classes: the record and the result are party 1's");
  SD_TRY(readWatch(options, hasRecord));
  if (hasRecord && options.inputs.empty() && options.watch.empty()) return fail("--input is missing");
  if (options.resume && options.outputs.empty())
    return fail("--resume needs --output FILE: only results that go to a file can be gone on with");
  if (options.party == 1 && !options.weights.empty())
    return fail("party 1 has no --weights: they never leave the service");
  const bool reports = !options.report.formats.empty() || !options.report.audit.empty();
  if (reports && !hasRecord) return fail("--format and --audit are party 1's: it alone has results");
  SD_TRY(readReport(options));
  options.report.service = options.local ? "both parties in one process" : options.network.address;
  if (options.serve && isClient) return fail("--serve is party 0's");
  if (!options.model.empty() && (options.local || options.party == 0))
    return fail("--model is party 1's: it gets the model's program from the service");
  SD_ASSIGN(options.endpoint, options.network.endpoint(options.network.address));
  if (!options.watch.empty()) // which has pauses of its own, that a signal ends
    options.endpoint.waitForPeer = std::min(options.endpoint.waitForPeer, std::chrono::milliseconds(5000));
  SD_TRY(readPreprocess(raw.preprocess, options));
  if (options.weights.empty())
    options.weights = std::filesystem::path(options.program).replace_extension(".sdw").string();
  return {};
}

void addOptions(CLI::App &app, RunOptions &options, RawOptions &raw) {
  app.add_flag("--local", options.local, "both parties in this process");
  app.add_option("program", options.program, "compiled program, .sdb; with --model by default NAME.sdb")
      ->type_name("M.sdb");
  app.add_option("--model", options.model,
                 "party 1: a model of the service's (sd-serve): its public program is fetched into M.sdb, once")
      ->type_name("NAME")
      ->check([](const std::string &name) {
        return name.empty() || name.find('/') != name.npos ? "a model's name is not empty and has no '/'" : "";
      });
  app.add_option("--weights", options.weights, "party 0: the weights; default: .sdw beside the program")
      ->type_name("M.sdw")
      ->check(notEmpty);
  app.add_option("--address", options.network.address, "where party 0 listens and party 1 connects to")
      ->type_name("HOST:PORT")
      ->default_val("127.0.0.1:7766");
  app.add_option(
         "--input", options.inputs,
         "party 1: records: .npy, .npz, .csv, .tsv, PNG, JPEG, DICOM or FHIR files, a folder, a pattern such as "
         "'scans/*.png' "
         "in quotes, or - for the standard input; given several times, one after another; NAME=FILE if there are "
         "several inputs")
      ->type_name("[NAME=]FILE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  addTableOptions(app, options.tables);
  addImageFlags(app, options.images);
  app.add_option("--out-of-range", raw.outOfRange,
                 "party 1: records outside the program's range: refuse the batch, skip them (they have no result), or "
                 "clip values that are outside by at most TOLERANCE, or the last digits of a float")
      ->type_name("refuse|skip|clip[=TOLERANCE]")
      ->capture_default_str();
  CLI::Option *output =
      app.add_option("--output", options.outputs, "party 1: write the result as .npy instead of printing it")
          ->type_name("[NAME=]FILE")
          ->expected(1)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_flag("--resume", options.resume,
               "party 1: go on after the results that an interrupted run with the same --input and --output has left")
      ->needs(output);
  app.add_option("--id", options.identifiers,
                 "party 1: a column of the input that names the record, and goes through to the printed result")
      ->type_name("COLUMN")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  CLI::Option *format =
      app.add_option_function<std::string>(
             "--format",
             [&options](const std::string &text) {
               auto formats = parseFormats(text);
               if (!formats) throw CLI::ValidationError("--format", formats.error().message);
               options.report.formats = *std::move(formats);
             },
             "party 1: results as lines of text, as they come, or as a whole at the end, with what they "
             "are from: a table, JSON, a page, a FHIR R4 bundle, or a DICOM Structured Report for each record; "
             "several with a comma between")
          ->type_name("text|csv|json|html|fhir|dicom-sr")
          ->default_str("text");
  app.add_option("--report", options.report.path,
                 "party 1: where the result in --format goes, in place of being printed")
      ->type_name("FILE")
      ->check(notEmpty)
      ->needs(format);
  app.add_flag("--thumbnails", options.report.thumbnails,
               "party 1: the page of --format html shows a small picture of each image")
      ->needs(format);
  CLI::Option *watch = app.add_option("--watch", options.watch,
                                      "party 1: run what arrives in this folder, each file once, until a signal")
                           ->type_name("FOLDER")
                           ->check(notEmpty);
  app.add_option("--results", options.results,
                 "with --watch: where each file's result goes, in --format (json by default), and the ledger of what "
                 "is done")
      ->type_name("FOLDER")
      ->check(notEmpty)
      ->needs(watch);
  app.add_option("--rescan", options.rescan,
                 "with --watch: seconds between looks for files that the system did not tell of")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str()
      ->needs(watch);
  app.add_option("--audit", options.report.audit,
                 "party 1: append a line for each record, without its values; each holds the hash of the one before")
      ->type_name("FILE")
      ->check(notEmpty);
  app.add_option("--classes", raw.classes, "party 1: other names to print for the program's classes or findings")
      ->type_name("A,B,...|OLD=NEW,...")
      ->check(notEmpty)
      ->excludes(output);
  app.add_option("--preprocess", raw.preprocess,
                 "offline phase: two-party, dealer=HOST:PORT, or dealer (one in this process) with --local")
      ->capture_default_str();
  app.add_option("--stats", options.stats, "write time and traffic of each phase and op as JSON")
      ->type_name("S.json")
      ->check(notEmpty);
  app.add_option("--profile", options.profile, "write the last record's phases and ops in Chrome's trace format")
      ->type_name("TRACE.json")
      ->check(notEmpty);
  CLI::Option *store = app.add_option("--store", options.store,
                                      "take the correlations from this folder or postgresql://... database, where "
                                      "--prepare has put them, instead "
                                      "of making them")
                           ->type_name("DIR|URL")
                           ->check(notEmpty);
  app.add_option("--store-key", options.storeKey,
                 "the key file of a store in a database; made with the first --prepare")
      ->type_name("FILE")
      ->check(notEmpty)
      ->needs(store);
  app.add_option("--prepare", options.prepare, "make the correlations of N inferences with the peer, for later")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--keep", options.keep,
                 "party 1: prepare as many inferences as the store lacks of N with this service; none if there are so "
                 "many")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option(
         "--if-empty", options.ifEmpty,
         "party 1, with --store: where too few inferences are prepared, end (fail), or make the correlations as "
         "the run goes on (fresh)")
      ->type_name("fail|fresh")
      ->check(CLI::IsMember({"fail", "fresh"}))
      ->needs(store);
  CLI::Option *serve =
      app.add_flag("--serve", options.serve, "party 0: serve sessions until stopped; --stats has their totals");
  app.add_option("--sessions", options.sessions, "with --serve: how many at once")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str()
      ->needs(serve);
  app.add_option("--drain", options.drain,
                 "with --serve: seconds that sessions may go on after SIGTERM; 0: until they end")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 1e6))
      ->needs(serve);
  app.add_option("--longest-session", options.longest, "with --serve: seconds after which a session is ended")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 1e7))
      ->capture_default_str()
      ->needs(serve);
  app.add_option("--most-records", options.mostRecords, "with --serve: records that a hospital may announce")
      ->type_name("N")
      ->check(CLI::Range(std::uint64_t{1}, kMaxRecords))
      ->capture_default_str()
      ->needs(serve);
  app.add_flag("--verbose", options.verbose, "name each stored inference on stderr, before it is used")->needs(store);
  app.add_option("--weight-cache", options.weightCache,
                 "party 0: memory for prepared forms of the weights, which later inferences use; 0: none")
      ->type_name("MB")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  app.add_option("--memory", options.memory,
                 "refuse a program that needs more, before any is taken; default: what this machine has")
      ->type_name("MB")
      ->check(CLI::Range(1, 100'000'000));
  app.add_option("--threads", options.threads, "threads; default: one a core")->check(CLI::Range(1, 1024));
  options.network.addTo(app, "sd-run");
  addLogFlags(app, "sd-run");
}

} // namespace

std::string ReportOptions::pathOf(ReportFormat format, std::size_t record) const {
  const std::string number = record == 0 ? "" : fmt::format("-{}", record + 1);
  if (addsEnding) return fmt::format("{}{}{}", path, number, endingOf(format));
  const std::filesystem::path whole(path);
  return record == 0
             ? path
             : (whole.parent_path() / fmt::format("{}{}{}", whole.stem().string(), number, whole.extension().string()))
                   .string();
}

std::variant<RunOptions, int> parseRunOptions(int argc, char **argv) {
  RunOptions options;
  RawOptions raw;
  CLI::App app{"Runs a compiled program between the service (party 0), which has the weights, and the hospital (party "
               "1), which has the record and alone reads the result.",
               "sd-run"};
  CLI::Option *party =
      app.add_option("--party", options.party, "0: the service; 1: the hospital")->check(CLI::IsMember({0, 1}));
  addOptions(app, options, raw);
  if (const auto code = parseArguments(app, argc, argv)) return *code;
  if (auto finished = finish(options, raw, party->count() > 0); !finished) {
    writeError(fmt::format("sd-run: {}\nRun with --help for more information.\n", finished.error().message));
    return static_cast<int>(ErrorKind::Usage);
  }
  return options;
}

} // namespace sd
