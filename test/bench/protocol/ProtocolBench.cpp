// Truncation by 10 bits + ReLU: nanoseconds an element, both parties after each other on one thread, messages passed
// without a transport. `online`, with its bytes an element; `dealer`: what the dealer and P1 do for a correlation.
#include <benchmark/benchmark.h>

#include "runtime/offline/Deal.h"
#include "runtime/protocol/Compare.h"

namespace sd {
namespace {

constexpr std::size_t kElements = std::size_t{1} << 16;

PlanEntry entryOf(const benchmark::State &state) {
  PlanEntry entry;
  entry.kind = EntryKind::Compare;
  entry.elements = kElements;
  entry.compare = {10, 30, {static_cast<int>(state.range(0)), static_cast<int>(state.range(1))}};
  return entry;
}

Seed benchSeed() { return Seed(std::array<std::uint8_t, Seed::kBytes>{1, 2, 3}); }

struct Materials {
  ServiceMaterial service;
  ClientMaterial client;
};

Materials deal(const PlanEntry &entry) {
  Prg prg(benchSeed());
  Materials materials{dealtServiceParts(entry, prg), dealtClientParts(entry, prg)};
  auto &client = std::get<CompareClient>(materials.client);
  client.r = randomRing(entry.elements, prg);
  client.mask = randomRing(entry.elements, prg);
  completeClient(entry, materials.service, materials.client);
  return materials;
}

void setPerElement(benchmark::State &state) {
  state.counters["time/element"] = benchmark::Counter(static_cast<double>(state.iterations() * kElements),
                                                      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void online(benchmark::State &state) {
  const PlanEntry entry = entryOf(state);
  const MaskedTensor y(SecretVector<Ring>(kElements, 12345));
  for (auto _ : state) {
    state.PauseTiming();
    Materials materials = deal(entry);
    state.ResumeTiming();
    auto service = ServiceCompare::makeRelu(entry, std::get<CompareService>(std::move(materials.service)), y, nullptr);
    auto client = ClientCompare::make(entry, std::get<CompareClient>(std::move(materials.client)), nullptr);
    for (int k = 0; k < (*service)->messages(); ++k) {
      InteractiveOp &speaker = k % 2 ? static_cast<InteractiveOp &>(**client) : **service;
      InteractiveOp &listener = k % 2 ? static_cast<InteractiveOp &>(**service) : **client;
      const auto message = std::make_unique_for_overwrite<std::uint8_t[]>(speaker.messageBytes(k));
      const std::span<std::uint8_t> bytes(message.get(), speaker.messageBytes(k));
      speaker.write(k, bytes);
      benchmark::DoNotOptimize(listener.read(k, bytes));
    }
    const MaskedTensor result = (*service)->takeResult();
    benchmark::DoNotOptimize(result.span().data());
  }
  setPerElement(state);
  state.counters["bytes/element"] = static_cast<double>(entry.cost().onlineBytes(kElements)) / kElements;
}

void dealer(benchmark::State &state) {
  const PlanEntry entry = entryOf(state);
  for (auto _ : state) {
    const Materials materials = deal(entry);
    benchmark::DoNotOptimize(&materials);
  }
  setPerElement(state);
  state.counters["bytes/element"] = static_cast<double>(correctionBytes(entry)) / kElements;
}

void schedules(benchmark::internal::Benchmark *bench) {
  bench->ArgNames({"digit", "radix"})->Args({4, 3})->Args({3, 3})->Args({2, 4})->Unit(benchmark::kMillisecond);
}
BENCHMARK(online)->Apply(schedules)->Iterations(20);
BENCHMARK(dealer)->Apply(schedules)->Iterations(10);

} // namespace
} // namespace sd
