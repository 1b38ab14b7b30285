// What the bit correlations of one layer cost between two parties alone, both in this process on one thread each.
//   bench_two_party [elements] [digit] [radix] [truncation] [threads of a party]
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "runtime/net/MemoryChannel.h"
#include "runtime/offline/TwoParty.h"

namespace sd {
namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Random masks for every operand: what lies between the entries does not matter here.
class RandomWalk final : public MaskWalk<Ring32> {
public:
  RandomWalk(const Plan &plan, const Seed &seed) : plan_(plan), prg_(seed) {}
  Expected<void> announce(std::size_t, std::span<const Ring32>) override { return {}; }
  bool ready(std::size_t) const override { return true; }
  Expected<SecretVector<Ring32>> operand(std::size_t entry, int) override {
    return randomRing<Ring32>(plan_.entries[entry].elements, prg_);
  }

private:
  const Plan &plan_;
  Prg prg_;
};

int run(const Plan &plan, unsigned threads) {
  auto [a, b] = makeMemoryConnections();
  const auto seeds = [] { return Seed::fresh(); };
  const auto one = seeds(), two = seeds(), three = seeds(), four = seeds(), five = seeds();
  if (!one || !two || !three || !four || !five) return 1;
  const Program program;
  const WeightSet<Ring32> weights;
  TwoPartyService<Ring32> service{{*a, *one}};
  TwoPartyClient<Ring32> client{{*b, *two}};
  ThreadPool poolA(threads), poolB(threads);
  const double elements = static_cast<double>(plan.entries.back().elements);
  for (int inference = 0; inference < 4; ++inference) {
    const auto name = fmt::format("inference {}", inference);
    const OfflineJob jobA{program, plan, three->derive(name), &poolA}, jobB{program, plan, four->derive(name), &poolB};
    RandomWalk walk(plan, five->derive(name));
    const TwoPartyCost cost = service.bitCost(plan);
    const Clock::time_point start = Clock::now();
    Expected<void> ofService, ofClient;
    std::thread other([&] {
      ofClient = client.prepare(jobB, walk, [](std::size_t, ClientMaterial<Ring32>) { return Expected<void>(); });
    });
    ofService = service.prepare(jobA, weights, [](std::size_t, ServiceMaterial<Ring32>) { return Expected<void>(); });
    other.join();
    if (!ofService || !ofClient) {
      fmt::print(stderr, "{}\n", (ofService ? ofClient : ofService).error().message);
      return 1;
    }
    const double seconds = secondsSince(start);
    fmt::print("{}: {:.1f} ms, {:.3f} us an element; {:.3f} MB, {:.2f} B an element\n", name, 1e3 * seconds,
               1e6 * seconds / elements, static_cast<double>(cost.bytes()) / 1e6,
               static_cast<double>(cost.bytes()) / elements);
  }
  return 0;
}

} // namespace
} // namespace sd

int main(int argc, char **argv) {
  const auto argument = [&](int i, int fallback) { return argc > i ? std::atoi(argv[i]) : fallback; };
  sd::PlanEntry entry;
  entry.kind = sd::EntryKind::Compare;
  entry.elements = static_cast<std::uint64_t>(argument(1, 170'000));
  entry.compare = sd::evenShape(argument(4, 10), 30, argument(2, 3), argument(3, 3));
  if (const auto ok = check(sd::kBitsOf<sd::Ring32>, entry.compare); !ok || entry.elements == 0) {
    fmt::print(stderr, "{}\n", ok ? "at least one element" : ok.error().message);
    return 1;
  }
  sd::Plan plan;
  plan.entries = {entry};
  return sd::run(plan, static_cast<unsigned>(argument(5, 1)));
}
