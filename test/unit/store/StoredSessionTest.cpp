// Whole sessions: prepared in one, used in others, by several at once.
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>

#include <gmock/gmock.h>

#include "ir/bytecode/Digest.h"
#include "ir/bytecode/ProgramView.h"
#include "ir/bytecode/Writer.h"
#include "ir/core/ScheduleAttr.h"
#include "runtime/net/MemoryChannel.h"
#include "runtime/offline/LocalDealer.h"
#include "runtime/vm/Local.h"
#include "runtime/vm/Providers.h"
#include "test/unit/vm/Programs.h"

namespace sd {
namespace {

using testing::HasSubstr;
using testing::Not;
using Ints = std::vector<std::int64_t>;

template <RingWord R>
struct Compiled {
  LoadedProgram program;
  WeightSet<R> weights;
};

// y = relu(x W) >> 8, x in [-1, 1]^4.
template <RingWord R>
Compiled<R> small() {
  test::ProgramBuilder<R> b;
  const SlotId weights = b.weights({4, 3}, 8, 1, 9);
  const SlotId in = b.add(
      OpKind::ShareInput,
      {b.add(OpKind::Input, {}, {{Attr::Name, "x"}, {Attr::Dims, Ints{1, 4}}, {Attr::Low, -1.0}, {Attr::High, 1.0}})},
      {}, Type::share({1, 4}, 8));
  const SlotId v =
      b.add(OpKind::ShareRelu, {b.add(OpKind::ShareMatMul, {in, weights})},
            withSchedule(OpKind::ShareRelu, {{Attr::Bits, std::int64_t{8}}, {Attr::Bound, std::int64_t{20}}}));
  b.add(OpKind::Return, {b.add(OpKind::ShareOutput, {v})}, {{Attr::Names, std::vector<std::string>{"y"}}});
  const auto bytes = writeProgram(b.program());
  EXPECT_TRUE(bytes);
  Compiled<R> result{{b.program(), digestOf(*bytes)}, b.weightSet()};
  result.weights.program = result.program.digest;
  return result;
}

struct Results {
  Expected<SessionStats> service = fail("did not run");
  Expected<ClientResult> client = fail("did not run");
};

template <RingWord R>
struct Fixture {
  std::string folder = (std::filesystem::temp_directory_path() / "sd-stored-XXXXXX").string();
  Compiled<R> compiled = small<R>();
  ThreadPool pool{2};
  std::optional<Store> service, client;

  Fixture() {
    EXPECT_NE(::mkdtemp(folder.data()), nullptr);
    service.emplace(*Store::openOrCreate(folder + "/service"));
    client.emplace(*Store::openOrCreate(folder + "/client"));
  }
  ~Fixture() { std::filesystem::remove_all(folder); }

  Results run(Purpose purpose, std::uint64_t count, PreprocessMode mode = PreprocessMode::TwoParty) {
    std::vector<NamedTensors> records;
    for (std::uint64_t i = 0; purpose != Purpose::Prepare && i < count; ++i)
      records.push_back({{"x", Tensor<float>{{1, 4}, {0.5f, -0.25f, 0.125f, static_cast<float>(i) / 64}}}});
    auto link = makeMemoryConnections({.timeout = std::chrono::milliseconds(20000)});
    SessionOptions forService{compiled.program, pool, mode, *Seed::fresh()}, forClient = forService;
    forClient.seed = *Seed::fresh();
    forService.store = {purpose, &*service, count}, forClient.store = {purpose, &*client, count};
    auto makeService = twoPartyService<R>();
    auto makeClient = twoPartyClient<R>();
    std::optional<LocalDealer> dealer;
    if (mode == PreprocessMode::Dealer) {
      dealer.emplace(dealerOptions(std::chrono::milliseconds(5000)), pool);
      forService.dealer = [&] { return &dealer->service(); }, forClient.dealer = [&] { return &dealer->client(); };
      makeService = dealerService<R>();
      makeClient = dealerClient<R>(compiled.program.program, pool);
    }
    Results results;
    std::thread thread([&] { results.service = runService(*link.first, forService, compiled.weights, makeService); });
    results.client = runClient<R>(*link.second, forClient, records, makeClient);
    thread.join();
    if (results.client) expectAsInterpreted(records, *results.client);
    return results;
  }

  void expectAsInterpreted(std::span<const NamedTensors> records, const ClientResult &result) {
    auto interpreter = Interpreter::create(viewOf(compiled.program.program, compiled.weights));
    ASSERT_TRUE(interpreter);
    ASSERT_EQ(result.outputs.size(), records.size());
    for (std::size_t r = 0; r < records.size(); ++r) {
      const auto expected = interpreter->run(records[r]);
      ASSERT_TRUE(expected);
      EXPECT_EQ(result.outputs[r], expected->outputs);
    }
  }
};

template <class R>
class Prepared : public testing::Test {};
TYPED_TEST_SUITE(Prepared, test::ProgramRings);

TYPED_TEST(Prepared, InferencesServeLaterSessionsOnceEach) {
  for (const PreprocessMode mode : {PreprocessMode::TwoParty, PreprocessMode::Dealer}) {
    Fixture<TypeParam> fixture;
    const Results made = fixture.run(Purpose::Prepare, 5, mode);
    ASSERT_TRUE(made.service && made.client) << (made.client ? "" : made.client.error().message);
    EXPECT_EQ(made.service->stored.size(), 5u);
    EXPECT_EQ(made.service->stored, made.client->stats.stored);
    EXPECT_EQ(made.client->stats.online.traffic.bytesSent, 0u);

    const Results first = fixture.run(Purpose::Stored, 3), second = fixture.run(Purpose::Stored, 2);
    ASSERT_TRUE(first.service && first.client && second.service && second.client);
    std::vector<std::string> used = first.client->stats.stored;
    used.insert(used.end(), second.client->stats.stored.begin(), second.client->stats.stored.end());
    EXPECT_EQ(used, made.client->stats.stored);
    EXPECT_EQ(first.service->stored, first.client->stats.stored);

    const Results sixth = fixture.run(Purpose::Stored, 1);
    ASSERT_FALSE(sixth.service || sixth.client);
    EXPECT_THAT(sixth.client.error().message, HasSubstr("the stores hold 0 prepared inference(s)"));
    EXPECT_THAT(sixth.service.error().message, HasSubstr("the stores hold 0 prepared inference(s)"));
  }
}

TEST(StoredSession, UsesTheOnlinePhaseAloneWithTheSameTraffic) {
  Fixture<Ring32> fixture;
  const Results fresh = fixture.run(Purpose::Fresh, 2);
  ASSERT_TRUE(fixture.run(Purpose::Prepare, 2).client);
  const Results stored = fixture.run(Purpose::Stored, 2);
  ASSERT_TRUE(fresh.client && stored.client);
  EXPECT_EQ(stored.client->stats.online.traffic, fresh.client->stats.online.traffic);
  EXPECT_LT(stored.client->stats.offline.traffic.bytesSent, 200u);
  EXPECT_GT(fresh.client->stats.offline.traffic.bytesSent, 10'000u);
}

TEST(StoredSession, ManyAtOnceShareOneStore) {
  Fixture<Ring32> fixture;
  ASSERT_TRUE(fixture.run(Purpose::Prepare, 40).client);
  std::vector<Results> results(8);
  {
    std::vector<std::jthread> threads;
    for (Results &result : results)
      threads.emplace_back([&] { result = fixture.run(Purpose::Stored, 5); });
  }
  std::set<std::string> service, client;
  std::size_t used = 0;
  for (const Results &result : results) {
    ASSERT_TRUE(result.service && result.client) << (result.client ? "" : result.client.error().message);
    EXPECT_EQ(result.service->stored, result.client->stats.stored);
    service.insert(result.service->stored.begin(), result.service->stored.end());
    client.insert(result.client->stats.stored.begin(), result.client->stats.stored.end());
    used += result.client->stats.stored.size();
  }
  EXPECT_EQ(used, 40u);
  EXPECT_EQ(service.size(), 40u);
  EXPECT_EQ(client, service);
}

// Material made with some weights would give wrong results with others, and tell the hospital their difference.
TEST(StoredSession, OtherWeightsOfTheSameProgramHaveInferencesOfTheirOwn) {
  Fixture<Ring32> fixture;
  ASSERT_TRUE(fixture.run(Purpose::Prepare, 2).client);
  fixture.compiled.weights.tensors[0].data[0] ^= 1;
  const Results other = fixture.run(Purpose::Stored, 1);
  ASSERT_FALSE(other.service || other.client);
  EXPECT_THAT(other.service.error().message, HasSubstr("no inferences of this program with these weights"));
  EXPECT_THAT(other.client.error().message, HasSubstr("with these weights"));
  EXPECT_THAT(other.client.error().message, Not(HasSubstr(fixture.folder)));
  ASSERT_TRUE(fixture.run(Purpose::Prepare, 1).client);
  ASSERT_TRUE(fixture.run(Purpose::Stored, 1).client); // the hospital discards the two
  fixture.compiled.weights.tensors[0].data[0] ^= 1;
  const Results back = fixture.run(Purpose::Stored, 1);
  ASSERT_FALSE(back.service || back.client);
  EXPECT_THAT(back.client.error().message, HasSubstr("the stores hold 0 prepared inference(s)"));
}

TEST(StoredSession, AStoreOfAnotherProgramIsEmptyHere) {
  Fixture<Ring32> fixture;
  ASSERT_TRUE(fixture.run(Purpose::Prepare, 1).client);
  fixture.compiled.program.digest[0] ^= 1;
  fixture.compiled.weights.program = fixture.compiled.program.digest;
  const Results other = fixture.run(Purpose::Stored, 1);
  ASSERT_FALSE(other.service || other.client);
  EXPECT_THAT(other.client.error().message, HasSubstr("--prepare N --store DIR"));
}

} // namespace
} // namespace sd
