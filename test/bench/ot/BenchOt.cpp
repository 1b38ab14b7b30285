// How fast correlated OTs come, both parties in one process over memory, and where the time goes.
//   bench_ot [millions of OTs] [threads of a party]
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "runtime/net/MemoryChannel.h"
#include "runtime/ot/CorrelatedTree.h"
#include "runtime/ot/Cot.h"
#include "runtime/ot/LocalCode.h"

namespace sd {
namespace {

using Clock = std::chrono::steady_clock;

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

Expected<Prg> freshPrg() {
  SD_ASSIGN(const Seed seed, Seed::fresh());
  return Prg(seed);
}

struct Side {
  double setup = 0, first = 0, steady = 0;
  Traffic afterSetup, afterFirst, end;
};

constexpr std::size_t kPiece = std::size_t{1} << 18;

template <class Party>
Expected<Side> run(Connection &connection, std::size_t n, int threads) {
  Side side;
  const Clock::time_point start = Clock::now();
  SD_ASSIGN(Prg prg, freshPrg());
  ThreadPool pool(static_cast<unsigned>(threads));
  SD_ASSIGN(auto party, Party::create(connection.stream(1), std::move(prg), &pool));
  side.setup = secondsSince(start);
  side.afterSetup = connection.traffic();
  party->reserve(n);
  SecretVector<Block> out(kPiece);
  SD_TRY(party->extend(out.span()));
  side.first = secondsSince(start);
  side.afterFirst = connection.traffic();
  for (std::size_t made = kPiece; made < n; made += kPiece)
    SD_TRY(party->extend(out.span().first(std::min(kPiece, n - made))));
  side.steady = secondsSince(start) - side.first;
  side.end = connection.traffic();
  return side;
}

double nanosecondsEach(std::size_t n, auto &&work) {
  const Clock::time_point start = Clock::now();
  work();
  return 1e9 * secondsSince(start) / static_cast<double>(n);
}

void parts() {
  fmt::print("one core, nanoseconds an OT (backend {})\n", aesKernels().name);
  for (const LpnParameters &set : kLpnSets) {
    const std::size_t trees = 64, n = trees << set.depth;
    std::vector<Block> leaves(set.leaves()), sums(set.depth), table(set.secretLength());
    const AesKey key(Block{1, 2});
    const double grow = nanosecondsEach(n, [&] {
      for (std::size_t i = 0; i < trees; ++i)
        growTree(key, Block{i, 3}, Block{5, 7}, leaves, sums);
    });
    const double code = nanosecondsEach(n, [&] {
      for (std::size_t i = 0; i < trees; ++i)
        addCodeRows(key, i << set.depth, table.data(), set.logSecret, leaves);
    });
    fmt::print("  k = 2^{}, t = {}: trees {:.2f}, code {:.2f}\n", set.logSecret, set.trees, grow, code);
  }
  std::vector<Block> q(1 << 16);
  std::vector<std::uint64_t> zero(q.size()), one(q.size());
  PadHash hash(Block{1, 1});
  fmt::print("  pads: sender {:.2f}, receiver {:.2f}\n",
             nanosecondsEach(q.size(),
                             [&] {
                               hash.pairs(q, Block{1, 1}, zero.data(), one.data());
                             }),
             nanosecondsEach(q.size(), [&] { hash.single(q, zero.data()); }));
}

int benchmark(std::size_t n, int threads) {
  parts();
  auto [a, b] = makeMemoryConnections();
  Expected<Side> sender, receiver;
  {
    std::jthread other([&, connection = b.get()] { receiver = run<CotReceiver>(*connection, n, threads); });
    sender = run<CotSender>(*a, n, threads);
  }
  if (!sender || !receiver) {
    fmt::print(stderr, "{}\n", (sender ? receiver : sender).error().message);
    return 1;
  }
  const auto bytes = [](const Traffic &t) { return static_cast<double>(t.bytesSent + t.bytesReceived); };
  const double steady = std::max(sender->steady, receiver->steady);
  const double made = static_cast<double>(n - kPiece);
  fmt::print("set-up {:.1f} ms, {:.0f} B; first {} OTs after {:.1f} ms, {:.0f} B\n", 1e3 * sender->setup,
             bytes(sender->afterSetup), kPiece, 1e3 * sender->first, bytes(sender->afterFirst));
  fmt::print("then {:.1f} million OTs/s, both parties, {} thread(s) each, set {}; {:.3f} bits each\n",
             made / steady / 1e6, threads, planCots({}, n).after.set,
             8 * (bytes(sender->end) - bytes(sender->afterFirst)) / made);
  return 0;
}

} // namespace
} // namespace sd

int main(int argc, char **argv) {
  const std::size_t millions = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 30;
  const int threads = argc > 2 ? std::atoi(argv[2]) : 1;
  return sd::benchmark(std::max<std::size_t>(millions, 1) * 1'000'000, threads);
}
