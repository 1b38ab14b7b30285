// bench_shaped MODEL RECORDS.npy [scale=N] [count=N] [rounds=N] [machine] [sweep] [NETWORK ...]
//
// Compiles the model for each network (lan and wan if none is named, as sdc's --network takes them), runs records of a
// session with no third party over a link of that shape, both parties as threads of this process, and prints what was
// predicted beside what was measured: the median of a record, without the first, which holds the set-up. With `machine`
// it predicts from figures that it measures on this machine first, instead of those of ir/core/MachineProfile.cpp.
//
// With `sweep` it also runs every member of the family of schedules, each in N rounds in turn, and prints how far from
// the best the chosen one is.
#include <algorithm>
#include <numeric>

#include "compiler/Compile.h"
#include "compiler/Pipeline.h"
#include "compiler/codegen/Codegen.h"
#include "ir/bytecode/Prediction.h"
#include "ir/bytecode/Reader.h"
#include "ir/bytecode/Writer.h"
#include "ir/core/ScheduleAttr.h"
#include "runtime/net/Shaped.h"
#include "runtime/vm/Local.h"
#include "runtime/vm/Providers.h"
#include "runtime/vm/TensorFile.h"
#include "test/bench/vm/Loopback.h"
#include "test/bench/vm/MeasureMachine.h"

namespace sd {
namespace {

struct Arguments {
  std::string model, records;
  std::int64_t scale = 1024;
  std::size_t count = 9;
  int rounds = 3;
  bool sweep = false;
  MachineProfile machine = MachineProfile::twoCores();
  std::vector<std::string> networks;
};

Expected<ConnectionPair> shapedPair(const NetworkProfile &network) {
  SD_ASSIGN(ConnectionPair pair, loopbackPair());
  const LinkProfile link{std::chrono::microseconds(static_cast<std::int64_t>(network.roundTripSeconds * 1e6)),
                         network.bitsPerSecond / 8};
  return ConnectionPair{shape(std::move(pair.first), link), shape(std::move(pair.second), link)};
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

double mean(const std::vector<double> &values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// What records took, in seconds; without the first of each session.
struct Measured {
  std::vector<double> online, offline;
  double first = 0; // offline, with set-up
};

// A program of the family, and its measurements over all rounds.
struct Candidate {
  std::string name;
  LoadedProgram program;
  WeightSet<Ring32> weights;
  Measured measured;
};

class Bench {
public:
  Bench(const Arguments &arguments, NetworkProfile network) : arguments_(arguments), network_(network) {}

  Expected<void> run() {
    SD_ASSIGN(const Compiled chosen, compile(network_));
    SD_ASSIGN(Candidate own, candidate("chosen", chosen));
    SD_ASSIGN(Tensor<float> tensor, readTensor(arguments_.records));
    SD_ASSIGN(records_, splitRecords(own.program.program, {{"", std::move(tensor)}}));
    records_.resize(std::min(records_.size(), arguments_.count + 1));
    if (records_.size() < 2) return fail("at least two records are needed: the first holds the set-up");
    if (!arguments_.sweep) {
      SD_TRY(measure(own));
      return compare(own);
    }
    return sweep(std::move(own), chosen);
  }

private:
  // Max-pools as they suit `pools`, everything else as it suits the network.
  Expected<Compiled> compile(const NetworkProfile &pools) const {
    ModelOptions model;
    model.inputRange = {0, 1};
    PassContext context;
    context.options.network = pools;
    SD_ASSIGN(context.options.scaleBits, scaleBitsOf(arguments_.scale));
    SD_ASSIGN(Module module, loadModel(arguments_.model, model));
    SD_ASSIGN(module, lower(std::move(module), {defaultPipeline(), {}}, context));
    context.options.network = network_;
    SD_ASSIGN(module, lower(std::move(module), {{findPass("choose-schedules")}, {}}, context));
    return generate(module);
  }

  static Expected<Candidate> candidate(std::string name, const Compiled &compiled) {
    SD_ASSIGN(const std::vector<std::uint8_t> bytes, writeProgram(compiled.program));
    Candidate made{
        std::move(name), {compiled.program, digestOf(bytes)}, std::get<WeightSet<Ring32>>(compiled.weights), {}};
    made.weights.program = made.program.digest;
    return made;
  }

  // `chosen` with every instruction changed.
  template <class Change>
  static Expected<Candidate> variant(std::string name, Compiled chosen, const Change &change) {
    for (Instruction &it : chosen.program.instructions)
      change(it);
    return candidate(std::move(name), chosen);
  }

  Expected<void> measure(Candidate &candidate) {
    ThreadPool pool;
    SD_ASSIGN(const Seed serviceSeed, Seed::fresh());
    SD_ASSIGN(const Seed clientSeed, Seed::fresh());
    const LocalOptions<Ring32> options{
        candidate.program,         candidate.weights,       pool, PreprocessMode::TwoParty, serviceSeed, clientSeed,
        twoPartyService<Ring32>(), twoPartyClient<Ring32>()};
    SD_ASSIGN(ConnectionPair link, shapedPair(network_));
    SD_ASSIGN(const LocalResult result, runLocal(std::move(link), options, records_));
    const auto append = [](std::vector<double> &to, const std::vector<double> &from) {
      to.insert(to.end(), from.begin() + 1, from.end());
    };
    append(candidate.measured.online, result.client.online.recordSeconds);
    append(candidate.measured.offline, result.client.offline.recordSeconds);
    candidate.measured.first = result.client.offline.recordSeconds.front();
    return {};
  }

  Expected<void> compare(const Candidate &candidate) const {
    SD_ASSIGN(const ProgramCost cost, costOf(candidate.program.program));
    const Prediction prediction = predict(candidate.program.program, cost, network_, arguments_.machine);
    fmt::print("{:26} {:>12} {:>12} {:>12} {:>9}\n", candidate.name, "predicted ms", "median ms", "least ms", "ratio");
    const auto row = [](const char *phase, double predicted, const std::vector<double> &seconds) {
      const double middle = median(seconds);
      fmt::print("  {:24} {:12.2f} {:12.2f} {:12.2f} {:9.2f}\n", phase, 1e3 * predicted, 1e3 * middle,
                 1e3 * *std::ranges::min_element(seconds), predicted / middle);
    };
    row("online", prediction.online, candidate.measured.online);
    row("offline", prediction.offline, candidate.measured.offline);
    row("offline, first record", prediction.offline + prediction.setUp, {candidate.measured.first});
    return {};
  }

  Expected<void> sweep(Candidate own, const Compiled &chosen) {
    std::vector<Candidate> family{std::move(own)};
    const auto add = [&](Candidate member) { // unless the same program is there already
      const auto same = std::ranges::find(family, member.program.digest, [](auto &c) { return c.program.digest; });
      if (same == family.end())
        family.push_back(std::move(member));
      else
        same->name += ", " + member.name;
    };
    for (int width = 1; width <= 4; ++width)
      for (int radix = 2; radix <= 4; ++radix) {
        SD_ASSIGN(Candidate member, variant(fmt::format("digits of {}, radix {}", width, radix), chosen, [&](auto &it) {
                    if (!compares(it.op)) return;
                    const CompareShape shape = compareShape(it.op, it.attrs);
                    it.attrs.set(Attr::Schedule,
                                 toIntegers(evenSchedule(shape.lowBits(), shape.highBits(), width, radix)));
                  }));
        add(std::move(member));
      }
    for (std::int64_t balance : {0, 150, 500, 5000, 50000}) {
      SD_ASSIGN(Candidate member, variant(fmt::format("balance {}", balance), chosen, [&](auto &it) {
                  if (isPacked(it.op)) it.attrs.set(Attr::Balance, balance);
                }));
      add(std::move(member));
    }
    for (const auto &[name, pools] : {std::pair{"pools of few levels", NetworkProfile{10, 1e9}},
                                      std::pair{"pools of few comparisons", NetworkProfile{1e-6, 1e6}}}) {
      SD_ASSIGN(const Compiled compiled, compile(pools));
      SD_ASSIGN(Candidate member, candidate(name, compiled));
      add(std::move(member));
    }
    // In turn, so that a busy moment of the machine does not meet one of them alone.
    for (int round = 0; round < arguments_.rounds; ++round)
      for (Candidate &member : family)
        SD_TRY(measure(member));
    print(family);
    return {};
  }

  void print(const std::vector<Candidate> &family) const {
    // Means: OTs are made for some records ahead, so that one that finds enough of them is a third faster than one that
    // does not, and a median would take one for all.
    const auto whole = [](const Candidate &member) {
      return mean(member.measured.online) + mean(member.measured.offline);
    };
    fmt::print("  {:>12} {:>12} {:>12}  means, ms\n", "online", "offline", "together");
    double best = whole(family.front());
    for (const Candidate &member : family) {
      best = std::min(best, whole(member));
      fmt::print("  {:12.2f} {:12.2f} {:12.2f}  {}\n", 1e3 * mean(member.measured.online),
                 1e3 * mean(member.measured.offline), 1e3 * whole(member), member.name);
    }
    fmt::print("chosen / best {:.3f}\n", whole(family.front()) / best);
  }

  const Arguments &arguments_;
  const NetworkProfile network_;
  std::vector<NamedTensors> records_;
};

Expected<void> run(const Arguments &arguments) {
  for (const std::string &name : arguments.networks) {
    SD_ASSIGN(const NetworkProfile network, parseNetwork(name));
    fmt::print("\n{}: {:g} ms round trip, {:g} Mbit/s\n", name, network.roundTripSeconds * 1e3,
               network.bitsPerSecond * 1e-6);
    SD_TRY(Bench(arguments, network).run());
  }
  return {};
}

} // namespace
} // namespace sd

int main(int argc, char **argv) {
  if (argc < 3) {
    fmt::print(
        stderr,
        "usage: bench_shaped MODEL RECORDS.npy [scale=N] [count=N] [rounds=N] [machine] [sweep] [NETWORK ...]\n");
    return 1;
  }
  sd::Arguments arguments{.model = argv[1], .records = argv[2], .networks = {}};
  for (const std::string word : std::span(argv + 3, argv + argc)) {
    if (word == "sweep")
      arguments.sweep = true;
    else if (word == "machine")
      arguments.machine = sd::measureMachine();
    else if (word.starts_with("scale="))
      arguments.scale = std::strtoll(word.c_str() + 6, nullptr, 10);
    else if (word.starts_with("count="))
      arguments.count = std::strtoul(word.c_str() + 6, nullptr, 10);
    else if (word.starts_with("rounds="))
      arguments.rounds = std::atoi(word.c_str() + 7);
    else
      arguments.networks.push_back(word);
  }
  if (arguments.networks.empty()) arguments.networks = {"lan", "wan"};
  const auto done = sd::run(arguments);
  if (!done) fmt::print(stderr, "bench_shaped: {}\n", done.error().message);
  return done ? 0 : 1;
}
