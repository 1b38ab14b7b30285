#include "runtime/vm/Report.h"

#include <algorithm>
#include <cmath>

#include "ir/bytecode/ByteIo.h"
#include "ir/bytecode/ProgramIo.h"

namespace sd {

namespace {

constexpr std::size_t kMostNamed = 20; // records without valid results

} // namespace

bool isValid(std::span<const float> output) {
  return std::ranges::none_of(output, [](float v) { return std::isnan(v); });
}

std::string describeRecord(const Program &program, const ResultWords &words, std::span<const Tensor<float>> outputs,
                           const std::string &heading) {
  const ProgramIo io = ioOf(program);
  std::string text;
  for (std::size_t i = 0; i < io.outputs.size(); ++i) {
    text += heading;
    if (io.outputs.size() > 1) text += fmt::format("{}: ", io.outputs[i].name);
    text += words.describe(i, outputs[i]) + "\n";
  }
  return text;
}

Expected<void> checkValid(std::span<const std::uint64_t> invalid) {
  if (invalid.empty()) return {};
  std::vector<std::uint64_t> named(invalid.begin(), invalid.begin() + std::min(invalid.size(), kMostNamed));
  for (std::uint64_t &record : named)
    ++record;
  const std::size_t more = invalid.size() - named.size();
  return fail(ErrorKind::Invalid,
              "record {}{}: a value inside the network left its bound, so there is no valid result; compile the model "
              "with --input-range and --calibrate so that the bounds hold for such records",
              fmt::join(named, ", "), more > 0 ? fmt::format(" and {} more", more) : "");
}

} // namespace sd
