#include "tools/MemoryLimit.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include <sys/resource.h>
#include <unistd.h>

#include "ir/bytecode/ProgramMemory.h"

namespace sd {
namespace {

constexpr std::uint64_t kMegabyte = 1'000'000;

// A limit in bytes in a file of its own; none if there is no such file, or it says "max".
std::uint64_t limitIn(const std::filesystem::path &file) {
  std::ifstream stream(file);
  std::uint64_t bytes = 0;
  return stream >> bytes ? bytes : ~std::uint64_t{0};
}

// The least limit of the groups from `group` up to the root of the hierarchy, which is mounted at `root`.
std::uint64_t limitOfGroups(const std::filesystem::path &root, std::filesystem::path group, const char *file) {
  std::uint64_t least = limitIn(root / file);
  for (group = group.relative_path(); !group.empty(); group = group.parent_path())
    least = std::min(least, limitIn(root / group / file));
  return least;
}

std::uint64_t limitOfControlGroups() {
  std::uint64_t least = ~std::uint64_t{0};
  std::ifstream groups("/proc/self/cgroup"); // lines "0::/path" (version 2), "4:memory:/path" (version 1)
  for (std::string line; std::getline(groups, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == line.npos) continue;
    const std::string_view controllers = std::string_view(line).substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers.empty()) least = std::min(least, limitOfGroups("/sys/fs/cgroup", path, "memory.max"));
    if (controllers.find("memory") != controllers.npos)
      least = std::min(least, limitOfGroups("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes"));
  }
  return least;
}

std::string megabytes(std::uint64_t bytes) { return fmt::format("{} MB", (bytes + kMegabyte / 2) / kMegabyte); }

// Of all sessions together, and of each one.
struct Need {
  std::uint64_t shared = 0, session = 0;
  std::uint64_t of(unsigned sessions) const { return shared + sessions * session; }
};

// As a file's numbers and as records.
std::uint64_t bytesOfRecords(const RunOptions &options) {
  std::uint64_t bytes = 0;
  for (const std::string &input : options.inputs) {
    std::error_code error;
    const std::size_t equals = input.find('='); // [NAME=]FILE
    std::uintmax_t size = std::filesystem::file_size(input, error);
    if (error && equals != input.npos) size = std::filesystem::file_size(input.substr(equals + 1), error);
    if (!error) bytes += 2 * size;
  }
  return bytes;
}

Need needOf(const RunOptions &options, const Program &program, const ProgramCost &cost, std::uint64_t weightCache) {
  const unsigned threads = options.threads ? options.threads : std::thread::hardware_concurrency();
  const auto parties = memoryOf(program, cost, {weightCache, static_cast<int>(threads)});
  const CorrelationSource source = options.purpose == Purpose::Stored       ? CorrelationSource::Store
                                   : options.mode == PreprocessMode::Dealer ? CorrelationSource::Dealer
                                                                            : CorrelationSource::TwoParty;
  Need need;
  for (const int party : {0, 1}) {
    if (!options.local && party != options.party) continue;
    const PartyMemory &own = parties[static_cast<std::size_t>(party)];
    need.shared += own.weights + (source == CorrelationSource::TwoParty ? own.cache : 0);
    need.session += own.session(source);
  }
  need.shared += parties[0].process + bytesOfRecords(options);
  return need;
}

} // namespace

std::uint64_t memoryOfMachine() {
  const auto pages = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES));
  std::uint64_t bytes = pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  rlimit addresses{};
  if (getrlimit(RLIMIT_AS, &addresses) == 0 && addresses.rlim_cur != RLIM_INFINITY)
    bytes = std::min<std::uint64_t>(bytes, addresses.rlim_cur);
  return std::min(bytes, limitOfControlGroups());
}

Expected<unsigned> sessionsThatFit(const RunOptions &options, const Program &program) {
  const std::uint64_t limit = options.memory ? options.memory * kMegabyte : memoryOfMachine();
  const unsigned wanted = options.serve ? options.sessions : 1;
  SD_ASSIGN(const ProgramCost cost, costOf(program));
  const Need need = needOf(options, program, cost, options.weightCache * kMegabyte);
  if (need.of(1) <= limit)
    return static_cast<unsigned>(std::min<std::uint64_t>(wanted, (limit - need.shared) / need.session));
  const bool cacheHelps = needOf(options, program, cost, 0).of(1) <= limit;
  return fail(ErrorKind::Resources,
              "{} needs about {} of memory, and {} may be taken ({}); {}use a machine with more, or a smaller network",
              options.program, megabytes(need.of(1)), megabytes(limit),
              options.memory ? "--memory" : "what this machine, its control groups and ulimit -v allow",
              cacheHelps ? "run with --weight-cache 0, " : "");
}

} // namespace sd
