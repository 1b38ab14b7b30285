// Looks for a gross truncation error: many random values below the bound, truncated, with and without ReLU; every
// result must be off by less than one unit. `soak_truncation [values] [seed]`, by default 10^8 values of each ring.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "runtime/offline/Deal.h"
#include "runtime/protocol/Compare.h"
#include "runtime/protocol/Truncate.h"

namespace sd {
namespace {

constexpr std::size_t kBatch = std::size_t{1} << 18;

// |y| <= 2^k - 2^t of all magnitudes for the ring's largest k; every sixteenth value at an edge.
template <RingWord R>
void drawValues(int t, Prg &prg, std::vector<R> &values) {
  std::vector<std::uint64_t> random(2 * values.size());
  prg.fill(std::span<std::uint64_t>(random));
  const std::uint64_t edge = (std::uint64_t{1} << kBoundBitsOf<R>)-(std::uint64_t{1} << t);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<std::int64_t>(random[2 * i] % (2 * edge + 1) - edge);
    const std::uint64_t control = random[2 * i + 1];
    values[i] = static_cast<R>(control % 16    ? static_cast<std::uint64_t>(value >> (control >> 8) % kBoundBitsOf<R>)
                               : control & 256 ? edge
                                               : 0 - edge);
  }
}

void passMessages(InteractiveOp &service, InteractiveOp &client) {
  for (int k = 0; k < service.messages(); ++k) {
    InteractiveOp &speaker = k % 2 ? client : service, &listener = k % 2 ? service : client;
    std::vector<std::uint8_t> message(speaker.messageBytes(k));
    speaker.write(k, message);
    if (!listener.read(k, message)) std::abort();
  }
}

template <RingWord R>
struct Batch {
  PlanEntry entry;
  std::vector<R> values;
  MaskedTensor<R> y;
  ServiceMaterial<R> service;
  ClientMaterial<R> client;
  std::vector<R> mask;
};

template <RingWord R>
Batch<R> makeBatch(EntryKind kind, int t, Prg &prg) {
  Batch<R> batch;
  batch.entry.kind = kind;
  batch.entry.elements = kBatch;
  batch.entry.compare = {t, kBoundBitsOf<R>, {3, 3}};
  batch.values.resize(kBatch);
  drawValues(t, prg, batch.values);
  batch.service = dealtServiceParts<R>(batch.entry, prg);
  batch.client = dealtClientParts<R>(batch.entry, prg);
  SecretVector<R> r = randomRing<R>(kBatch, prg), mask = randomRing<R>(kBatch, prg);
  batch.mask.assign(mask.data(), mask.data() + kBatch);
  batch.y = MaskedTensor<R>(kBatch);
  for (std::size_t i = 0; i < kBatch; ++i)
    batch.y.span()[i] = batch.values[i] - r[i];
  std::visit(
      [&](auto &material) {
        if constexpr (requires { material.r, material.mask; }) {
          material.r = std::move(r);
          material.mask = std::move(mask);
        }
      },
      batch.client);
  completeClient(batch.entry, batch.service, batch.client);
  return batch;
}

// Floor or ceiling of value / 2^t.
template <RingWord R>
bool isRounded(R result, R value, int t) {
  const R floor = static_cast<R>(static_cast<SignedOf<R>>(value) >> t);
  return result == floor || (value != floor << t && result == floor + 1);
}

// The number of results that are off by a unit or more.
template <RingWord R>
std::size_t run(EntryKind kind, int t, Prg &prg) {
  Batch<R> batch = makeBatch<R>(kind, t, prg);
  const bool compare = kind == EntryKind::Compare;
  auto service = compare ? ServiceCompare<R>::makeRelu(
                               batch.entry, std::get<CompareService<R>>(std::move(batch.service)), batch.y, nullptr)
                         : ServiceTruncate<R>::make(batch.entry, std::get<TruncateService<R>>(std::move(batch.service)),
                                                    batch.y, nullptr);
  auto client =
      compare ? ClientCompare<R>::make(batch.entry, std::get<CompareClient<R>>(std::move(batch.client)), nullptr)
              : ClientTruncate<R>::make(batch.entry, std::get<TruncateClient<R>>(std::move(batch.client)), nullptr);
  passMessages(**service, **client);
  const MaskedTensor<R> result = (*service)->takeResult();
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < kBatch; ++i) {
    const bool dropped = compare && static_cast<SignedOf<R>>(batch.values[i]) < 0;
    wrong += !isRounded<R>(result.span()[i] + batch.mask[i], dropped ? 0 : batch.values[i], t);
  }
  return wrong;
}

template <RingWord R>
int soak(std::size_t count, std::uint64_t seed) {
  std::array<std::uint8_t, Seed::kBytes> bytes{};
  for (int i = 0; i < 8; ++i)
    bytes[i] = static_cast<std::uint8_t>(seed >> (8 * i));
  Prg prg{Seed(bytes)};
  const int shifts[] = {1, 6, 10, 12, 15, maxTruncation(kBitsOf<R>)};
  std::size_t wrong = 0, done = 0;
  for (std::size_t batch = 0; done < count; ++batch, done += kBatch)
    wrong += run<R>(batch % 2 ? EntryKind::Truncate : EntryKind::Compare, shifts[batch / 2 % std::size(shifts)], prg);
  std::printf("%zu values of %d bits, seed %llu: %zu results off by a unit or more\n", done, kBitsOf<R>,
              static_cast<unsigned long long>(seed), wrong);
  return wrong != 0;
}

} // namespace
} // namespace sd

int main(int argc, char **argv) {
  const std::size_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000'000;
  const std::uint64_t seed =
      argc > 2 ? std::strtoull(argv[2], nullptr, 10)
               : static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  const int narrow = sd::soak<sd::Ring32>(count, seed), wide = sd::soak<sd::Ring64>(count, seed);
  return narrow || wide;
}
