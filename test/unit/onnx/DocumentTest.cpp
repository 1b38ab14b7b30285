// docs/onnx.md names exactly the ops that are imported.
#include <gmock/gmock.h>

#include <regex>
#include <set>

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
    const std::regex name("`([A-Za-z]+)`");
    for (std::sregex_iterator match(ops.begin(), ops.end(), name), end; match != end; ++match)
      EXPECT_TRUE(listed.insert((*match)[1]).second) << (*match)[1];
  }
  for (const OnnxOp &op : allOnnxOps()) {
    EXPECT_TRUE(known.emplace(op.name).second) << op.name;
    EXPECT_LE(op.minInputs, op.maxInputs);
  }
  EXPECT_THAT(listed, ::testing::ElementsAreArray(known));
}

} // namespace
} // namespace sd::testing
