// Looks after stores of prepared inferences.
#include <CLI/CLI.hpp>

#include "ir/bytecode/Digest.h"
#include "runtime/service/Time.h"
#include "tools/Console.h"
#include "tools/StorePools.h"

namespace sd {
namespace {

using Days = std::chrono::duration<double, std::ratio<86400>>;

struct Options {
  std::string where, key, pool;
  double olderThan = -1, forgetSpent = -1; // days; none if negative
  bool all = false, remove = false;

  StorePlace place() const { return {where, key}; }
};

std::chrono::system_clock::time_point daysAgo(double days) {
  return std::chrono::system_clock::now() - std::chrono::duration_cast<std::chrono::system_clock::duration>(Days(days));
}

std::string describe(const StorePool &pool) {
  std::uint64_t bytes = 0;
  auto oldest = std::chrono::system_clock::time_point::max();
  for (const PoolBackend::Listed &one : pool.ready)
    bytes += one.bytes, oldest = std::min(oldest, one.made);
  std::string line = fmt::format("{}  {} ready  {} bytes", pool.name, pool.ready.size(), bytes);
  if (!pool.ready.empty()) line += "  oldest " + service::toRfc3339(oldest);
  if (pool.binding)
    line += fmt::format("  party {}  program {:.16}...  peer {}", pool.binding->party, toHex(pool.binding->program),
                        toHex(pool.binding->peer));
  return line + "\n";
}

Expected<void> list(const Options &options) {
  SD_ASSIGN(const Store store, Store::open(options.place()));
  SD_ASSIGN(const std::vector<StorePool> pools, poolsOf(store));
  writeOut(fmt::format("store {}\n", toHex(store.id())));
  for (const StorePool &pool : pools)
    writeOut(describe(pool));
  return {};
}

Expected<void> prunePool(const Store &store, const StorePool &pool, const Options &options) {
  SD_ASSIGN(const PoolContents contents, pool.pool->contents()); // clears what the dead have left
  Inventory old;
  for (const PoolBackend::Listed &one : pool.ready)
    if (options.all || (options.olderThan >= 0 && one.made <= daysAgo(options.olderThan))) old.push_back(one.id);
  SD_ASSIGN(const std::size_t removed, pool.pool->discard(old));
  SD_ASSIGN(const bool gone, store.backend().removeEmpty(pool.name));
  writeOut(fmt::format("{}  removed {} ready, {} unfinished{}\n", pool.name, removed, contents.cleared,
                       gone ? ", and the empty pool" : ""));
  return {};
}

Expected<void> prune(const Options &options) {
  SD_ASSIGN(const Store store, Store::open(options.place()));
  SD_ASSIGN(const std::vector<StorePool> pools, poolsOf(store));
  bool found = options.pool.empty();
  for (const StorePool &pool : pools) {
    if (!options.pool.empty() && pool.name != options.pool) continue;
    found = true;
    SD_TRY(prunePool(store, pool, options));
  }
  if (!found) return failHere("{} has no pool {}; see sd-store ls", store.backend().name(), options.pool);
  if (options.forgetSpent >= 0) {
    SD_ASSIGN(const std::uint64_t count, store.backend().forgetSpent(daysAgo(options.forgetSpent)));
    writeOut(fmt::format("forgot the names of {} spent inferences\n", count));
  }
  return {};
}

Expected<void> verify(const Options &options) {
  SD_ASSIGN(const Store store, Store::open(options.place()));
  SD_ASSIGN(const std::vector<StorePool> pools, poolsOf(store));
  std::uint64_t good = 0, bad = 0;
  for (const StorePool &pool : pools)
    for (const PoolBackend::Listed &one : pool.ready) {
      SD_ASSIGN(const std::string fault, faultOf(store, pool, one.id));
      if (fault.empty()) {
        ++good;
        continue;
      }
      ++bad;
      writeOut(fmt::format("{}  {}  {}\n", pool.name, toString(one.id), fault));
      if (options.remove) SD_TRY(pool.pool->discard({one.id}));
    }
  writeOut(fmt::format("{} sound, {} damaged{}\n", good, bad, options.remove && bad > 0 ? " and removed" : ""));
  if (bad > 0 && !options.remove)
    return failHere("{}: {} damaged; --remove takes them out", store.backend().name(), bad);
  return {};
}

} // namespace
} // namespace sd

int main(int argc, char **argv) {
  sd::prepareStreams();
  CLI::App app{"Shows and cleans stores of prepared inferences, in folders and databases (docs/store.md).", "sd-store"};
  sd::Options options;
  app.require_subcommand(1);
  const auto command = [&](const char *name, const char *what) {
    CLI::App *made = app.add_subcommand(name, what);
    made->add_option("store", options.where, "the store")->type_name("DIR|URL")->required();
    made->add_option("--store-key", options.key, "the key file of a store in a database")->type_name("FILE");
    return made;
  };
  const CLI::App *ls = command("ls", "the store's pools, and what is in them");
  CLI::App *prune = command("prune", "removes what processes that died have left, old inferences, and empty pools");
  prune->add_option("--older-than", options.olderThan, "also inferences made so long ago")
      ->type_name("DAYS")
      ->check(CLI::Range(0.0, 36500.0));
  prune->add_flag("--all", options.all, "all inferences that nobody works on");
  prune->add_option("--pool", options.pool, "only in this pool")->type_name("POOL");
  prune
      ->add_option("--forget-spent", options.forgetSpent,
                   "in a database: forget the names of what was spent so long ago")
      ->type_name("DAYS")
      ->check(CLI::Range(0.0, 36500.0));
  CLI::App *verify = command("verify", "whether each inference is this store's, whole in length, and in its place");
  verify->add_flag("--remove", options.remove, "remove those that are not");
  app.set_version_flag("--version", std::string("sd-store ") + SD_VERSION);
  if (const auto code = sd::parseArguments(app, argc, argv)) return *code;
  return sd::runTool("sd-store", [&] {
    return ls->parsed() ? sd::list(options) : prune->parsed() ? sd::prune(options) : sd::verify(options);
  });
}
