#include "tools/Delivery.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>

#include "ir/bytecode/Digest.h"
#include "ir/bytecode/File.h"
#include "runtime/service/Audit.h"
#include "runtime/vm/Npy.h"
#include "runtime/vm/Report.h"
#include "runtime/vm/ResultJournal.h"
#include "tools/Console.h"

namespace sd {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostIdentifierBytes = 200;

// Other folders for what can't be written where it should, in this order.
std::vector<fs::path> otherFolders() {
  std::vector<fs::path> folders{"."};
  for (const char *name : {"HOME", "TMPDIR"})
    if (const char *value = std::getenv(name); value != nullptr && *value != 0) folders.emplace_back(value);
  folders.emplace_back("/tmp");
  return folders;
}

// Calls `write` with a path of that name in other folders until it succeeds; the path, or the last error.
Expected<std::string> writeElsewhere(const std::string &name, const std::function<Expected<void>(std::string)> &write) {
  Expected<void> written;
  for (const fs::path &folder : otherFolders()) {
    const std::string path = (folder / fmt::format("sd-run.{}.{}", ::getpid(), name)).lexically_normal().string();
    written = write(path);
    if (written) return path;
  }
  return tl::unexpected(written.error());
}

bool isValidRecord(const std::vector<Tensor<float>> &outputs) {
  return std::ranges::all_of(outputs, [](const Tensor<float> &output) { return isValid(output.data); });
}

std::string timeNow() { return service::toRfc3339(std::chrono::system_clock::now()); }

// A report to its place: a file, or the standard output if the path is empty.
Expected<void> bring(const std::string &path, const std::string &text) {
  const auto write = [&](const std::string &to) {
    return writeFileAtomically(to, {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()},
                               FileMode::Private);
  };
  Expected<void> written;
  if (!path.empty())
    written = write(path);
  else if (!writeOut(text))
    written = fail("can't write to the standard output");
  if (written) return {};
  const auto other = writeElsewhere(path.empty() ? "report.txt" : fs::path(path).filename().string(), write);
  return fail(ErrorKind::Output, "{}; {}{}", written.error().message,
              other ? "the report is in " : "the report is lost: ", other ? *other : other.error().message);
}

Shape joined(Shape shape, std::uint64_t records) {
  if (shape.empty()) shape = {1};
  shape[0] *= static_cast<std::int64_t>(records);
  return shape;
}

} // namespace

Delivery::Delivery(const DeliveryOptions &options, ResultWords words)
    : options_(options), words_(std::move(words)), io_(ioOf(options.program.program)), count_(options.skipped.size()) {}
Delivery::Delivery(Delivery &&) noexcept = default;
Delivery::~Delivery() = default;

Expected<Delivery> Delivery::open(const DeliveryOptions &options, const Digest &records) {
  SD_ASSIGN(ResultWords words, ResultWords::make(options.program.program, options.classes));
  Delivery delivery(options, std::move(words));
  if (options.files.outputs.empty()) return delivery;
  BatchKey key{options.program.digest, records, delivery.count_, 0};
  for (const Port &port : delivery.io_.outputs) {
    key.floats += static_cast<std::uint64_t>(elementCount(options.program.program.slots[port.slot].shape));
    const auto file = options.files.outputs.find(port.name);
    if (file != options.files.outputs.end() && delivery.place_.empty()) delivery.place_ = file->second + ".journal";
  }
  SD_ASSIGN(ResultJournal journal, ResultJournal::open(delivery.place_, key, options.resume));
  std::vector<float> values(key.floats);
  for (std::uint64_t record = 0; record < journal.size(); ++record) {
    SD_TRY(journal.read(record, values));
    if (!isValid(values) && !options.skipped[record]) delivery.invalid_.push_back(record);
    delivery.collect(options.skipped[record] ? std::vector<Tensor<float>>() : delivery.outputsOf(values), record);
  }
  delivery.done_ = delivery.kept_ = journal.size();
  delivery.journal_ = std::make_unique<ResultJournal>(std::move(journal));
  return delivery;
}

Expected<void> Delivery::put(const std::vector<Tensor<float>> &outputs) {
  for (const Tensor<float> &output : outputs)
    if (!isValid(output.data)) {
      invalid_.push_back(done_);
      break;
    }
  collect(outputs, done_);
  SD_TRY(journal_ ? keepNext(outputs) : !options_.report.formats.empty() ? Expected<void>() : printNext(outputs));
  ++done_;
  if (options_.report.audit.empty()) return {};
  auto logged = service::appendToAudit(options_.report.audit, {{"time", timeNow()},
                                                               {"id", idOf(done_ - 1)},
                                                               {"program", toHex(options_.program.digest)},
                                                               {"service", options_.report.service},
                                                               {"valid", !outputs.empty() && isValidRecord(outputs)}});
  if (!logged) logged.error().kind = ErrorKind::Output;
  return logged;
}

std::string Delivery::idOf(std::uint64_t record) const {
  return options_.identifiers.empty() ? fmt::format("{}", record + 1)
                                      : plainText(options_.identifiers[record], kMostIdentifierBytes);
}

RecordOrigin Delivery::originOf(std::uint64_t record) const {
  return options_.origins.empty() ? RecordOrigin{} : options_.origins[record];
}

std::vector<Tensor<float>> Delivery::outputsOf(std::span<const float> values) const {
  std::vector<Tensor<float>> outputs;
  for (const Port &port : io_.outputs) {
    const Shape &shape = options_.program.program.slots[port.slot].shape;
    const auto count = static_cast<std::size_t>(elementCount(shape));
    outputs.emplace_back(shape,
                         std::vector<float>(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count)));
    values = values.subspan(count);
  }
  return outputs;
}

void Delivery::collect(const std::vector<Tensor<float>> &outputs, std::uint64_t record) {
  if (options_.report.formats.empty()) return;
  ReportedRecord each{idOf(record), !outputs.empty() && isValidRecord(outputs), "", {}, originOf(record)};
  if (!each.valid)
    each.problem = outputs.empty() ? "the record is outside the program's range and was skipped"
                                   : "a value inside the network left its bound";
  else
    for (std::size_t i = 0; i < outputs.size(); ++i)
      for (ResultCell &cell : words_.cells(i, outputs[i]))
        each.cells.push_back(std::move(cell));
  reported_.push_back(std::move(each));
}

// With what was finished; records that were not run are in it, without results.
Expected<void> Delivery::writeReports() {
  if (options_.report.formats.empty() || done_ == 0) return {};
  for (std::uint64_t record = reported_.size(); record < count_; ++record)
    reported_.push_back({idOf(record), false, "the run ended before this record", {}, originOf(record)});
  ReportFacts facts = factsOf(options_.program.program, options_.program.digest);
  facts.service = options_.report.service;
  facts.time = timeNow();
  Expected<void> first;
  for (const ReportFormat format : options_.report.formats)
    if (const Expected<void> written = format == ReportFormat::DicomSr ? writeDocuments(facts)
                                                                       : bring(options_.report.pathOf(format),
                                                                               renderReport(format, facts, reported_));
        !written && first)
      first = written;
  return first;
}

// The first record's last: it has the name that tells a watched folder that all are there.
Expected<void> Delivery::writeDocuments(const ReportFacts &facts) const {
  for (std::size_t record = reported_.size(); record-- > 0;) {
    SD_ASSIGN(const std::string document, renderDicomSr(facts, reported_[record], record));
    SD_TRY(bring(options_.report.pathOf(ReportFormat::DicomSr, record), document));
  }
  return {};
}

Expected<void> Delivery::printNext(const std::vector<Tensor<float>> &outputs) {
  const std::uint64_t number = count_ > 1 ? done_ + 1 : 0;
  std::string heading = number > 0 || outputs.empty() ? fmt::format("record {}: ", done_ + 1) : "";
  if (!options_.identifiers.empty())
    heading = fmt::format("record {} ({}): ", done_ + 1, plainText(options_.identifiers[done_], kMostIdentifierBytes));
  const std::string text =
      outputs.empty() ? heading + "no result\n" : describeRecord(options_.program.program, words_, outputs, heading);
  if (writeOut(text)) return {};
  const auto kept = writeElsewhere("result.txt", [&](const std::string &path) {
    return writeFileAtomically(path, {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()},
                               FileMode::Private);
  });
  ++done_;
  return fail(ErrorKind::Output,
              "can't write the result to the standard output; {}{}; --output FILE writes results to "
              "a file",
              kept ? (number > 0 ? fmt::format("that of record {} is in ", number) : "it is in ") : "it is lost: ",
              kept ? *kept : kept.error().message);
}

Expected<void> Delivery::keepNext(const std::vector<Tensor<float>> &outputs) {
  std::vector<float> values;
  for (const Tensor<float> &output : outputs)
    values.insert(values.end(), output.data.begin(), output.data.end());
  if (outputs.empty())
    for (const Port &port : io_.outputs)
      values.resize(values.size() +
                        static_cast<std::size_t>(elementCount(options_.program.program.slots[port.slot].shape)),
                    std::numeric_limits<float>::quiet_NaN());
  const Expected<void> kept = journal_->isThere()
                                  ? journal_->append(values)
                                  : fail(ErrorKind::Output, "{}: somebody has deleted it", journal_->path());
  if (kept) return {};
  const std::string name = fs::path(place_).filename().string();
  const auto moved = writeElsewhere(name, [&](const std::string &path) { return journal_->moveTo(path, values); });
  if (moved) {
    say("sd-run", fmt::format("warning: {}; results are kept in {} from now on", kept.error().message, *moved));
    return {};
  }
  last_ = std::move(values);
  ++done_;
  return tl::unexpected(kept.error());
}

Expected<void> Delivery::writeOutput(const std::string &path, std::size_t output) const {
  const auto shapeOf = [&](std::size_t i) { return options_.program.program.slots[io_.outputs[i].slot].shape; };
  std::size_t from = 0, all = 0;
  for (std::size_t i = 0; i < io_.outputs.size(); ++i) {
    if (i == output) from = all;
    all += static_cast<std::size_t>(elementCount(shapeOf(i)));
  }
  const auto floats = static_cast<std::size_t>(elementCount(shapeOf(output)));
  return writeFileAtomically(path, FileMode::Private, [&](const PutBytes &put) -> Expected<void> {
    const std::string header = npyHeader(joined(shapeOf(output), done_));
    SD_TRY(put({reinterpret_cast<const std::uint8_t *>(header.data()), header.size()}));
    std::vector<float> values(all);
    for (std::uint64_t record = 0; record < done_; ++record) {
      if (record < journal_->size())
        SD_TRY(journal_->read(record, values));
      else
        values = last_;
      SD_TRY(put({reinterpret_cast<const std::uint8_t *>(values.data() + from), floats * sizeof(float)}));
    }
    return {};
  });
}

// Empty if the output is where it should be, else what happened.
Expected<std::string> Delivery::writeSomewhere(const std::string &path, std::size_t output) const {
  const Expected<void> written = writeOutput(path, output);
  if (written) return "";
  const auto other = writeElsewhere(fs::path(path).filename().string(),
                                    [&](const std::string &elsewhere) { return writeOutput(elsewhere, output); });
  if (!other) return tl::unexpected(written.error());
  return fmt::format("{}; the results are in {}", written.error().message, *other);
}

Expected<void> Delivery::finish() {
  const Expected<void> files = writeFiles(), report = writeReports();
  return files ? report : files;
}

Expected<void> Delivery::writeFiles() {
  if (!journal_) return {};
  if (done_ == 0) {
    journal_->remove();
    return {};
  }
  static_cast<void>(journal_->flush());
  std::string misplaced;
  bool lost = false;
  for (std::size_t i = 0; i < io_.outputs.size(); ++i) {
    const auto file = options_.files.outputs.find(io_.outputs[i].name);
    if (file == options_.files.outputs.end()) continue;
    const Expected<std::string> where = writeSomewhere(file->second, i);
    lost = lost || !where;
    const std::string &text = where ? *where : where.error().message;
    if (!text.empty()) misplaced += (misplaced.empty() ? "" : "; ") + text;
  }
  if (!lost && done_ == count_) journal_->remove();
  if (misplaced.empty()) return {};
  if (lost && journal_->isThere())
    misplaced +=
        fmt::format("; {} holds the results: make room and give the same command with --resume, which computes "
                    "none of them again",
                    journal_->path());
  return fail(ErrorKind::Output, "{}", misplaced);
}

std::string Delivery::whereabouts() const {
  if (!journal_ || done_ == 0) return "";
  std::vector<std::string> paths;
  for (const auto &[name, path] : options_.files.outputs)
    paths.push_back(path);
  std::string text = fmt::format("; they are in {}", fmt::join(paths, " and "));
  if (!journal_->isThere()) return text;
  if (journal_->path() == place_) return text + ", and the same command with --resume goes on after them";
  return text + fmt::format("; to go on after them, move {} to {} and give the same command with --resume",
                            journal_->path(), place_);
}

Expected<void> Delivery::checkValid() const { return sd::checkValid(invalid_); }

} // namespace sd
