// Looks for a gross truncation error: many random values below the bound, truncated, with and without ReLU; every
// result must be off by less than one unit. `soak_truncation [values] [seed]`, by default 10^8 values.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "runtime/offline/Deal.h"
#include "runtime/protocol/Compare.h"
#include "runtime/protocol/Truncate.h"

namespace sd {
namespace {

constexpr std::size_t kBatch = std::size_t{1} << 18;

// |y| <= 2^30 - 2^t of all magnitudes; every sixteenth value at an edge.
void drawValues(int t, Prg &prg, std::vector<SignedRing> &values) {
  std::vector<Ring> random(2 * values.size());
  prg.fill(std::span<Ring>(random));
  const std::int64_t edge = (std::int64_t{1} << kBoundBits) - (std::int64_t{1} << t);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<std::int64_t>(random[2 * i]) % (2 * edge + 1) - edge;
    const Ring control = random[2 * i + 1];
    values[i] = static_cast<SignedRing>(control % 16 ? value >> (control >> 8) % 30 : control & 256 ? edge : -edge);
  }
}

void passMessages(ServiceOp &service, ClientOp &client) {
  for (int k = 0; k < service.messages(); ++k) {
    InteractiveOp &speaker = k % 2 ? static_cast<InteractiveOp &>(client) : service;
    InteractiveOp &listener = k % 2 ? static_cast<InteractiveOp &>(service) : client;
    std::vector<std::uint8_t> message(speaker.messageBytes(k));
    speaker.write(k, message);
    if (!listener.read(k, message)) std::abort();
  }
}

struct Batch {
  PlanEntry entry;
  std::vector<SignedRing> values;
  MaskedTensor y;
  ServiceMaterial service;
  ClientMaterial client;
  std::vector<Ring> mask;
};

Batch makeBatch(EntryKind kind, int t, Prg &prg) {
  Batch batch;
  batch.entry.kind = kind;
  batch.entry.elements = kBatch;
  batch.entry.compare = {t, kBoundBits, {3, 3}};
  batch.values.resize(kBatch);
  drawValues(t, prg, batch.values);
  batch.service = dealtServiceParts(batch.entry, prg);
  batch.client = dealtClientParts(batch.entry, prg);
  SecretVector<Ring> r = randomRing(kBatch, prg), mask = randomRing(kBatch, prg);
  batch.mask.assign(mask.data(), mask.data() + kBatch);
  batch.y = MaskedTensor(kBatch);
  for (std::size_t i = 0; i < kBatch; ++i)
    batch.y.span()[i] = static_cast<Ring>(batch.values[i]) - r[i];
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

// The number of results that are off by a unit or more.
std::size_t run(EntryKind kind, int t, Prg &prg) {
  Batch batch = makeBatch(kind, t, prg);
  auto service =
      kind == EntryKind::Compare
          ? ServiceCompare::makeRelu(batch.entry, std::get<CompareService>(std::move(batch.service)), batch.y, nullptr)
          : ServiceTruncate::make(batch.entry, std::get<TruncateService>(std::move(batch.service)), batch.y, nullptr);
  auto client = kind == EntryKind::Compare
                    ? ClientCompare::make(batch.entry, std::get<CompareClient>(std::move(batch.client)), nullptr)
                    : ClientTruncate::make(batch.entry, std::get<TruncateClient>(std::move(batch.client)), nullptr);
  passMessages(**service, **client);
  const MaskedTensor result = (*service)->takeResult();
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < kBatch; ++i) {
    const double y = kind == EntryKind::Compare ? std::max(batch.values[i], 0) : batch.values[i];
    wrong += std::abs(static_cast<SignedRing>(result.span()[i] + batch.mask[i]) - std::ldexp(y, -t)) >= 1.0;
  }
  return wrong;
}

int soak(std::size_t count, std::uint64_t seed) {
  std::array<std::uint8_t, Seed::kBytes> bytes{};
  for (int i = 0; i < 8; ++i)
    bytes[i] = static_cast<std::uint8_t>(seed >> (8 * i));
  Prg prg{Seed(bytes)};
  const int shifts[] = {1, 6, 10, 12, 15};
  std::size_t wrong = 0, done = 0;
  for (std::size_t batch = 0; done < count; ++batch, done += kBatch)
    wrong += run(batch % 2 ? EntryKind::Truncate : EntryKind::Compare, shifts[batch / 2 % std::size(shifts)], prg);
  std::printf("%zu values, seed %llu: %zu results off by a unit or more\n", done, static_cast<unsigned long long>(seed),
              wrong);
  return wrong != 0;
}

} // namespace
} // namespace sd

int main(int argc, char **argv) {
  const std::size_t count = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000'000;
  const std::uint64_t seed =
      argc > 2 ? std::strtoull(argv[2], nullptr, 10)
               : static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  return sd::soak(count, seed);
}
