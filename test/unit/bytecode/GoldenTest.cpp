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
  const char *name;
  Sample (*make)();
};

class GoldenTest : public testing::TestWithParam<Golden> {
protected:
  static std::string path(std::string_view suffix) {
    return fmt::format("{}/v1-{}{}", SD_GOLDEN_DIR, GetParam().name, suffix);
  }
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
  Sample sample = GetParam().make();
  sample.bind(loaded->digest);
  EXPECT_TRUE(*weights == sample.weights);
}

// Version 1 had no schedules: its comparisons get the standard ones, as the samples have them.
TEST_P(GoldenTest, IsTheSampleWithStandardSchedules) {
  const auto loaded = readProgramFile(path(".sdb"));
  ASSERT_TRUE(loaded) << loaded.error().message;
  const auto again = writeProgram(loaded->program), sample = writeProgram(GetParam().make().program);
  ASSERT_TRUE(again && sample);
  EXPECT_EQ(*again, *sample);
}

INSTANTIATE_TEST_SUITE_P(Samples, GoldenTest,
                         testing::Values(Golden{"triple", &smallest}, Golden{"tiny", &tinyMlp},
                                         Golden{"branches", &branches}, Golden{"wide", &wide}),
                         [](const auto &it) { return it.param.name; });

} // namespace
} // namespace sd
