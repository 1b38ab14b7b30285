// docs/bytecode.md is the format: its tables hold the frozen numbers, its worked example is a golden file.
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "ir/bytecode/File.h"
#include "ir/core/OpKind.h"

namespace sd {
namespace {

using testing::HasSubstr;

std::string document() {
  std::ifstream in(SD_DOCUMENT, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// The bytes of the number-th fenced block: lines of a hexadecimal offset, two spaces, bytes, two spaces, a comment.
std::vector<std::uint8_t> exampleBytes(int number) {
  std::istringstream in(document());
  std::vector<std::uint8_t> bytes;
  int fences = 0;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("```")) {
      ++fences;
    } else if (fences == 2 * number + 1) {
      EXPECT_EQ(std::stoul(line.substr(0, 4), nullptr, 16), bytes.size()) << line;
      for (std::size_t at = 6; at < line.size() && at < 6 + 48 && line[at] != ' '; at += 3)
        bytes.push_back(static_cast<std::uint8_t>(std::stoul(line.substr(at, 2), nullptr, 16)));
    }
  }
  return bytes;
}

TEST(DocumentTest, WorkedExampleIsTheGoldenFile) {
  EXPECT_EQ(exampleBytes(0), *readFile(SD_GOLDEN_DIR "/v2-triple.sdb", 4096));
  EXPECT_EQ(exampleBytes(1), *readFile(SD_GOLDEN_DIR "/v2-triple.sdw", 4096));
}

TEST(DocumentTest, TablesListEveryNumber) {
  const std::string text = document();
  for (const OpInfo &op : allOps()) {
    if (op.opcode == 0) continue;
    EXPECT_THAT(text, HasSubstr(fmt::format("\n| {} | `{}` |\n", op.opcode, op.mnemonic)));
  }
  constexpr std::string_view kKinds[] = {"Int", "Ints", "Float", "String", "Strings", "Floats32", "Ints64"};
  for (const AttrInfo &attr : allAttrs())
    EXPECT_THAT(text, HasSubstr(fmt::format("\n| {} | `{}` | {} |\n", static_cast<int>(attr.attr), attr.text,
                                            kKinds[static_cast<std::size_t>(attr.kind)])));
}

} // namespace
} // namespace sd
