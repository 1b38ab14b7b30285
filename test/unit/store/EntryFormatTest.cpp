#include "runtime/store/EntryFormat.h"

#include "test/unit/store/StoreFixture.h"

namespace sd {
namespace {

using testing::HasSubstr;

TEST(EntryId, namesParseAndPrint) {
  EntryId id;
  for (std::size_t i = 0; i < 16; ++i)
    id.session[i] = static_cast<std::uint8_t>(i * 17);
  id.index = 0x1234abcd;
  const std::string text = "00112233445566778899aabbccddeeff-1234abcd";
  EXPECT_EQ(toString(id), text);
  EXPECT_EQ(parseEntryId(text), id);
  for (const std::string bad :
       {"", "00112233445566778899aabbccddeeff-1234abc", "00112233445566778899aabbccddeeff_1234abcd",
        "00112233445566778899aabbccddeefg-1234abcd", "00112233445566778899AABBCCDDEEFF-1234abcd",
        "00112233445566778899aabbccddeeff-1234abcd0"})
    EXPECT_FALSE(parseEntryId(bad)) << bad;
}

// The frozen places of docs/store.md.
TEST(EntryHeader, hasTheDocumentedLayout) {
  EntryHeader header;
  header.binding.party = 1;
  header.binding.program.fill(0xd1), header.store.fill(0x52), header.binding.peer.fill(0x9e);
  header.id = test::idOf(0x5e, 0x01020304);
  header.pieces = 0x0a0b0c0d, header.bodyBytes = 0x1122334455667788;
  header.salt.fill(0x5a), header.tag.fill(0x7a);
  const auto bytes = header.encode();
  EXPECT_EQ(std::string(bytes.begin(), bytes.begin() + 8), "sd-entry");
  const auto expectRun = [&](std::size_t from, std::size_t to, std::uint8_t value) {
    for (std::size_t i = from; i < to; ++i)
      ASSERT_EQ(bytes[i], value) << i;
  };
  EXPECT_EQ(bytes[8] | bytes[9] << 8, 2);
  EXPECT_EQ(bytes[10], 1);
  EXPECT_EQ(bytes[12], 0x0d);
  EXPECT_EQ(bytes[16], 0x88);
  expectRun(24, 56, 0xd1);
  expectRun(56, 72, 0x52);
  expectRun(72, 88, 0x9e);
  expectRun(88, 104, 0x5e);
  EXPECT_EQ(bytes[104], 4);
  expectRun(112, 144, 0x5a);
  expectRun(144, 160, 0x7a);

  const auto back = EntryHeader::decode(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->encode(), bytes);
  auto newer = bytes;
  newer[8] = 3;
  EXPECT_THAT(EntryHeader::decode(newer).error().message, HasSubstr("version 3; this release knows version 2"));
}

TEST(StoreKey, refusesEveryDamagedByte) {
  const StoreKey key = *StoreKey::fresh();
  SecretVector<std::uint8_t> file = key.encode();
  ASSERT_EQ(file.size(), 96u);
  const auto back = StoreKey::decode(file.span());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->id, key.id);
  EXPECT_TRUE(std::ranges::equal(back->secret.span(), key.secret.span()));
  for (std::size_t i = 0; i < file.size(); ++i) {
    file[i] ^= 0x10;
    ASSERT_FALSE(StoreKey::decode(file.span())) << i;
    file[i] ^= 0x10;
    ASSERT_FALSE(StoreKey::decode(std::span<const std::uint8_t>(file.span()).first(i))) << i;
  }
  EXPECT_NE(StoreKey::fresh()->id, key.id);
}

// Zeros sealed as other pieces of a file and as pieces of another file: a key stream that came twice would show. Eight
// of 64 bytes are equal by chance at odds of 2^-32.
TEST(EntryCipher, eachPieceHasAKeyStreamOfItsOwn) {
  const StoreKey key = *StoreKey::fresh();
  std::vector<std::vector<std::uint8_t>> sealed;
  for (std::uint8_t salt : {0, 1}) {
    EntryHeader header;
    header.salt.fill(salt);
    auto cipher = EntryCipher::sealing(key, header);
    ASSERT_TRUE(cipher);
    for (std::uint32_t number : {0U, 1U, 2U, 256U, 65536U}) {
      std::vector<std::uint8_t> piece(64 + EntryHeader::kTagBytes, 0);
      ASSERT_TRUE(cipher->seal(number, piece));
      sealed.push_back(std::move(piece));
    }
  }
  for (std::size_t i = 0; i < sealed.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      int equal = 0;
      for (std::size_t k = 0; k < 64; ++k)
        equal += sealed[i][k] == sealed[j][k];
      EXPECT_LT(equal, 8) << "pieces " << j << " and " << i;
    }
}

template <class R>
class StoredLayouts : public testing::Test {};
TYPED_TEST_SUITE(StoredLayouts, test::Rings);

TYPED_TEST(StoredLayouts, followFromThePlan) {
  const Plan plan = test::smallPlan<TypeParam>();
  for (const int party : {0, 1}) {
    const StoredLayout layout(plan, party);
    std::uint64_t at = EntryHeader::kBytes;
    for (std::size_t i = 0; i < plan.entries.size(); ++i) {
      const std::size_t packed = packedBytes(plan.entries[i], party, kBitsOf<TypeParam>);
      EXPECT_EQ(layout.pieces[i].packedBytes, packed);
      if (packed == 0) continue;
      EXPECT_EQ(layout.pieces[i].offset, at);
      at += packed + 16;
    }
    EXPECT_EQ(layout.bodyBytes + EntryHeader::kBytes, at);
    EXPECT_EQ(layout.count, party == 0 ? 2u : 3u);
  }
}

} // namespace
} // namespace sd
