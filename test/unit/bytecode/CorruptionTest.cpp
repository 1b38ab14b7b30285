// Damaged files: with the digest they are always refused; with a digest made to fit, what comes out is an error or a
// program that obeys all rules, and that the writer writes as the very same bytes.
#include <gmock/gmock.h>

#include <random>

#include "ir/bytecode/Inspect.h"
#include "ir/bytecode/Reader.h"
#include "ir/bytecode/Verify.h"
#include "ir/bytecode/Writer.h"
#include "test/unit/bytecode/Samples.h"

namespace sd {
namespace {

using testing::HasSubstr;
using File = std::vector<std::uint8_t>;

struct Files {
  Sample sample;
  Digest digest;
  File program, weights;
};

Files filesOf(Sample sample) {
  File program = *writeProgram(sample.program);
  const Digest digest = digestOf(program);
  sample.bind(digest);
  File weights = *writeWeights(sample.weights, sample.program);
  return {std::move(sample), digest, std::move(program), std::move(weights)};
}

class Corruption : public testing::TestWithParam<Sample (*)()> {
protected:
  const Files files = filesOf(GetParam()());

  Expected<AnyWeightSet> weightsOf(const File &bytes) const {
    return readAnyWeights(bytes, files.sample.program, files.digest);
  }

  static std::vector<Shape> shapesOf(const AnyWeightSet &weights) {
    std::vector<Shape> shapes;
    std::visit(
        [&](const auto &set) {
          for (const auto &tensor : set.tensors)
            shapes.push_back(tensor.shape);
        },
        weights);
    return shapes;
  }

  // True if it was accepted.
  static bool checkProgram(const File &bytes) {
    const auto read = readProgram(bytes);
    if (!read) {
      EXPECT_FALSE(read.error().message.empty());
      return false;
    }
    EXPECT_TRUE(verifyProgram(*read));
    EXPECT_EQ(*writeProgram(*read), bytes);
    return true;
  }
};

TEST_P(Corruption, EveryFlippedBitOfAProgramIsRefused) {
  for (std::size_t i = 0; i < files.program.size() * 8; ++i) {
    File bytes = files.program;
    bytes[i / 8] ^= static_cast<std::uint8_t>(1 << i % 8);
    EXPECT_FALSE(readProgram(bytes)) << "bit " << i % 8 << " of byte " << i / 8;
  }
}

TEST_P(Corruption, EveryFlippedBitOfWeightsIsRefused) {
  for (std::size_t i = 0; i < files.weights.size() * 8; ++i) {
    File bytes = files.weights;
    bytes[i / 8] ^= static_cast<std::uint8_t>(1 << i % 8);
    EXPECT_FALSE(weightsOf(bytes)) << "bit " << i % 8 << " of byte " << i / 8;
  }
}

TEST_P(Corruption, EveryByteValueBehindTheDigestGivesAnErrorOrAValidProgram) {
  int accepted = 0, refused = 0;
  for (std::size_t i = 0; i < files.program.size(); ++i) {
    for (int value = 0; value < 256; value += (value < 8 || value > 246) ? 1 : 7) {
      File bytes = files.program;
      bytes[i] = static_cast<std::uint8_t>(value);
      (checkProgram(withProgramDigest(bytes)) ? accepted : refused) += 1;
    }
  }
  EXPECT_GT(accepted, 0); // names, ranges and constants may be anything
  EXPECT_GT(refused, accepted);
}

TEST_P(Corruption, EveryByteOfWeightsBehindTheDigestGivesAnErrorOrWeights) {
  for (std::size_t i = 0; i < files.weights.size(); ++i) {
    for (int value = 0; value < 256; ++value) {
      File bytes = files.weights;
      bytes[i] = static_cast<std::uint8_t>(value);
      const auto read = weightsOf(withWeightsDigest(bytes));
      if (!read) continue;
      EXPECT_EQ(shapesOf(*read), shapesOf(files.sample.weights));
    }
  }
}

TEST_P(Corruption, EveryTruncationIsRefused) {
  for (std::size_t length = 0; length < files.program.size(); ++length) {
    const File bytes(files.program.begin(), files.program.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(readProgram(bytes)) << length;
    EXPECT_FALSE(readProgram(withProgramDigest(bytes))) << length;
  }
  for (std::size_t length = 0; length < files.weights.size(); ++length) {
    const File bytes(files.weights.begin(), files.weights.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_FALSE(weightsOf(bytes)) << length;
    EXPECT_FALSE(weightsOf(withWeightsDigest(bytes))) << length;
  }
}

TEST_P(Corruption, TrailingBytesAreRefused) {
  File program = files.program, weights = files.weights;
  program.push_back(0);
  weights.push_back(0);
  EXPECT_THAT(readProgram(program).error().message, HasSubstr("1 bytes too many"));
  EXPECT_THAT(weightsOf(weights).error().message, HasSubstr("1 bytes too many"));
}

// Bytes changed, inserted, removed and copied about, with length and digest made to fit.
TEST_P(Corruption, RandomDamageBehindTheDigestGivesAnErrorOrAValidProgram) {
  std::mt19937 random(20240229);
  const auto below = [&](std::size_t n) { return random() % n; };
  constexpr std::size_t kPrefix = 24, kHeader = 56;
  for (int round = 0; round < 20000; ++round) {
    File bytes = files.program;
    for (auto changes = 1 + below(4); changes > 0; --changes) {
      const std::size_t at = kHeader + below(bytes.size() - kHeader);
      const auto position = bytes.begin() + static_cast<std::ptrdiff_t>(at);
      switch (below(4)) {
      case 0:
        *position = static_cast<std::uint8_t>(below(4) ? below(256) : below(2) * 255);
        break;
      case 1:
        bytes.insert(position, static_cast<std::uint8_t>(below(256)));
        break;
      case 2:
        bytes.erase(position);
        break;
      default: {
        const std::size_t from = kHeader + below(bytes.size() - kHeader);
        const std::size_t length = std::min(1 + below(12), bytes.size() - std::max(from, at));
        std::copy_n(File(bytes).begin() + static_cast<std::ptrdiff_t>(from), length, position);
      }
      }
    }
    const std::uint64_t length = bytes.size() - kHeader;
    for (std::size_t i = 0; i < 8; ++i)
      bytes[kPrefix - 8 + i] = static_cast<std::uint8_t>(length >> 8 * i);
    checkProgram(withProgramDigest(bytes));
  }
}

Sample tinyMlpAsVersion1() { return asVersion1(tinyMlp()); }

INSTANTIATE_TEST_SUITE_P(Samples, Corruption,
                         testing::Values(&smallest, &tinyMlp, &branches, &wide, &tinyMlpAsVersion1));

// One field of the header each, and what the message says.
TEST(HeaderTest, EachBadFieldIsNamed) {
  const File good = *writeProgram(tinyMlp().program);
  const auto messageWith = [&](std::size_t at, std::uint8_t value) {
    File bytes = good;
    bytes[at] = value;
    return readProgram(withProgramDigest(bytes)).error().message;
  };
  EXPECT_THAT(messageWith(0, 'P'), HasSubstr("not a compiled program (.sdb)"));
  EXPECT_THAT(messageWith(8, 3),
              HasSubstr("format version 3; this release reads version 1 to 2: take a newer release"));
  EXPECT_THAT(messageWith(8, 0),
              HasSubstr("format version 0; this release reads version 1 to 2: compile the model again"));
  EXPECT_THAT(messageWith(8, 1), HasSubstr("bytes too many at the end of the file"));
  EXPECT_THAT(messageWith(10, 48), HasSubstr("a ring of 48 bits"));
  EXPECT_THAT(messageWith(12, 1), HasSubstr("unknown flags 0x1"));
  EXPECT_THAT(messageWith(23, 1), HasSubstr("the file is cut off"));
  EXPECT_THAT(messageWith(16, 0), HasSubstr("bytes too many after the content"));
  EXPECT_THAT(messageWith(56, 9), HasSubstr("section 9 where the totals (section 1) was due"));
}

TEST(HeaderTest, EightByteWeightsAreForTheRingOfSixtyFourBits) {
  const Files files = filesOf(smallest()); // one weight, of two bytes
  File bytes = files.weights;
  bytes[92] = 8;
  bytes.insert(bytes.end(), 6, 0);
  bytes[16] = static_cast<std::uint8_t>(bytes[16] + 6);
  EXPECT_THAT(readWeights<Ring32>(withWeightsDigest(bytes), files.sample.program, files.digest).error().message,
              HasSubstr("byte 92: weights of 8 bytes"));
}

TEST(HeaderTest, HugeCountsAreRefusedBeforeAnythingIsAllocated) {
  const File good = *writeProgram(tinyMlp().program);
  // Totals: section header, name of four bytes, then slots, instructions, groups, inputs, outputs.
  for (std::size_t total = 0; total < 5; ++total) {
    File bytes = good;
    std::fill_n(bytes.begin() + 56 + 12 + 8 + static_cast<std::ptrdiff_t>(4 * total), 4, 0xff);
    EXPECT_THAT(readProgram(withProgramDigest(bytes)).error().message, HasSubstr("4294967295"));
    bytes = good; // within the limits, but far more than the section holds
    bytes[56 + 12 + 8 + 4 * total + 1] = 0xf0;
    EXPECT_THAT(readProgram(withProgramDigest(bytes)).error().message, HasSubstr("the totals claim")) << total;
  }
}

TEST(HeaderTest, AProgramIsNotTakenForWeightsNorTheOtherWayRound) {
  const Files files = filesOf(tinyMlp());
  EXPECT_THAT(readProgram(files.weights).error().message, HasSubstr("this is not a compiled program"));
  EXPECT_THAT(readWeights<Ring32>(files.program, files.sample.program, {}).error().message,
              HasSubstr("this is not a weights file"));
}

} // namespace
} // namespace sd
