// docs/onnx.md names exactly the ops that are imported.
#include <gmock/gmock.h>

#include <set>
#include <sstream>

#include "ModelTesting.h"
#include "compiler/onnx/OpTable.h"

namespace sd::testing {
namespace {

TEST(Document, ListsTheOpsOfTheTable) {
  const std::string text = readFile(std::filesystem::path(SD_SOURCE_DIR) / "docs" / "onnx.md");
  std::set<std::string> listed, known;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| `")) continue;
    const std::string ops = line.substr(0, line.find('|', 1));
    for (std::size_t from = ops.find('`'); from != std::string::npos;) { // between each pair of back quotes
      const std::size_t to = ops.find('`', from + 1);
      ASSERT_NE(to, std::string::npos) << line;
      EXPECT_TRUE(listed.insert(ops.substr(from + 1, to - from - 1)).second) << line;
      from = ops.find('`', to + 1);
    }
  }
  for (const OnnxOp &op : allOnnxOps()) {
    EXPECT_TRUE(known.emplace(op.name).second || op.domain == kMicrosoftDomain) << op.name;
    EXPECT_LE(op.minInputs, op.maxInputs);
  }
  EXPECT_THAT(listed, ::testing::ElementsAreArray(known));
}

} // namespace
} // namespace sd::testing
