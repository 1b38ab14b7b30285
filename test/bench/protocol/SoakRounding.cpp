// Looks for a value that is rounded otherwise than the reference rounds it: many random ones below the bound, truncated
// with and without ReLU, by every useful schedule, in both rings. `soak_rounding [values a schedule] [seed]`, by
// default 10^7 each.
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "ir/core/Reference.h"
#include "ir/core/ScheduleChoice.h"
#include "runtime/offline/Deal.h"
#include "runtime/protocol/Compare.h"

namespace sd {
namespace {

constexpr std::size_t kBatch = std::size_t{1} << 17;

// |y| <= 2^k - 2^t of all magnitudes; of sixteen values one at an edge, and one where rounding turns.
template <RingWord R>
void drawValues(const CompareShape &shape, Prg &prg, std::vector<R> &values) {
  std::vector<std::uint64_t> random(2 * values.size());
  prg.fill(std::span<std::uint64_t>(random));
  const std::uint64_t edge = (std::uint64_t{1} << shape.bound) - (std::uint64_t{1} << shape.truncation);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t control = random[2 * i + 1];
    auto value = static_cast<std::int64_t>(random[2 * i] % (2 * edge + 1) - edge);
    value >>= (control >> 8) % static_cast<unsigned>(shape.bound);
    if (control % 16 == 0) value = control & 256 ? static_cast<std::int64_t>(edge) : -static_cast<std::int64_t>(edge);
    if (control % 16 == 1 && shape.truncation > 0) {
      const std::int64_t turn = (value >> shape.truncation) * (std::int64_t{1} << shape.truncation) +
                                (std::int64_t{1} << (shape.truncation - 1)) - (control >> 9 & 1);
      if (std::abs(turn) <= static_cast<std::int64_t>(edge)) value = turn;
    }
    values[i] = static_cast<R>(value);
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

// The number of results that are not the reference's.
template <RingWord R>
std::size_t run(const CompareShape &shape, std::size_t count, Prg &prg) {
  PlanEntry entry;
  entry.kind = shape.selects ? EntryKind::Compare : EntryKind::Truncate;
  entry.elements = count;
  entry.compare = shape;
  std::vector<R> values(count);
  drawValues(shape, prg, values);
  auto ofService = std::get<CompareService<R>>(dealtServiceParts<R>(entry, prg));
  ClientMaterial<R> dealt = dealtClientParts<R>(entry, prg);
  auto &ofClient = std::get<CompareClient<R>>(dealt);
  ofClient.r = randomRing<R>(count, prg);
  ofClient.mask = randomRing<R>(count, prg);
  const SecretVector<R> mask = ofClient.mask.clone();
  MaskedTensor<R> y(count);
  for (std::size_t i = 0; i < count; ++i)
    y.span()[i] = values[i] - ofClient.r[i];
  ServiceMaterial<R> whole = std::move(ofService);
  completeClient(entry, whole, dealt);
  ofService = std::get<CompareService<R>>(std::move(whole));
  auto service = shape.selects ? ServiceCompare<R>::makeRelu(entry, std::move(ofService), y, nullptr)
                               : ServiceCompare<R>::makeTruncate(entry, std::move(ofService), y, nullptr);
  auto client = ClientCompare<R>::make(entry, std::move(ofClient), nullptr);
  passMessages(**service, **client);
  const MaskedTensor<R> result = (*service)->takeResult();
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const SignedOf<R> rounded = truncate(static_cast<SignedOf<R>>(values[i]), shape.truncation);
    const SignedOf<R> wanted = shape.selects ? std::max(rounded, SignedOf<R>{0}) : rounded;
    wrong += result.span()[i] + mask[i] != static_cast<R>(wanted);
  }
  return wrong;
}

template <RingWord R>
std::size_t soak(std::size_t each, Prg &prg) {
  constexpr int kBound = kBoundBitsOf<R>;
  std::size_t wrong = 0;
  for (const auto &[t, bound, selects] :
       {std::tuple{12, 30, true}, {10, 25, true}, {0, kBound, true}, {20, kBound, true}, {12, kBound, false}}) {
    CompareShape shape{t, bound, {}, selects};
    const auto schedules = usefulSchedules(kBitsOf<R>, shape);
    std::size_t ofShape = 0;
    for (const ScheduleCost &schedule : schedules) {
      shape.schedule = schedule.schedule;
      for (std::size_t done = 0; done < each; done += kBatch)
        ofShape += run<R>(shape, std::min(kBatch, each - done), prg);
    }
    std::printf("ring %d, t %2d, bound 2^%d, %s: %3zu schedules, %zu values each, %zu wrong\n", kBitsOf<R>, t, bound,
                selects ? "ReLU" : "alone", schedules.size(), each, ofShape);
    std::fflush(stdout);
    wrong += ofShape;
  }
  return wrong;
}

} // namespace
} // namespace sd

int main(int argc, char **argv) {
  const std::size_t each = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 10'000'000;
  const std::uint64_t seed =
      argc > 2 ? std::strtoull(argv[2], nullptr, 10)
               : static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
  std::array<std::uint8_t, sd::Seed::kBytes> bytes{};
  for (int i = 0; i < 8; ++i)
    bytes[i] = static_cast<std::uint8_t>(seed >> (8 * i));
  sd::Prg prg{sd::Seed(bytes)};
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  const std::size_t narrow = sd::soak<sd::Ring32>(each, prg), wide = sd::soak<sd::Ring64>(each, prg);
  return narrow + wide != 0;
}
