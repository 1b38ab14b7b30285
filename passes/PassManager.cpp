#include "passes/PassManager.h"

#include <algorithm>
#include <fstream>

#include "ir/Printer.h"
#include "ir/Verifier.h"

namespace sd {

namespace {

Expected<void> dump(const Module &module, const std::filesystem::path &folder, std::size_t number,
                    std::string_view name) {
  if (folder.empty()) return {};
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(ErrorKind::Output, "cannot create the folder '{}': {}", folder.string(), error.message());
  const auto path = folder / fmt::format("{:02}-{}.sdir", number, name);
  std::ofstream file(path);
  // The weights are in it.
  std::filesystem::permissions(path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, error);
  if (error) return fail(ErrorKind::Output, "cannot write '{}': {}", path.string(), error.message());
  file << print(module);
  if (!file.flush()) return fail(ErrorKind::Output, "cannot write '{}'", path.string());
  return {};
}

} // namespace

Expected<std::vector<const Pass *>> parsePasses(std::string_view names) {
  std::vector<const Pass *> passes;
  std::string unknown;
  while (!names.empty()) {
    const std::size_t comma = std::min(names.find(','), names.size());
    const std::string_view name = names.substr(0, comma);
    names.remove_prefix(std::min(comma + 1, names.size()));
    if (name.empty()) continue;
    if (const Pass *pass = findPass(name))
      passes.push_back(pass);
    else
      unknown += fmt::format("{}'{}'", unknown.empty() ? "" : ", ", name);
  }
  if (unknown.empty()) return passes;
  std::vector<std::string_view> known;
  for (auto &pass : allPasses())
    known.push_back(pass.name);
  return fail("no such pass: {}; there are {}", unknown, fmt::join(known, ", "));
}

Expected<Module> runPasses(Module module, std::span<const Pass *const> passes, const PassManagerOptions &options,
                           PassContext &context) {
  if (!options.stopAfter.empty() && std::ranges::find(passes, options.stopAfter, &Pass::name) == passes.end())
    return fail(ErrorKind::Usage, "cannot stop after '{}': it is not among the passes that run", options.stopAfter);
  SD_TRY(dump(module, options.dumpDir, 0, "input"));
  std::size_t number = 0;
  for (auto *pass : passes) {
    if (options.onPass) options.onPass(pass->name, number + 1, passes.size());
    const auto start = std::chrono::steady_clock::now();
    SD_ASSIGN(module, pass->run(module, context));
    if (options.times) options.times->push_back({std::string(pass->name), std::chrono::steady_clock::now() - start});
    SD_TRY(dump(module, options.dumpDir, ++number, pass->name));
    if (options.verifyEach)
      if (auto valid = verify(module); !valid)
        return fail("internal error: the module is not valid after the pass '{}': {}", pass->name,
                    valid.error().message);
    if (pass->name == options.stopAfter) break;
  }
  return module;
}

} // namespace sd
