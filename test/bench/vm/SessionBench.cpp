// bench_session M.sdb RECORDS.npy [dealer] [unchecked] [uncached] [COUNT]
//
// Runs the records in one session, both parties as threads of this process over loopback TCP, and prints what one
// record takes: the median, the least and the largest. Each output is held against the interpreter's: exit code 1 if
// one is not the interpreter's.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "ir/bytecode/ProgramView.h"
#include "ir/bytecode/Reader.h"
#include "runtime/offline/LocalDealer.h"
#include "runtime/vm/Local.h"
#include "runtime/vm/Providers.h"
#include "runtime/vm/TensorFile.h"
#include "test/bench/vm/Loopback.h"

namespace sd {
namespace {

void print(const char *phase, const PhaseStats &stats, std::uint64_t records) {
  std::vector<double> seconds = stats.recordSeconds;
  std::ranges::sort(seconds);
  fmt::print("{:8} median {:9.2f} ms   {:.2f} to {:.2f} ms   {:.3f} MB a record\n", phase,
             1e3 * seconds[seconds.size() / 2], 1e3 * seconds.front(), 1e3 * seconds.back(),
             1e-6 * static_cast<double>(stats.traffic.bytesSent + stats.traffic.bytesReceived) /
                 static_cast<double>(records));
}

// Whether all outputs are the interpreter's, bit for bit.
template <RingWord R>
Expected<bool> compare(const LoadedProgram &program, const WeightSet<R> &weights, std::span<const NamedTensors> records,
                       const LocalResult &result) {
  SD_ASSIGN(const Interpreter interpreter, Interpreter::create(viewOf(program.program, weights)));
  bool same = true;
  for (std::size_t r = 0; r < records.size(); ++r) {
    SD_ASSIGN(const RunResult expected, interpreter.run(records[r]));
    same = same && result.outputs[r] == expected.outputs;
  }
  fmt::print("outputs  {} the interpreter's\n", same ? "equal" : "DIFFER from");
  return same;
}

struct Arguments {
  std::string program, records;
  PreprocessMode mode = PreprocessMode::TwoParty;
  bool checked = true;
  std::uint64_t transformBytes = WeightTransforms::kDefaultBudget;
  std::size_t count = 1000;
};

template <RingWord R>
Expected<bool> run(const Arguments &arguments, const LoadedProgram &program) {
  const PreprocessMode mode = arguments.mode;
  const auto weightsPath = std::filesystem::path(arguments.program).replace_extension(".sdw");
  SD_ASSIGN(const WeightSet<R> weights, readWeightsFile<R>(weightsPath.string(), program));
  SD_ASSIGN(Tensor<float> tensor, readTensor(arguments.records));
  SD_ASSIGN(std::vector<NamedTensors> records, splitRecords(program.program, {{"", std::move(tensor)}}));
  if (records.size() > arguments.count) records.resize(arguments.count);

  ThreadPool pool;
  SD_ASSIGN(const Seed serviceSeed, Seed::fresh());
  SD_ASSIGN(const Seed clientSeed, Seed::fresh());
  LocalOptions<R> options{program,
                          weights,
                          pool,
                          mode,
                          serviceSeed,
                          clientSeed,
                          twoPartyService<R>(arguments.transformBytes),
                          twoPartyClient<R>()};
  std::optional<LocalDealer> dealer;
  if (mode == PreprocessMode::Dealer) {
    dealer.emplace(dealerOptions(std::chrono::milliseconds(60'000)), pool);
    options.serviceDealer = &dealer->service(), options.clientDealer = &dealer->client();
    options.makeServiceProvider = dealerService<R>();
    options.makeClientProvider = dealerClient<R>(program.program, pool);
  }
  SD_ASSIGN(ConnectionPair link, loopbackPair());
  SD_ASSIGN(const LocalResult result, runLocal(std::move(link), options, records));
  fmt::print("{} records; offline {}\n", records.size(), toString(mode));
  fmt::print("first    offline with set-up {:.2f} ms\n", 1e3 * result.client.offline.recordSeconds.front());
  print("offline", result.client.offline, records.size());
  print("online", result.client.online, records.size());
  if (!arguments.checked) return true;
  return compare(program, weights, records, result);
}

Expected<bool> run(const Arguments &arguments) {
  SD_ASSIGN(const LoadedProgram program, readProgramFile(arguments.program));
  return program.program.ringBits == kBitsOf<Ring32> ? run<Ring32>(arguments, program)
                                                     : run<Ring64>(arguments, program);
}

} // namespace
} // namespace sd

int main(int argc, char **argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: bench_session M.sdb RECORDS.npy [dealer] [unchecked] [uncached] [COUNT]\n");
    return 1;
  }
  sd::Arguments arguments{argv[1], argv[2]};
  for (const std::string word : std::span(argv + 3, argv + argc)) {
    if (word == "dealer")
      arguments.mode = sd::PreprocessMode::Dealer;
    else if (word == "unchecked")
      arguments.checked = false;
    else if (word == "uncached")
      arguments.transformBytes = 0;
    else
      arguments.count = static_cast<std::size_t>(std::strtoul(word.c_str(), nullptr, 10));
  }
  const auto same = sd::run(arguments);
  if (!same) fmt::print(stderr, "bench_session: {}\n", same.error().message);
  return same && *same ? 0 : 1;
}
