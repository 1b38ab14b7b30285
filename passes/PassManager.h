// Runs passes in order, checking and dumping between them as asked.
#pragma once

#include <chrono>
#include <filesystem>

#include "passes/Pass.h"

namespace sd {

struct PassTime {
  std::string pass;
  std::chrono::duration<double> time; // of the clock on the wall
};

struct PassManagerOptions {
  bool verifyEach = false;
  std::filesystem::path dumpDir;          // empty: none. Files 00-input.sdir, 01-simplify.sdir, ...
  std::string stopAfter;                  // empty: run all
  std::vector<PassTime> *times = nullptr; // takes how long each pass ran, in their order
  std::function<void(std::string_view pass, std::size_t number, std::size_t all)> onPass = {}; // that begins; from 1
};

// "a,b,c" as passes; error naming those that do not exist.
Expected<std::vector<const Pass *>> parsePasses(std::string_view names);

// Runs `passes`, or those up to and with `stopAfter` (error if it is not among them). Errors name the pass that
// broke the module; those a user can cause are passed on as they are.
Expected<Module> runPasses(Module module, std::span<const Pass *const> passes, const PassManagerOptions &options,
                           PassContext &context);

} // namespace sd
