// Bundles, packing and the plan.
#include "test/unit/protocol/ProtocolFixture.h"

namespace sd {
namespace {

using namespace test;
using testing::HasSubstr;

const EntryKind kKinds[] = {EntryKind::Input,   EntryKind::Linear,  EntryKind::Truncate, EntryKind::Compare,
                            EntryKind::Maximum, EntryKind::Product, EntryKind::Output};

PlanEntry sample(EntryKind kind, std::size_t n) {
  return entryOf(kind, n, evenShape(kind == EntryKind::Maximum ? 0 : 10, 30, 3, 3, kind != EntryKind::Truncate));
}

template <class R>
class Bundles : public testing::Test {};
TYPED_TEST_SUITE(Bundles, Rings);

TYPED_TEST(Bundles, aCorrelationIsTakenOnce) {
  using R = TypeParam;
  const PlanEntry entry = sample(EntryKind::Compare, 70);
  const Plan plan = planOf<R>({entry, entry});
  const std::vector<R> r(70, 3);
  ClientBundle<R> bundle(plan);
  auto early = bundle.template take<CompareClient<R>>(0);
  ASSERT_FALSE(early);
  EXPECT_THAT(early.error().message, HasSubstr("has not been made"));
  ASSERT_TRUE(bundle.put(0, deal<R>(entry, {r}, 1).client));
  auto twice = bundle.put(0, deal<R>(entry, {r}, 1).client);
  ASSERT_FALSE(twice);
  EXPECT_THAT(twice.error().message, HasSubstr("made already"));
  EXPECT_THAT(bundle.template take<ProductClient<R>>(0).error().message, HasSubstr("another kind"));
  ASSERT_TRUE(bundle.template take<CompareClient<R>>(0));
  auto again = bundle.template take<CompareClient<R>>(0);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("used already"));
  EXPECT_THAT(bundle.put(1, deal<R>(sample(EntryKind::Compare, 64), {std::vector<R>(64)}, 1).client).error().message,
              HasSubstr("another shape"));
  EXPECT_THAT(bundle.put(2, ClientMaterial<R>{}).error().message, HasSubstr("no entry 2"));
}

template <class R>
class Materials : public testing::Test {};
TYPED_TEST_SUITE(Materials, Rings);

TYPED_TEST(Materials, packsAndUnpacksToTheBit) {
  using R = TypeParam;
  for (const EntryKind kind : kKinds)
    for (const std::size_t n : {std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{100}}) {
      const PlanEntry entry = sample(kind, n);
      const Dealt<R> dealt = deal<R>(entry, {std::vector<R>(n, 0xDEADBEEF), std::vector<R>(n, 77)}, n);
      const auto service = pack(dealt.service, entry);
      EXPECT_EQ(service.size(), packedBytes(entry, 0, kBitsOf<R>));
      const auto service2 = unpack<ServiceMaterial<R>>(service.span(), entry);
      ASSERT_TRUE(service2 && fits(*service2, entry));
      const auto repacked = pack(*service2, entry);
      EXPECT_TRUE(std::ranges::equal(repacked.span(), service.span()));

      if (kind == EntryKind::Linear) continue;
      const auto client = pack(dealt.client, entry);
      EXPECT_EQ(client.size(), packedBytes(entry, 1, kBitsOf<R>));
      const auto client2 = unpack<ClientMaterial<R>>(client.span(), entry);
      ASSERT_TRUE(client2 && fits(*client2, entry));
      EXPECT_TRUE(std::ranges::equal(pack(*client2, entry).span(), client.span()));
    }
}

TYPED_TEST(Materials, damagedPacksAreRefused) {
  using R = TypeParam;
  const auto of = [](std::size_t n, int t) { return entryOf(EntryKind::Compare, n, standardShape(t, 30)); };
  const auto bytes = [&](std::size_t n, int t) { return packedBytes(of(n, t), 0, kBitsOf<R>); };
  int t = 8; // until the last byte has padding
  while (9 * bytes(8, t) == 8 * bytes(9, t) && t < 20)
    ++t;
  const PlanEntry entry = of(9, t);
  const Dealt<R> dealt = deal<R>(entry, {std::vector<R>(9)}, 1);
  auto packed = pack(dealt.service, entry);
  EXPECT_FALSE(unpack<ServiceMaterial<R>>(packed.span().first(packed.size() - 1), entry));
  EXPECT_FALSE(unpack<ServiceMaterial<R>>({}, entry));
  ASSERT_NE(9 * bytes(8, t), 8 * packed.size());
  packed[packed.size() - 1] |= 0x80;
  EXPECT_FALSE(unpack<ServiceMaterial<R>>(packed.span(), entry));
}

// Packed material runs the protocol as well as fresh material does.
TYPED_TEST(Materials, unpackedMaterialStillFitsTogether) {
  using R = TypeParam;
  const PlanEntry entry = sample(EntryKind::Compare, 100);
  const auto values = boundaryValues<R>(100, 10, 30, 5);
  const std::vector<R> r = boundaryValues<R>(100, 0, 30, 6);
  Dealt<R> dealt = deal<R>(entry, {r}, 3);
  const Plan plan = planOf<R>({entry});
  ServiceBundle<R> serviceBundle(plan);
  ClientBundle<R> clientBundle(plan);
  ASSERT_TRUE(serviceBundle.put(0, *unpack<ServiceMaterial<R>>(pack(dealt.service, entry).span(), entry)));
  ASSERT_TRUE(clientBundle.put(0, *unpack<ClientMaterial<R>>(pack(dealt.client, entry).span(), entry)));
  const auto y = masked(values, r);
  auto service = makeServiceOp<R>(plan, 0, serviceBundle, std::vector<const MaskedTensor<R> *>{&y}, nullptr);
  auto client = makeClientOp<R>(plan, 0, clientBundle, {}, nullptr);
  ASSERT_TRUE(service && client);
  passMessages(**service, **client);
  const MaskedTensor<R> result = (*service)->takeResult();
  for (std::size_t i = 0; i < 100; ++i)
    EXPECT_EQ(result.span()[i] + dealt.mask[i], expectedOf(entry.kind, values[i], 10));
}

} // namespace
} // namespace sd
