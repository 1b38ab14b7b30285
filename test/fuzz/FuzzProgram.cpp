// Any bytes as an .sdb, with their length and digest made to fit: an error, or a program that is written back to the
// byte, priced and inspected. The rest of the input is taken as that program's weights.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "ir/bytecode/Format.h"
#include "ir/bytecode/Inspect.h"
#include "ir/bytecode/Writer.h"

namespace {

using namespace sd;

void require(bool condition, const char *what) {
  if (condition) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

std::vector<std::uint8_t> withFittingHeader(Bytes data) {
  std::vector<std::uint8_t> file(data.begin(), data.end());
  if (file.size() < format::kProgramHeaderBytes) return file;
  const std::uint64_t length = file.size() - format::kProgramHeaderBytes;
  for (std::size_t i = 0; i < 8; ++i)
    file[format::kPrefixBytes - 8 + i] = static_cast<std::uint8_t>(length >> (8 * i));
  const Digest digest = digestOf(file);
  std::ranges::copy(digest, file.begin() + format::kPrefixBytes);
  return file;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::vector<std::uint8_t> file = withFittingHeader({data, size});
  const auto program = readProgram(file);
  if (!program) return 0;
  const auto again = writeProgram(*program);
  require(again && *again == file, "a program that was read is written differently");
  std::int64_t elements = 0;
  for (const Type &slot : program->slots)
    elements += elementCount(slot.shape);
  if (elements < (1 << 20))
    (void)inspectText({*program, digestOf(file)}, lanAndWan()); // pricing a layer takes memory by its size
  withRing(program->ringBits, [&]<RingWord R>() { (void)readWeights<R>({data, size}, *program, digestOf(file)); });
  return 0;
}
