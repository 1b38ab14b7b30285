// What docs/threat-model.md says of a hospital that cheats in comparisons, as a test of today's truth: it reads a
// network of the breast-cancer model's form, 30-16-16-2, from 384 records. Should this test fail because the attack no
// longer works, the threat model is out of date.
#include <algorithm>
#include <cmath>
#include <thread>

#include <gtest/gtest.h>

#include "ir/bytecode/Digest.h"
#include "ir/bytecode/Writer.h"
#include "ir/core/ScheduleAttr.h"
#include "runtime/net/MemoryChannel.h"
#include "runtime/vm/Providers.h"
#include "runtime/vm/Session.h"
#include "test/unit/vm/Programs.h"

namespace sd {
namespace {

constexpr std::size_t kIn = 30, kHidden = 16, kOut = 2;
constexpr int kBits = 8; // dropped by each ReLU
using Shifts = std::array<std::array<Ring32, kHidden>, 2>;

Seed seed(std::uint8_t fill) {
  std::array<std::uint8_t, Seed::kBytes> bytes;
  bytes.fill(fill);
  return Seed(bytes);
}

struct Victim {
  LoadedProgram program;
  WeightSet<Ring32> weights;
  double at(std::size_t layer, std::size_t in, std::size_t out, std::size_t width) const {
    return weights.tensors[layer].data[in * width + out];
  }
};

Victim victim() {
  test::ProgramBuilder<Ring32> b;
  const SlotId record = b.input("x", {1, kIn}), w1 = b.weights({kIn, kHidden}, 6, 1, 6),
               w2 = b.weights({kHidden, kHidden}, 6, 2, 6), w3 = b.weights({kHidden, kOut}, 6, 3, 6);
  const Attrs relu =
      withSchedule(OpKind::ShareRelu, {{Attr::Bits, std::int64_t{kBits}}, {Attr::Bound, std::int64_t{30}}});
  SlotId v = b.add(OpKind::ShareInput, {record}, {}, Type::share({1, kIn}, 8));
  v = b.add(OpKind::ShareRelu, {b.add(OpKind::ShareMatMul, {v, w1})}, relu);
  v = b.add(OpKind::ShareRelu, {b.add(OpKind::ShareMatMul, {v, w2})}, relu);
  v = b.add(OpKind::ShareMatMul, {v, w3});
  b.add(OpKind::Return, {b.add(OpKind::ShareOutput, {v})}, {{Attr::Names, std::vector<std::string>{"y"}}});
  const auto bytes = writeProgram(b.program());
  EXPECT_TRUE(bytes) << bytes.error().message;
  Victim result{{b.program(), digestOf(*bytes)}, b.weightSet()};
  result.weights.program = result.program.digest;
  return result;
}

// P1's walk with what it adds to its masks where they enter comparisons: a comparison of y becomes one of y + shift.
class CheatingWalk final : public MaskWalk<Ring32> {
public:
  CheatingWalk(MaskWalk<Ring32> &inner, const Plan &plan, const Shifts &shifts)
      : inner_(inner), plan_(plan), shifts_(shifts) {}
  Expected<void> announce(std::size_t entry, std::span<const Ring32> mask) override {
    return inner_.announce(entry, mask);
  }
  bool ready(std::size_t entry) const override { return inner_.ready(entry); }
  Expected<SecretVector<Ring32>> operand(std::size_t entry, int which) override {
    SD_ASSIGN(SecretVector<Ring32> mask, inner_.operand(entry, which));
    if (plan_.entries[entry].kind != EntryKind::Compare) return mask;
    std::size_t number = 0;
    for (std::size_t i = 0; i < entry; ++i)
      number += plan_.entries[i].kind == EntryKind::Compare;
    for (std::size_t i = 0; i < mask.size(); ++i)
      mask[i] += shifts_[number][i];
    return mask;
  }

private:
  MaskWalk<Ring32> &inner_;
  const Plan &plan_;
  const Shifts &shifts_;
};

class CheatingProvider final : public ClientProvider<Ring32> {
public:
  CheatingProvider(std::unique_ptr<ClientProvider<Ring32>> inner, const std::vector<Shifts> &shifts)
      : inner_(std::move(inner)), shifts_(shifts) {}
  Expected<void> prepare(const OfflineJob &job, MaskWalk<Ring32> &walk,
                         const Sink<ClientMaterial<Ring32>> &sink) override {
    CheatingWalk cheating(walk, job.plan, shifts_[next_++]);
    return inner_->prepare(job, cheating, sink);
  }

private:
  std::unique_ptr<ClientProvider<Ring32>> inner_;
  const std::vector<Shifts> &shifts_;
  std::size_t next_ = 0;
};

struct Query {
  std::array<float, kIn> x{};
  Shifts shifts{};
};

constexpr Ring32 kOff = Ring32{0} - (1U << 28);

Query silent() {
  Query query;
  query.shifts[0].fill(kOff);
  query.shifts[1].fill(kOff);
  return query;
}

// The opened integers, two a query.
std::vector<std::array<double, kOut>> ask(const Victim &victim, const std::vector<Query> &queries) {
  std::vector<NamedTensors> records;
  std::vector<Shifts> shifts;
  for (const Query &query : queries) {
    Tensor<float> x(Shape{1, kIn});
    std::ranges::copy(query.x, x.data.begin());
    records.emplace_back().emplace("x", std::move(x));
    shifts.push_back(query.shifts);
  }
  auto [near, far] = makeMemoryConnections();
  std::thread service([&, &peer = *near] {
    ThreadPool pool(1);
    const auto served = runService<Ring32>(peer, {victim.program, pool, PreprocessMode::TwoParty, seed(1)},
                                           victim.weights, twoPartyService<Ring32>());
    EXPECT_TRUE(served) << served.error().message; // the service notices nothing
  });
  ThreadPool pool(1);
  const auto factory = [&](const ProviderContext &context) -> Expected<std::unique_ptr<ClientProvider<Ring32>>> {
    SD_ASSIGN(auto inner, twoPartyClient<Ring32>()(context));
    return std::make_unique<CheatingProvider>(std::move(inner), shifts);
  };
  const auto result =
      runClient<Ring32>(*far, {victim.program, pool, PreprocessMode::TwoParty, seed(2)}, records, factory);
  far->close("done");
  service.join();
  EXPECT_TRUE(result) << result.error().message;
  std::vector<std::array<double, kOut>> answers;
  if (!result) return answers;
  const Instruction &output = victim.program.program.instructions[victim.program.program.instructions.size() - 2];
  const double scale = std::exp2(victim.program.program.slots[output.operands[0]].scale);
  for (const auto &outputs : result->outputs)
    answers.push_back({outputs[0].data[0] * scale, outputs[0].data[1] * scale});
  return answers;
}

// x with m x = y, rounded.
std::array<double, 2> solve(const double m[2][2], double y0, double y1) {
  const double det = m[0][0] * m[1][1] - m[0][1] * m[1][0];
  return {(m[1][1] * y0 - m[0][1] * y1) / det, (m[0][0] * y1 - m[1][0] * y0) / det};
}

// Pairs of units whose two columns in `last` are far from parallel.
std::vector<std::pair<std::size_t, std::size_t>> pairsOf(const std::vector<std::array<double, kOut>> &last) {
  std::vector<std::size_t> left;
  for (std::size_t k = 0; k < last.size(); ++k)
    left.push_back(k);
  std::vector<std::pair<std::size_t, std::size_t>> pairs;
  while (!left.empty()) {
    const std::size_t a = left.back();
    left.pop_back();
    const auto best = std::ranges::max_element(
        left, {}, [&](std::size_t b) { return std::abs(last[a][0] * last[b][1] - last[a][1] * last[b][0]); });
    pairs.emplace_back(a, *best);
    left.erase(best);
  }
  return pairs;
}

TEST(Malicious, AHospitalThatShiftsItsComparisonsReadsTheModel) {
  const Victim secret = victim();
  std::size_t asked = 0;

  // The last layer: one unit of the second hidden layer at 2^16, all others off.
  std::vector<Query> queries;
  for (std::size_t k = 0; k < kHidden; ++k) {
    queries.push_back(silent());
    queries.back().shifts[1][k] = 1U << (16 + kBits);
  }
  asked += queries.size();
  auto answers = ask(secret, queries);
  ASSERT_EQ(answers.size(), queries.size());
  std::vector<std::array<double, kOut>> w3(kHidden);
  for (std::size_t k = 0; k < kHidden; ++k)
    for (std::size_t c = 0; c < kOut; ++c) {
      w3[k][c] = std::round(answers[k][c] / (1 << 16));
      EXPECT_EQ(w3[k][c], secret.at(2, k, c, kOut));
    }

  // The second: unit j of the first hidden layer at 2^16, two of the second on.
  const auto pairs = pairsOf(w3);
  queries.clear();
  for (std::size_t j = 0; j < kHidden; ++j)
    for (const auto &[a, b] : pairs) {
      queries.push_back(silent());
      queries.back().shifts[0][j] = 1U << (16 + kBits);
      queries.back().shifts[1][a] = queries.back().shifts[1][b] = 1U << 24;
    }
  asked += queries.size();
  answers = ask(secret, queries);
  ASSERT_EQ(answers.size(), queries.size());
  std::vector<std::array<double, kHidden>> w2(kHidden);
  for (std::size_t j = 0, q = 0; j < kHidden; ++j)
    for (const auto &[a, b] : pairs) {
      const double m[2][2] = {{w3[a][0], w3[b][0]}, {w3[a][1], w3[b][1]}};
      const auto h = solve(m, answers[q][0], answers[q][1]);
      ++q;
      w2[j][a] = std::round((h[0] - (1 << 16)) / 256);
      w2[j][b] = std::round((h[1] - (1 << 16)) / 256);
      EXPECT_EQ(w2[j][a], secret.at(1, j, a, kHidden));
      EXPECT_EQ(w2[j][b], secret.at(1, j, b, kHidden));
    }

  // The first: input i at 2^16, two units of each hidden layer on, chosen so that their matrix is far from singular.
  std::vector<std::array<std::size_t, 4>> routes; // units j0, j1, then k0, k1
  std::vector<std::array<double, kOut>> through(kHidden);
  const auto [k0, k1] = *std::ranges::max_element(pairs, {}, [&](const auto &p) {
    return std::abs(w3[p.first][0] * w3[p.second][1] - w3[p.first][1] * w3[p.second][0]);
  });
  for (std::size_t j = 0; j < kHidden; ++j)
    for (std::size_t c = 0; c < kOut; ++c)
      through[j][c] = w3[k0][c] * w2[j][k0] + w3[k1][c] * w2[j][k1];
  const auto firstPairs = pairsOf(through);
  queries.clear();
  for (std::size_t i = 0; i < kIn; ++i)
    for (const auto &[a, b] : firstPairs) {
      queries.push_back(silent());
      Query &query = queries.back();
      query.x[i] = 256; // 2^16 at scale 8
      query.shifts[0][a] = query.shifts[0][b] = 1U << 24;
      query.shifts[1][k0] = query.shifts[1][k1] = 1U << 26;
    }
  asked += queries.size();
  answers = ask(secret, queries);
  ASSERT_EQ(answers.size(), queries.size());
  std::size_t wrong = 0;
  for (std::size_t i = 0, q = 0; i < kIn; ++i)
    for (const auto &[a, b] : firstPairs) {
      // y2 / 2^8 = W2^T (W1 2^8 + 2^16) / 2^8 + 2^18, and the output is W3^T of that.
      const double m[2][2] = {{through[a][0], through[b][0]}, {through[a][1], through[b][1]}};
      double y[2];
      for (std::size_t c = 0; c < kOut; ++c)
        y[c] = answers[q][c] - (w3[k0][c] + w3[k1][c]) * (1 << 18) - (through[a][c] + through[b][c]) * 256;
      const auto w1 = solve(m, y[0], y[1]);
      ++q;
      wrong += std::round(w1[0]) != secret.at(0, i, a, kHidden);
      wrong += std::round(w1[1]) != secret.at(0, i, b, kHidden);
    }
  EXPECT_EQ(wrong, 0U);
  EXPECT_LE(asked, 393U);
}

} // namespace
} // namespace sd
