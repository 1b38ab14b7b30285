// Any bytes as an .npy and as a .csv: an error, or a tensor that is as large as its shape says; an .npy that was read
// is written to one that reads the same.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "runtime/vm/Csv.h"
#include "runtime/vm/Npy.h"

namespace {

void require(bool condition, const char *what) {
  if (condition) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

bool wellFormed(const sd::Tensor<float> &tensor) {
  const auto count = sd::checkedElementCount(tensor.shape);
  return count && *count == tensor.size();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  const std::string_view content(reinterpret_cast<const char *>(data), size);
  if (const auto table = sd::parseCsv(std::string(content)))
    require(wellFormed(table->records), "a table of another size than its shape");
  const auto array = sd::parseNpy(content);
  if (!array) return 0;
  require(wellFormed(*array), "an array of another size than its shape");
  const auto again = sd::parseNpy(sd::encodeNpy(*array));
  require(again && again->shape == array->shape, "an array that was read is written with another shape");
  require(array->data.empty() ||
              std::memcmp(again->data.data(), array->data.data(), array->data.size() * sizeof(float)) == 0,
          "an array that was read is written with other values");
  return 0;
}
