// Any bytes as the text form: a module that reads back as itself, or errors.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "ir/Parser.h"
#include "ir/Printer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  sd::Diagnostics diagnostics;
  const auto module = sd::parse({reinterpret_cast<const char *>(data), size}, "fuzz", diagnostics);
  if (module.has_value() == diagnostics.hasErrors()) std::abort();
  if (!module) return 0;
  const auto again = sd::parse(sd::print(*module), "again", diagnostics);
  if (!again || !(*again == *module)) std::abort();
  return 0;
}
