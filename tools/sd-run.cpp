// Runs one party of a compiled program, or both.

#include <algorithm>
#include <mutex>

#include "data/RecordFiles.h"
#include "ir/bytecode/File.h"
#include "ir/bytecode/Prediction.h"
#include "ir/bytecode/ProgramIo.h"
#include "runtime/kernels/ThreadPool.h"
#include "runtime/net/MemoryChannel.h"
#include "runtime/offline/LocalDealer.h"
#include "runtime/vm/Local.h"
#include "runtime/vm/PrivateWeights.h"
#include "runtime/vm/Providers.h"
#include "runtime/vm/Report.h"
#include "tools/Batch.h"
#include "tools/FetchModel.h"
#include "tools/MemoryLimit.h"
#include "tools/Progress.h"
#include "tools/Serve.h"
#include "tools/watch/Watch.h"

namespace sd {

namespace {

constexpr std::string_view kTool = "sd-run";

void say(std::string_view text) { sd::say(kTool, text); }
void sayAsService(std::string_view text) { sayWithoutWaiting(kTool, text); }

bool isImage(const RecordOrigin &origin) { return origin.study || !origin.thumbnail.empty(); }

Expected<IdentifiedRecords> readRecords(const RunOptions &options, const RunFiles &files, const Program &program) {
  NamedTensors inputs;
  IdentifiedRecords read;
  const std::vector<RecordInput> all = recordInputs(program);
  RecordFileOptions reading;
  reading.tables = options.tables, reading.images = options.images, reading.thumbnails = options.report.thumbnails;
  reading.columns.identifiers = options.identifiers;
  reading.columns.note = [](std::string_view text) { say(text); };
  std::optional<Progress> progress; // of many files; each that is watched for is one
  if (options.watch.empty()) progress.emplace("read", "file");
  if (progress) reading.progress = [&](std::size_t done, std::size_t count) { progress->step(done, count); };
  for (const auto &[name, paths] : files.inputs) {
    SD_ASSIGN(FileRecords table, readRecordFiles(paths, *std::ranges::find(all, name, &RecordInput::name), reading));
    if (!read.identifiers.empty() && !table.identifiers.empty() && read.identifiers != table.identifiers)
      return fail("{}: its records have other identifiers than those of another input", paths[0]);
    if (read.identifiers.empty()) read.identifiers = std::move(table.identifiers);
    if (read.origins.empty() || (!table.origins.empty() && isImage(table.origins[0]))) // of several inputs: the image's
      read.origins = std::move(table.origins);
    inputs[name] = std::move(table.records);
  }
  SD_ASSIGN(read.records, splitRecords(program, std::move(inputs)));
  if (read.identifiers.size() != read.records.size()) read.identifiers.clear(); // several rows are one record
  if (read.origins.size() != read.records.size()) read.origins.clear();
  if (!read.identifiers.empty() && !files.outputs.empty())
    say("note: identifiers are printed, and not written: the results in a file are in the order of the records");
  return read;
}

// What the compiler could not prove, once.
void sayOpenBounds(const Program &program) {
  if (!program.schema.compiled || program.schema.compiled->openBounds.empty()) return;
  const CompiledFacts &facts = *program.schema.compiled;
  std::size_t unknown = 0;
  std::int64_t records = 0;
  for (const OpenBound &bound : facts.openBounds) {
    unknown += bound.records == 0;
    records = std::max(records, bound.records);
  }
  const std::size_t measured = facts.openBounds.size() - unknown;
  const auto many = [](std::size_t n) { return fmt::format("{} bound{}", n, n == 1 ? "" : "s"); };
  if (unknown > 0)
    say(fmt::format(
        "warning: {} of the program {} neither proved nor measured ({}, ...): a record whose values go beyond "
        "gives a wrong result without a word; 'sdc inspect' lists them",
        many(unknown), unknown == 1 ? "is" : "are",
        std::ranges::find(facts.openBounds, 0, &OpenBound::records)->where));
  if (measured > 0)
    say(fmt::format(
        "note: {} of the program {} measured on {} record{}, not proved: results of records unlike those may "
        "be wrong; 'sdc inspect' lists them",
        many(measured), measured == 1 ? "was" : "were", records, records == 1 ? "" : "s"));
}

template <RingWord R>
Expected<WeightSet<R>> readWeights(const RunOptions &options, const LoadedProgram &program) {
  return readPrivateWeights<R>(options.weights, program, [](std::string_view text) { say(text); });
}

// These checks come before the run, so that no result is lost to a wrong name.
Expected<void> checkReports(const RunOptions &options) {
  if (!options.stats.empty()) SD_TRY(checkWritable(options.stats, FileMode::Public));
  if (!options.profile.empty()) SD_TRY(checkWritable(options.profile, FileMode::Public));
  return {};
}

Expected<void> checkResults(const RunOptions &options, const RunFiles &files, const Program &program) {
  SD_TRY(checkReports(options));
  SD_TRY(ResultWords::make(program, options.classes)); // before the run
  for (const auto &[name, path] : files.outputs)
    SD_TRY(checkWritable(path, FileMode::Private));
  if (!options.report.path.empty())
    for (const ReportFormat format : options.report.formats)
      SD_TRY(checkWritable(options.report.pathOf(format), FileMode::Private));
  return {};
}

Expected<void> writeStats(const RunOptions &options, const Program &program, std::span<const SessionStats> parties) {
  const auto write = [](const std::string &path, const std::string &json) -> Expected<void> {
    return writeFileAtomically(path, {reinterpret_cast<const std::uint8_t *>(json.data()), json.size()},
                               FileMode::Public);
  };
  if (!options.stats.empty()) SD_TRY(write(options.stats, toJson(program, parties)));
  if (!options.profile.empty()) SD_TRY(write(options.profile, toTrace(program, parties)));
  return {};
}

std::string_view plural(std::uint64_t count) { return count == 1 ? "" : "s"; }

std::chrono::milliseconds milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

std::uint64_t weightCacheBytes(const RunOptions &options) { return options.weightCache * std::uint64_t{1'000'000}; }

// What a run of some records came to: the results have gone to its sink.
struct Ran {
  std::vector<SessionStats> parties;
  std::optional<Error> failure;
};
using RunRecords =
    std::function<Ran(std::span<const NamedTensors> records, const ResultSink &results, const ProgressSink &progress)>;

// What a record will take, on two cores and a fast network; 0 if that can't be told.
Seconds secondsOf(const Program &program) {
  const auto cost = costOf(program);
  if (!cost) return {};
  const Prediction prediction = predict(program, *cost, NetworkProfile::lan());
  return {prediction.online, prediction.offline};
}

// The records that --input names, in one session.
Expected<void> runInputs(const RunOptions &options, const RunFiles &files, const LoadedProgram &program,
                         const RunRecords &run, Interruption &interruption) {
  SD_ASSIGN(IdentifiedRecords records, readRecords(options, files, program.program));
  SD_ASSIGN(Batch batch, Batch::open(options, files, program, std::move(records)));
  sayOpenBounds(program.program);
  Ran ran;
  if (const std::size_t count = batch.toRun().size(); count > 0) {
    Progress progress("run", "record");
    const Seconds each = secondsOf(program.program);
    const double seconds = each.online + (options.purpose == Purpose::Stored ? 0 : each.offline);
    progress.begin("record", count, static_cast<double>(count) * seconds);
    std::size_t done = 0;
    ran = run(
        batch.toRun(),
        [&](std::vector<Tensor<float>> outputs) -> Expected<void> {
          SD_TRY(batch.put(std::move(outputs)));
          progress.step(++done, count);
          return {};
        },
        [&](const RecordProgress &record) {
          progress.say(fmt::format("{} {} of {}", record.isOnline ? "the network, step" : "ahead of time, part",
                                   record.done, record.all));
        });
  }
  const Expected<void> delivered = batch.finish(ran.failure ? &*ran.failure : nullptr, interruption);
  const Expected<void> reported =
      ran.parties.empty() ? Expected<void>() : writeStats(options, program.program, ran.parties);
  return delivered ? reported : delivered;
}

// One file of a folder that is watched: its records are a batch of their own.
FileResult runFile(const RunOptions &options, const LoadedProgram &program, const RunRecords &run,
                   Interruption &interruption, const std::function<bool()> &isSame) {
  using Kind = FileResult::Kind;
  const RunFiles files{{{recordInputs(program.program)[0].name, options.inputs}}, {}};
  auto records = readRecords(options, files, program.program);
  if (!isSame()) return {Kind::Changed, {}};
  if (!records) return {Kind::Broken, records.error()};
  auto batch = Batch::open(options, files, program, *std::move(records));
  if (!batch) return {Kind::Broken, batch.error()};
  Ran ran;
  if (!batch->toRun().empty())
    ran = run(batch->toRun(),
              [&](std::vector<Tensor<float>> outputs) -> Expected<void> {
                if (interruption.signal() != 0) return fail(ErrorKind::Interrupted, "interrupted");
                return batch->put(std::move(outputs));
              },
              {});
  const bool isComplete = batch->isComplete();
  if (ran.failure && !isComplete) {
    const ErrorKind kind = ran.failure->kind;
    const bool isAway = kind == ErrorKind::Network || kind == ErrorKind::Refused || kind == ErrorKind::Resources;
    return {kind == ErrorKind::Interrupted ? Kind::Stopped : isAway ? Kind::Away : Kind::Failed, *ran.failure};
  }
  const Expected<void> delivered = batch->finish(nullptr, interruption);
  if (delivered) return {};
  const ErrorKind kind = delivered.error().kind;
  return {kind == ErrorKind::Invalid  ? Kind::Invalid
          : kind == ErrorKind::Output ? Kind::Failed
                                      : Kind::Broken,
          delivered.error()};
}

Expected<void> runFolder(const RunOptions &options, const LoadedProgram &program, const RunRecords &run,
                         Interruption &interruption) {
  if (recordInputs(program.program).size() != 1)
    return fail(ErrorKind::Usage, "--watch: the program has several inputs, and a file is a record of one");
  sayOpenBounds(program.program);
  WatchOptions watch{options.watch, options.results, milliseconds(options.rescan), {}, toHex(program.digest)};
  for (const ReportFormat format : options.report.formats)
    watch.endings.emplace_back(endingOf(format));
  return watchFolder(
      watch,
      [&](const std::string &path, const std::string &result, const std::function<bool()> &isSame) {
        RunOptions one = options;
        one.inputs = {path};
        one.report.path = result;
        return runFile(one, program, run, interruption, isSame);
      },
      interruption);
}

Expected<void> runRecords(const RunOptions &options, const RunFiles &files, const LoadedProgram &program,
                          const RunRecords &run, Interruption &interruption) {
  return options.watch.empty() ? runInputs(options, files, program, run, interruption)
                               : runFolder(options, program, run, interruption);
}

template <RingWord R>
Expected<LocalResult>
consultLocally(const RunOptions &options, const LoadedProgram &program, const WeightSet<R> &weights, ThreadPool &pool,
               std::span<const NamedTensors> records, const ResultSink &results, const ProgressSink &progress) {
  SD_ASSIGN(const Seed serviceSeed, Seed::fresh());
  SD_ASSIGN(const Seed clientSeed, Seed::fresh());
  LocalOptions<R> local{program,
                        weights,
                        pool,
                        options.mode,
                        serviceSeed,
                        clientSeed,
                        twoPartyService<R>(weightCacheBytes(options)),
                        twoPartyClient<R>()};
  std::optional<LocalDealer> dealer;
  if (options.mode == PreprocessMode::Dealer) {
    dealer.emplace(dealerOptions(options.network.wait()), pool);
    local.serviceDealer = &dealer->service(), local.clientDealer = &dealer->client();
    local.makeServiceProvider = dealerService<R>();
    local.makeClientProvider = dealerClient<R>(program.program, pool);
  }
  local.results = results, local.progress = progress;
  return runLocal(makeMemoryConnections({.timeout = options.network.wait()}), local, records);
}

template <RingWord R>
Expected<void> runLocally(const RunOptions &options, const RunFiles &files, const LoadedProgram &program,
                          ThreadPool &pool, Interruption &interruption) {
  SD_TRY(checkResults(options, files, program.program));
  SD_ASSIGN(const WeightSet<R> weights, readWeights<R>(options, program));
  const auto run = [&](std::span<const NamedTensors> records, const ResultSink &results,
                       const ProgressSink &progress) -> Ran {
    // Until there is a result, a signal ends the process at once; then it lets the record in work come to its end.
    std::optional<Interruption::Scope> scope;
    auto result = consultLocally<R>(
        options, program, weights, pool, records,
        [&](std::vector<Tensor<float>> outputs) -> Expected<void> {
          if (!scope && options.watch.empty()) scope.emplace(interruption, [] {});
          SD_TRY(results(std::move(outputs)));
          return interruption.signal() == 0 ? Expected<void>() : fail(ErrorKind::Interrupted, "interrupted");
        },
        progress);
    if (!result) return {{}, result.error()};
    return {{result->service, result->client}, std::nullopt};
  };
  return runRecords(options, files, program, run, interruption);
}

// One party's connection to its dealer, for one session. Its peer hears that it failed; where the dealer is says the
// party's own log.
class DealerLine {
public:
  DealerLine(const RunOptions &options, Connection &peer) : options_(options), peer_(peer) {}

  Expected<Connection *> connect() {
    EndpointOptions endpoint = options_.dealer;
    // The service gives up first, so that the waiting hospital hears of it.
    if (options_.party == 0) endpoint.waitForPeer /= 2;
    auto connected = sd::connect(endpoint);
    if (!connected) {
      peer_.close(fmt::format("the {} could not reach its dealer", options_.party == 0 ? "service" : "hospital"));
      return failAs(connected.error(), "the dealer: {}", connected.error().message);
    }
    connection_ = *std::move(connected);
    return connection_.get();
  }

private:
  const RunOptions &options_;
  Connection &peer_;
  std::unique_ptr<Connection> connection_;
};

// What one party keeps for all its sessions.
struct Party {
  const RunOptions &options;
  const LoadedProgram &program;
  ThreadPool &pool;
  std::optional<Store> store;
  std::function<void()> onMade = {}; // told of each inference that was prepared

  static Expected<Party> make(const RunOptions &options, const LoadedProgram &program, ThreadPool &pool) {
    Party party{options, program, pool, std::nullopt, {}};
    if (options.purpose == Purpose::Prepare) {
      SD_ASSIGN(party.store, Store::openOrCreate(StorePlace(options.store, options.storeKey)));
    } else if (options.purpose == Purpose::Stored) {
      SD_ASSIGN(party.store, Store::open(StorePlace(options.store, options.storeKey)));
    }
    return party;
  }

  Expected<SessionOptions> session(DealerLine &dealer) const {
    SD_ASSIGN(const Seed seed, Seed::fresh());
    StoreUse use{options.purpose, store ? &*store : nullptr, std::max(options.prepare, options.keep), options.keep};
    use.log = sayAsService;
    if (options.verbose || onMade)
      use.trace = [this](std::string_view text) {
        if (options.verbose) sayAsService(text);
        if (onMade) onMade();
      };
    return SessionOptions{program, pool, options.mode, seed, [&dealer] { return dealer.connect(); }, std::move(use)};
  }
};

template <RingWord R>
Expected<SessionStats> serveOne(const Party &party, const WeightSet<R> &weights,
                                const ProviderFactory<ServiceProvider<R>> &twoParty, Connection &peer) {
  DealerLine dealer(party.options, peer);
  SD_ASSIGN(SessionOptions session, party.session(dealer));
  if (party.options.serve) session.mostRecords = party.options.mostRecords;
  const bool dealt = party.options.mode == PreprocessMode::Dealer;
  auto served = runService(peer, session, weights, dealt ? dealerService<R>() : twoParty);
  if (!served) return tl::unexpected(asSessionError(served.error()));
  SessionStats &stats = *served;
  if (party.options.purpose == Purpose::Prepare)
    sayAsService(fmt::format("prepared {} inference{} with {}", stats.records, plural(stats.records), peer.peerName()));
  else
    sayAsService(fmt::format("served {} record{} to {}", stats.records, plural(stats.records), peer.peerName()));
  return stats;
}

template <RingWord R>
Expected<void> runParty0(const RunOptions &options, const LoadedProgram &program, ThreadPool &pool) {
  SD_TRY(checkReports(options));
  SD_ASSIGN(const WeightSet<R> weights, readWeights<R>(options, program));
  SD_ASSIGN(const Party party, Party::make(options, program, pool));
  const auto twoParty = twoPartyService<R>(weightCacheBytes(options));
  EndpointOptions endpoint = options.endpoint;
  ServiceOptions service{.places = options.sessions, .serve = {}, .log = {}};
  if (options.serve) {
    endpoint.waitForPeer = std::chrono::milliseconds(0);
    endpoint.connection.longest = milliseconds(options.longest);
    service.drain = milliseconds(options.drain);
    if (options.drain > 0) {
      SD_ASSIGN(WakeUp cut, WakeUp::make());
      service.cut = endpoint.connection.cut = std::make_shared<const WakeUp>(std::move(cut));
    }
  }
  SD_ASSIGN(Listener listener, listen(endpoint));
  say(fmt::format("listening on {}", toString(listener.address())));
  if (!options.serve) {
    SD_ASSIGN(const std::unique_ptr<Connection> peer, listener.accept());
    SD_ASSIGN(const SessionStats stats, serveOne(party, weights, twoParty, *peer));
    return writeStats(options, program.program, {&stats, 1});
  }
  std::mutex mutex;
  SessionStats totals;
  totals.sessions = 0;
  service.serve = [&](std::unique_ptr<Connection> peer) {
    auto done = serveOne(party, weights, twoParty, *peer);
    peer.reset();
    Expected<void> written;
    if (done) {
      const std::lock_guard lock(mutex);
      totals += *done;
      written = writeStats(options, program.program, {&totals, 1});
    }
    for (const std::string &error : {done ? "" : done.error().message, written ? "" : written.error().message})
      if (!error.empty()) sayAsService(error);
  };
  serveSessions(kTool, listener, std::move(service));
  return {};
}

template <RingWord R>
Expected<ClientResult> consult(const Party &party, std::span<const NamedTensors> records, const ResultSink &results,
                               const ProgressSink &progress, Interruption &interruption, bool *tooFew = nullptr) {
  const RunOptions &options = party.options;
  SD_ASSIGN(const std::unique_ptr<Connection> peer, connect(options.endpoint));
  std::optional<Interruption::Scope> scope; // a folder's watch has its own
  if (options.watch.empty())
    scope.emplace(interruption, [&peer] { peer->close("the hospital's run was interrupted"); });
  DealerLine dealer(options, *peer);
  SD_ASSIGN(SessionOptions session, party.session(dealer));
  session.results = results, session.progress = progress;
  session.store.tooFew = tooFew;
  const bool dealt = options.mode == PreprocessMode::Dealer;
  auto result = runClient<R>(*peer, session, records,
                             dealt ? dealerClient<R>(party.program.program, party.pool) : twoPartyClient<R>());
  if (!result) return tl::unexpected(asSessionError(result.error()));
  if (result->failure) result->failure = asSessionError(*result->failure);
  return result;
}

template <RingWord R>
Expected<void> prepareAsParty1(Party party, Interruption &interruption) {
  Progress progress("prepare", "inference");
  const std::uint64_t most = std::max(party.options.prepare, party.options.keep); // both sides may lower it
  progress.begin("inference", most, static_cast<double>(most) * secondsOf(party.program.program).offline);
  party.onMade = [&, count = std::uint64_t{0}]() mutable { progress.step(++count, most, "", true); };
  const Expected<ClientResult> done = consult<R>(party, {}, {}, {}, interruption);
  if (!done && interruption.signal() != 0) return fail(ErrorKind::Interrupted, "interrupted by a signal");
  SD_ASSIGN(const ClientResult result, done);
  const RunOptions &options = party.options;
  const std::uint64_t made = result.stats.records;
  if (options.keep > 0)
    say(fmt::format("{} of {} inference{} ready", result.ready, options.keep, plural(options.keep)));
  const std::uint64_t wanted =
      options.keep == 0 ? options.prepare : options.keep - std::min(options.keep, result.ready);
  if (wanted == 0) return writeStats(options, party.program.program, {&result.stats, 1});
  say(fmt::format("prepared {} inference{}{}", made, plural(made),
                  made < wanted ? fmt::format(" of {}: the service makes no more now", wanted) : ""));
  return writeStats(options, party.program.program, {&result.stats, 1});
}

template <RingWord R>
Expected<void> runParty1(const RunOptions &options, const RunFiles &files, const LoadedProgram &program,
                         ThreadPool &pool, Interruption &interruption) {
  SD_TRY(checkResults(options, files, program.program));
  if (options.purpose == Purpose::Prepare) {
    SD_ASSIGN(Party party, Party::make(options, program, pool));
    return prepareAsParty1<R>(std::move(party), interruption);
  }
  SD_ASSIGN(const Party party, Party::make(options, program, pool));
  const auto run = [&](std::span<const NamedTensors> records, const ResultSink &results,
                       const ProgressSink &progress) -> Ran {
    bool tooFew = false;
    auto result = consult<R>(party, records, results, progress, interruption, &tooFew);
    if (!result && options.ifEmpty == "fresh" && tooFew) {
      say(fmt::format("{}; goes on without the store (--if-empty fresh)", result.error().message));
      RunOptions without = options;
      without.purpose = Purpose::Fresh;
      const auto fresh = Party::make(without, program, pool);
      if (!fresh) return {{}, fresh.error()};
      result = consult<R>(*fresh, records, results, progress, interruption);
    }
    if (!result) return {{}, result.error()};
    return {{result->stats}, result->failure};
  };
  return runRecords(options, files, program, run, interruption);
}

Expected<void> run(RunOptions options) {
  const bool brings = options.local || options.party == 1; // results home
  std::unique_ptr<Interruption> interruption;
  if (brings) {
    SD_ASSIGN(interruption, Interruption::make());
  }
  if (!options.model.empty()) SD_TRY(fetchModel(options));
  SD_ASSIGN(const LoadedProgram program, readProgramFile(options.program));
  SD_ASSIGN(const unsigned sessions, sessionsThatFit(options, program.program));
  if (options.serve && sessions < options.sessions)
    say(fmt::format("memory is enough for {} session{} at once, not {} (--memory)", sessions, plural(sessions),
                    std::exchange(options.sessions, sessions)));
  SD_ASSIGN(const RunFiles files, filesOf(options, program.program));
  ThreadPool pool(options.threads);
  return withRing(program.program.ringBits, [&]<class R>() {
    if (options.local) return runLocally<R>(options, files, program, pool, *interruption);
    return options.party == 0 ? runParty0<R>(options, program, pool)
                              : runParty1<R>(options, files, program, pool, *interruption);
  });
}

} // namespace
} // namespace sd

int main(int argc, char **argv) {
  sd::prepareStreams();
  const auto options = sd::parseRunOptions(argc, argv);
  if (const int *code = std::get_if<int>(&options)) return *code;
  return sd::runPrivately(sd::kTool, [&] { return sd::run(std::get<sd::RunOptions>(options)); });
}
