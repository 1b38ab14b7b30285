// Bundles, packing and the plan.
#include "test/unit/protocol/ProtocolFixture.h"

namespace sd {
namespace {

using namespace test;
using testing::HasSubstr;

const EntryKind kKinds[] = {EntryKind::Input,   EntryKind::Linear,  EntryKind::Truncate, EntryKind::Compare,
                            EntryKind::Maximum, EntryKind::Product, EntryKind::Output};

PlanEntry sample(EntryKind kind, std::size_t n) {
  return entryOf(kind, n, {kind == EntryKind::Maximum ? 0 : 10, 30, {3, 3}});
}

TEST(Bundle, aCorrelationIsTakenOnce) {
  const PlanEntry entry = sample(EntryKind::Compare, 70);
  const Plan plan{{entry, entry}};
  const std::vector<Ring> r(70, 3);
  ClientBundle bundle(plan);
  auto early = bundle.take<CompareClient>(0);
  ASSERT_FALSE(early);
  EXPECT_THAT(early.error().message, HasSubstr("has not been made"));
  ASSERT_TRUE(bundle.put(0, deal(entry, {r}, 1).client));
  auto twice = bundle.put(0, deal(entry, {r}, 1).client);
  ASSERT_FALSE(twice);
  EXPECT_THAT(twice.error().message, HasSubstr("made already"));
  EXPECT_THAT(bundle.take<ProductClient>(0).error().message, HasSubstr("another kind"));
  ASSERT_TRUE(bundle.take<CompareClient>(0));
  auto again = bundle.take<CompareClient>(0);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("used already"));
  EXPECT_THAT(bundle.put(1, deal(sample(EntryKind::Compare, 64), {std::vector<Ring>(64)}, 1).client).error().message,
              HasSubstr("another shape"));
  EXPECT_THAT(bundle.put(2, ClientMaterial{}).error().message, HasSubstr("no entry 2"));
}

TEST(Material, packsAndUnpacksToTheBit) {
  for (const EntryKind kind : kKinds)
    for (const std::size_t n : {std::size_t{1}, std::size_t{63}, std::size_t{64}, std::size_t{100}}) {
      const PlanEntry entry = sample(kind, n);
      const Dealt dealt = deal(entry, {std::vector<Ring>(n, 0xDEADBEEF), std::vector<Ring>(n, 77)}, n);
      const auto service = pack(dealt.service, entry);
      EXPECT_EQ(service.size(), servicePackedBytes(entry));
      const auto service2 = unpackService(service.span(), entry);
      ASSERT_TRUE(service2 && fits(*service2, entry));
      const auto repacked = pack(*service2, entry);
      EXPECT_TRUE(std::ranges::equal(repacked.span(), service.span()));

      if (kind == EntryKind::Linear) continue;
      const auto client = pack(dealt.client, entry);
      EXPECT_EQ(client.size(), clientPackedBytes(entry));
      const auto client2 = unpackClient(client.span(), entry);
      ASSERT_TRUE(client2 && fits(*client2, entry));
      EXPECT_TRUE(std::ranges::equal(pack(*client2, entry).span(), client.span()));
    }
}

TEST(Material, damagedPacksAreRefused) {
  const PlanEntry entry = sample(EntryKind::Compare, 9);
  const Dealt dealt = deal(entry, {std::vector<Ring>(9)}, 1);
  auto packed = pack(dealt.service, entry);
  EXPECT_FALSE(unpackService(packed.span().first(packed.size() - 1), entry));
  EXPECT_FALSE(unpackService({}, entry));
  ASSERT_NE(9 * servicePackedBytes(sample(EntryKind::Compare, 8)), 8 * packed.size()) << "the last byte has padding";
  packed[packed.size() - 1] |= 0x80;
  EXPECT_FALSE(unpackService(packed.span(), entry));
}

// Packed material runs the protocol as well as fresh material does.
TEST(Material, unpackedMaterialStillFitsTogether) {
  const PlanEntry entry = sample(EntryKind::Compare, 100);
  const auto values = boundaryValues(100, 10, 30, 5);
  const std::vector<Ring> r = boundaryValues(100, 0, 30, 6);
  Dealt dealt = deal(entry, {r}, 3);
  const Plan plan{{entry}};
  ServiceBundle serviceBundle(plan);
  ClientBundle clientBundle(plan);
  ASSERT_TRUE(serviceBundle.put(0, *unpackService(pack(dealt.service, entry).span(), entry)));
  ASSERT_TRUE(clientBundle.put(0, *unpackClient(pack(dealt.client, entry).span(), entry)));
  const MaskedTensor y = masked(values, r);
  auto service = makeServiceOp(plan, 0, serviceBundle, std::vector<const MaskedTensor *>{&y}, nullptr);
  auto client = makeClientOp(plan, 0, clientBundle, {}, nullptr);
  ASSERT_TRUE(service && client);
  passMessages(**service, **client);
  const MaskedTensor result = (*service)->takeResult();
  for (std::size_t i = 0; i < 100; ++i) {
    const double exact = std::max(static_cast<SignedRing>(values[i]), 0) / 1024.0;
    EXPECT_LT(std::abs(static_cast<SignedRing>(result.span()[i] + dealt.mask[i]) - exact), 1.0);
  }
}

} // namespace
} // namespace sd
