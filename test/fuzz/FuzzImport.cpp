// Any bytes as an ONNX model, Protobuf or (after a '#') text: problems, or a module that the verifier accepts.
#include <cstdio>
#include <cstdlib>
#include <string>

#include "compiler/onnx/Import.h"
#include "ir/Verifier.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  std::vector<sd::ImportProblem> problems;
  const bool isText = size > 0 && data[0] == '#';
  const auto module = isText ? sd::importOnnxText(std::string(reinterpret_cast<const char *>(data), size), {}, problems)
                             : sd::importOnnxBytes(std::as_bytes(std::span(data, size)), {}, problems);
  if (module.has_value() != problems.empty() || (module && !sd::verify(*module))) {
    std::fprintf(stderr, "a module with problems, or none without\n");
    std::abort();
  }
  return 0;
}
