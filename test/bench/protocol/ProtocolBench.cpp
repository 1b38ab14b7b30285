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
  entry.compare = evenShape(10, 30, static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  return entry;
}

Seed benchSeed() { return Seed(std::array<std::uint8_t, Seed::kBytes>{1, 2, 3}); }

template <RingWord R>
struct Materials {
  ServiceMaterial<R> service;
  ClientMaterial<R> client;
};

template <RingWord R>
Materials<R> deal(const PlanEntry &entry) {
  Prg prg(benchSeed());
  Materials<R> materials{dealtServiceParts<R>(entry, prg), dealtClientParts<R>(entry, prg)};
  auto &client = std::get<CompareClient<R>>(materials.client);
  client.r = randomRing<R>(entry.elements, prg);
  client.mask = randomRing<R>(entry.elements, prg);
  completeClient(entry, materials.service, materials.client);
  return materials;
}

void setPerElement(benchmark::State &state) {
  state.counters["time/element"] = benchmark::Counter(static_cast<double>(state.iterations() * kElements),
                                                      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

template <RingWord R>
void online(benchmark::State &state) {
  const PlanEntry entry = entryOf(state);
  const MaskedTensor<R> y(SecretVector<R>(kElements, 12345));
  for (auto _ : state) {
    state.PauseTiming();
    Materials<R> materials = deal<R>(entry);
    state.ResumeTiming();
    auto service =
        ServiceCompare<R>::makeRelu(entry, std::get<CompareService<R>>(std::move(materials.service)), y, nullptr);
    auto client = ClientCompare<R>::make(entry, std::get<CompareClient<R>>(std::move(materials.client)), nullptr);
    for (int k = 0; k < (*service)->messages(); ++k) {
      InteractiveOp &speaker = k % 2 ? static_cast<InteractiveOp &>(**client) : **service;
      InteractiveOp &listener = k % 2 ? static_cast<InteractiveOp &>(**service) : **client;
      const auto message = std::make_unique_for_overwrite<std::uint8_t[]>(speaker.messageBytes(k));
      const std::span<std::uint8_t> bytes(message.get(), speaker.messageBytes(k));
      speaker.write(k, bytes);
      benchmark::DoNotOptimize(listener.read(k, bytes));
    }
    const MaskedTensor<R> result = (*service)->takeResult();
    benchmark::DoNotOptimize(result.span().data());
  }
  setPerElement(state);
  state.counters["bytes/element"] = static_cast<double>(entry.cost(kBitsOf<R>).onlineBytes(kElements)) / kElements;
}

template <RingWord R>
void dealer(benchmark::State &state) {
  const PlanEntry entry = entryOf(state);
  for (auto _ : state) {
    const Materials<R> materials = deal<R>(entry);
    benchmark::DoNotOptimize(&materials);
  }
  setPerElement(state);
  state.counters["bytes/element"] = static_cast<double>(correctionBytes(entry, kBitsOf<R>)) / kElements;
}

void schedules(benchmark::internal::Benchmark *bench) {
  bench->ArgNames({"width", "radix"})->Args({4, 3})->Args({3, 3})->Args({2, 4})->Unit(benchmark::kMillisecond);
}
BENCHMARK(online<Ring32>)->Apply(schedules)->Iterations(20);
BENCHMARK(online<Ring64>)->Apply(schedules)->Iterations(20);
BENCHMARK(dealer<Ring32>)->Apply(schedules)->Iterations(10);
BENCHMARK(dealer<Ring64>)->Apply(schedules)->Iterations(10);

} // namespace
} // namespace sd
