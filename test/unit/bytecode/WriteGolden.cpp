// write-golden DIR: writes the samples as files of the present format version, with what inspection says of them. For a
// new version alone: the files of an older one never change.
#include <cstdio>

#include "ir/bytecode/File.h"
#include "ir/bytecode/Format.h"
#include "ir/bytecode/Inspect.h"
#include "ir/bytecode/Writer.h"
#include "test/unit/bytecode/Samples.h"

namespace sd {
namespace {

Bytes bytesOf(const std::string &text) { return {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()}; }

Expected<void> writeAll(const std::string &stem, Sample sample) {
  SD_ASSIGN(const auto program, writeProgram(sample.program));
  const Digest digest = digestOf(program);
  sample.bind(digest);
  SD_ASSIGN(const auto weights, writeWeights(sample.weights, sample.program));
  const LoadedProgram loaded{std::move(sample.program), digest};
  SD_ASSIGN(const auto text, inspectText(loaded, {}));
  SD_TRY(writeFileAtomically(stem + ".sdb", program, FileMode::Public));
  SD_TRY(writeFileAtomically(stem + ".sdw", weights, FileMode::Public));
  return writeFileAtomically(stem + ".txt", bytesOf(withoutOfflineCost(text)), FileMode::Public);
}

} // namespace
} // namespace sd

int main(int argc, char **argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: write-golden DIR\n");
    return 1;
  }
  const std::string stem = fmt::format("{}/v{}-", argv[1], sd::format::kProgramVersion);
  for (auto &[name, sample] :
       {std::pair{"triple", sd::smallest()}, std::pair{"tiny", sd::tinyMlp()}, std::pair{"branches", sd::branches()},
        std::pair{"wide", sd::wide()}, std::pair{"matrices", sd::matrices()}}) {
    if (auto written = sd::writeAll(stem + name, sample); !written) {
      std::fprintf(stderr, "write-golden: %s\n", written.error().message.c_str());
      return 1;
    }
  }
  return 0;
}
