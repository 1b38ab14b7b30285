#include "tools/Batch.h"

#include <csignal>

#include "tools/Console.h"

namespace sd {

namespace {

Bytes bytesOf(std::string_view text) { return {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()}; }

// Of all that goes in.
Digest digestOf(std::span<const NamedTensors> records, const std::vector<bool> &skipped) {
  Digest digest{};
  for (std::size_t i = 0; i < records.size(); ++i)
    for (const auto &[name, tensor] : records[i]) {
      const std::string head = fmt::format("{} {} {} {}", i, skipped[i] ? "skipped" : "run", name.size(), name);
      const std::string shape = toString(tensor.shape);
      digest =
          sha256({digest,
                  bytesOf(head),
                  bytesOf(shape),
                  {reinterpret_cast<const std::uint8_t *>(tensor.data.data()), tensor.data.size() * sizeof(float)}});
    }
  return digest;
}

// Leaves the records of toRun().
void keepThoseToRun(std::vector<NamedTensors> &records, const std::vector<bool> &skipped, std::uint64_t done) {
  std::size_t kept = 0;
  for (std::size_t i = done; i < records.size(); ++i)
    if (!skipped[i]) {
      if (kept != i) records[kept] = std::move(records[i]);
      ++kept;
    }
  records.resize(kept);
}

} // namespace

Expected<Batch> Batch::open(const RunOptions &options, const RunFiles &files, const LoadedProgram &program,
                            IdentifiedRecords identified) {
  std::vector<NamedTensors> &records = identified.records;
  SD_ASSIGN(Screening screening, screenRecords(program.program, records, options.screening));
  for (const std::string &remark : screening.remarks)
    say("sd-run", remark);
  auto skipped = std::make_unique<std::vector<bool>>(std::move(screening.skipped));
  SD_ASSIGN(Delivery delivery,
            Delivery::open({program, files, options.classes, *skipped, std::move(identified.identifiers),
                            std::move(identified.origins), options.resume, options.report},
                           digestOf(records, *skipped)));
  if (options.resume)
    say("sd-run", delivery.done() > 0 ? fmt::format("going on after record {}", delivery.done())
                                      : "there is nothing to go on with; beginning with record 1");
  keepThoseToRun(records, *skipped, delivery.done());
  return Batch(std::move(skipped), std::move(delivery), std::move(records));
}

Expected<void> Batch::passSkipped() {
  while (delivery_.done() < skipped_->size() && (*skipped_)[delivery_.done()])
    SD_TRY(delivery_.put({}));
  return {};
}

Expected<void> Batch::put(std::vector<Tensor<float>> outputs) {
  SD_TRY(passSkipped());
  SD_TRY(delivery_.put(outputs));
  ++put_;
  return {};
}

bool Batch::isComplete() const { return put_ == records_.size(); }

Expected<void> Batch::finish(const Error *failure, const Interruption &interruption) {
  std::optional<Error> cause;
  if (failure != nullptr) {
    cause = *failure;
  } else if (auto passed = passSkipped(); !passed) {
    cause = passed.error();
  }
  if (const int signal = interruption.signal(); cause && signal != 0 && cause->kind != ErrorKind::Output)
    cause = Error{fmt::format("interrupted by {}", signal == SIGINT    ? "SIGINT"
                                                   : signal == SIGTERM ? "SIGTERM"
                                                                       : "SIGHUP"),
                  true, ErrorKind::Interrupted};
  const Expected<void> brought = delivery_.finish();
  if (cause) {
    const std::uint64_t done = delivery_.done(), all = skipped_->size();
    if (done == 0 || all == 1) return tl::unexpected(*cause);
    return failAs(*cause, "{} of {} records have their results, the others none: {}{}", done, all, cause->message,
                  brought ? delivery_.whereabouts() : "; " + brought.error().message);
  }
  SD_TRY(brought);
  return delivery_.checkValid();
}

} // namespace sd
