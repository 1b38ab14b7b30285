// Files of each format version, as they were written then: they are read for ever, and say what they said.
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "ir/bytecode/File.h"
#include "ir/bytecode/Inspect.h"
#include "ir/bytecode/Writer.h"
#include "test/unit/bytecode/Samples.h"

namespace sd {
namespace {

struct Golden {
  int version;
  const char *name;
  Sample (*make)();
};

class GoldenTest : public testing::TestWithParam<Golden> {
protected:
  static std::string path(std::string_view suffix) {
    return fmt::format("{}/v{}-{}{}", SD_GOLDEN_DIR, GetParam().version, GetParam().name, suffix);
  }
  static Sample sample() { return GetParam().version == 1 ? asVersion1(GetParam().make()) : GetParam().make(); }
  static std::string text(std::string_view suffix) {
    std::ifstream in(path(suffix), std::ios::binary);
    std::stringstream content;
    content << in.rdbuf();
    return content.str();
  }
};

TEST_P(GoldenTest, IsReadAndInspectedAsPinned) {
  const auto loaded = readProgramFile(path(".sdb"));
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(withoutOfflineCost(*inspectText(*loaded, {})), text(".txt"));
  const auto weights = readAnyWeights(*readFile(path(".sdw"), 1 << 20), loaded->program, loaded->digest);
  ASSERT_TRUE(weights) << weights.error().message;
  Sample wanted = sample();
  wanted.bind(loaded->digest);
  EXPECT_TRUE(*weights == wanted.weights);
  EXPECT_TRUE(loaded->program.schema == wanted.program.schema);
}

// Version 1 had no schedules: its comparisons get the standard ones, as the samples have them.
TEST_P(GoldenTest, IsTheSampleWithStandardSchedules) {
  const auto loaded = readProgramFile(path(".sdb"));
  ASSERT_TRUE(loaded) << loaded.error().message;
  Sample made = sample();
  const auto again = writeProgram(loaded->program), program = writeProgram(made.program);
  ASSERT_TRUE(again && program);
  EXPECT_EQ(*again, *program);
  if (GetParam().version == 1) return;
  EXPECT_EQ(*program, *readFile(path(".sdb"), 1 << 20));
  made.bind(digestOf(*program));
  EXPECT_EQ(*writeWeights(made.weights, made.program), *readFile(path(".sdw"), 1 << 20));
}

INSTANTIATE_TEST_SUITE_P(Samples, GoldenTest,
                         testing::Values(Golden{1, "triple", &smallest}, Golden{1, "tiny", &tinyMlp},
                                         Golden{1, "branches", &branches}, Golden{1, "wide", &wide},
                                         Golden{2, "triple", &smallest}, Golden{2, "tiny", &tinyMlp},
                                         Golden{2, "branches", &branches}, Golden{2, "wide", &wide},
                                         Golden{2, "matrices", &matrices}),
                         [](const auto &it) { return fmt::format("v{}_{}", it.param.version, it.param.name); });

} // namespace
} // namespace sd
