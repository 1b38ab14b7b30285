// Runs one party of a compiled program, or both.

#include <algorithm>

#include "ir/bytecode/File.h"
#include "runtime/kernels/ThreadPool.h"
#include "runtime/net/MemoryChannel.h"
#include "runtime/offline/LocalDealer.h"
#include "runtime/vm/Local.h"
#include "runtime/vm/Providers.h"
#include "runtime/vm/Report.h"
#include "runtime/vm/TensorFile.h"
#include "tools/RunOptions.h"

namespace sd {

namespace {

Expected<std::vector<NamedTensors>> readRecords(const RunOptions &options, const Program &program) {
  NamedTensors inputs;
  for (const auto &[name, path] : options.inputs) {
    SD_ASSIGN(inputs[name], readTensor(path));
  }
  SD_ASSIGN(std::vector<NamedTensors> records, splitRecords(program, std::move(inputs)));
  SD_TRY(checkRecords(program, records));
  return records;
}

// Before the run, so that no result is lost to a wrong name.
Expected<void> checkOutputNames(const RunOptions &options, const ProgramIo &io) {
  for (const auto &[name, path] : options.outputs) {
    const bool known = std::ranges::any_of(io.outputs, [&, &n = name](const Port &port) { return port.name == n; });
    if (name.empty() ? io.outputs.size() == 1 : known) continue;
    std::vector<std::string> names;
    for (const Port &port : io.outputs)
      names.push_back(port.name);
    return fail("--output {}={}: say which of the program's outputs: {}", name, path, fmt::join(names, ", "));
  }
  return {};
}

Expected<void> deliver(const RunOptions &options, const Program &program,
                       std::span<const std::vector<Tensor<float>>> records) {
  if (options.outputs.empty()) {
    fmt::print("{}", describe(program, records, options.classes));
    return {};
  }
  const ProgramIo io = ioOf(program);
  for (std::size_t i = 0; i < io.outputs.size(); ++i)
    for (const auto &[name, path] : options.outputs)
      if (name.empty() || name == io.outputs[i].name) SD_TRY(writeTensor(path, joinOutputs(records, i)));
  return {};
}

Expected<void> writeStats(const RunOptions &options, const Program &program, std::span<const SessionStats> parties) {
  if (options.stats.empty()) return {};
  const std::string json = toJson(program, parties);
  return writeFileAtomically(options.stats, {reinterpret_cast<const std::uint8_t *>(json.data()), json.size()},
                             FileMode::Public);
}

Expected<void> runLocally(const RunOptions &options, const LoadedProgram &program, ThreadPool &pool) {
  SD_TRY(checkOutputNames(options, ioOf(program.program)));
  SD_ASSIGN(const WeightSet weights, readWeightsFile(options.weights, program));
  SD_ASSIGN(const std::vector<NamedTensors> records, readRecords(options, program.program));
  SD_ASSIGN(const Seed serviceSeed, Seed::fresh());
  SD_ASSIGN(const Seed clientSeed, Seed::fresh());
  LocalOptions local{program,           weights,         pool, options.mode, serviceSeed, clientSeed,
                     twoPartyService(), twoPartyClient()};
  std::optional<LocalDealer> dealer;
  if (options.mode == PreprocessMode::Dealer) {
    dealer.emplace(dealerOptions(options.network.wait()), pool);
    local.serviceDealer = &dealer->service(), local.clientDealer = &dealer->client();
    local.makeServiceProvider = dealerService(dealer->service());
    local.makeClientProvider = dealerClient(dealer->client(), program.program, pool);
  }
  SD_ASSIGN(const LocalResult result,
            runLocal(makeMemoryConnections({.timeout = options.network.wait()}), local, records));
  SD_TRY(deliver(options, program.program, result.outputs));
  return writeStats(options, program.program, std::vector{result.service, result.client});
}

// Null without a dealer.
Expected<std::unique_ptr<Connection>> connectDealer(const RunOptions &options) {
  if (options.mode != PreprocessMode::Dealer) return nullptr;
  return connect(options.dealer);
}

Expected<void> serveOne(const RunOptions &options, const LoadedProgram &program, const WeightSet &weights,
                        ThreadPool &pool, Listener &listener) {
  SD_ASSIGN(const std::unique_ptr<Connection> peer, listener.accept());
  SD_ASSIGN(const std::unique_ptr<Connection> dealer, connectDealer(options));
  SD_ASSIGN(const Seed seed, Seed::fresh());
  const SessionOptions session{program, pool, options.mode, seed, dealer.get()};
  SD_ASSIGN(const SessionStats stats,
            runService(*peer, session, weights, dealer ? dealerService(*dealer) : twoPartyService()));
  fmt::print(stderr, "sd-run: served {} record{} to {}\n", stats.records, stats.records == 1 ? "" : "s",
             peer->peerName());
  return writeStats(options, program.program, {&stats, 1});
}

Expected<void> runParty0(const RunOptions &options, const LoadedProgram &program, ThreadPool &pool) {
  SD_ASSIGN(const WeightSet weights, readWeightsFile(options.weights, program));
  EndpointOptions endpoint = options.endpoint;
  if (options.serve) endpoint.waitForPeer = std::chrono::milliseconds(0);
  SD_ASSIGN(Listener listener, listen(endpoint));
  fmt::print(stderr, "sd-run: listening on {}\n", toString(listener.address()));
  for (;;) {
    Expected<void> served = serveOne(options, program, weights, pool, listener);
    if (!options.serve) return served;
    if (!served) fmt::print(stderr, "sd-run: {}\n", served.error().message);
  }
}

Expected<void> runParty1(const RunOptions &options, const LoadedProgram &program, ThreadPool &pool) {
  SD_TRY(checkOutputNames(options, ioOf(program.program)));
  SD_ASSIGN(const std::vector<NamedTensors> records, readRecords(options, program.program));
  SD_ASSIGN(const std::unique_ptr<Connection> peer, connect(options.endpoint));
  SD_ASSIGN(const std::unique_ptr<Connection> dealer, connectDealer(options));
  SD_ASSIGN(const Seed seed, Seed::fresh());
  const SessionOptions session{program, pool, options.mode, seed, dealer.get()};
  SD_ASSIGN(
      const ClientResult result,
      runClient(*peer, session, records, dealer ? dealerClient(*dealer, program.program, pool) : twoPartyClient()));
  SD_TRY(deliver(options, program.program, result.outputs));
  return writeStats(options, program.program, {&result.stats, 1});
}

Expected<void> run(const RunOptions &options) {
  SD_ASSIGN(const LoadedProgram program, readProgramFile(options.program));
  ThreadPool pool(options.threads);
  if (options.local) return runLocally(options, program, pool);
  return options.party == 0 ? runParty0(options, program, pool) : runParty1(options, program, pool);
}

} // namespace
} // namespace sd

int main(int argc, char **argv) {
  const auto options = sd::parseRunOptions(argc, argv);
  if (const int *code = std::get_if<int>(&options)) return *code;
  if (auto done = sd::run(std::get<sd::RunOptions>(options)); !done) {
    fmt::print(stderr, "sd-run: {}\n", done.error().message);
    return 1;
  }
  return 0;
}
