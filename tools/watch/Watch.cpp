#include "tools/watch/Watch.h"

#include <poll.h>

#include <algorithm>
#include <filesystem>

#include "ir/bytecode/Digest.h"
#include "ir/bytecode/File.h"
#include "runtime/net/Socket.h"
#include "runtime/service/Time.h"
#include "runtime/vm/TensorFile.h"
#include "tools/Console.h"

namespace sd {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::string_view kErrorEnding = ".error.txt";
constexpr std::chrono::milliseconds kFirstPause = 1s, kLongestPause = 5min, kFirstScans = 1s;

std::string shown(const std::string &name) { return plainText(name, 300); }

Bytes bytesOf(std::string_view text) { return {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()}; }

bool isInside(const fs::path &inner, const fs::path &outer) {
  const auto [end, rest] = std::ranges::mismatch(outer, inner);
  return end == outer.end();
}

Expected<void> checkFolders(const WatchOptions &options) {
  std::error_code error;
  if (!fs::is_directory(options.in, error)) return fail("--watch {}: there is no such folder", options.in);
  fs::create_directories(options.out, error);
  if (!fs::is_directory(options.out, error))
    return fail(ErrorKind::Output, "--results {}: the folder can't be made", options.out);
  const fs::path in = fs::canonical(options.in, error), out = fs::canonical(options.out, error);
  if (isInside(in, out) || isInside(out, in))
    return fail(ErrorKind::Usage,
                "--results {} and --watch {}: neither may be inside the other, or results would be taken for records",
                options.out, options.in);
  return {};
}

std::string pauseText(std::chrono::milliseconds pause) {
  return fmt::format("{} s", std::chrono::duration_cast<std::chrono::seconds>(pause).count());
}

class Watch {
public:
  Watch(const WatchOptions &options, const ProcessFile &process, Interruption &interruption, WakeUp stop)
      : options_(options), process_(process), interruption_(interruption), stop_(std::move(stop)) {}

  const WakeUp &stop() const { return stop_; }

  Expected<void> run(Ledger &ledger, Arrivals &arrivals) {
    SD_TRY(bringHome(ledger));
    sayState(ledger, arrivals);
    Clock::time_point scanAt = Clock::now() + std::min(kFirstScans, options_.rescan);
    while (interruption_.signal() == 0) {
      if (arrivals.takeEvents() || Clock::now() >= scanAt) {
        scan(arrivals);
        scanAt = Clock::now() + options_.rescan;
      }
      if (const auto file = arrivals.next()) {
        SD_TRY(takeFile(*file, ledger, arrivals));
        continue;
      }
      pollfd descriptors[] = {{stop_.descriptor(), POLLIN, 0}, {arrivals.descriptor(), POLLIN, 0}};
      pollUntil(descriptors, scanAt);
    }
    say("sd-run",
        fmt::format("stopped by a signal after {} file{}; the same command goes on", count_, count_ == 1 ? "" : "s"));
    return {};
  }

private:
  std::string pathOf(const std::string &result, std::string_view ending) const {
    return (fs::path(options_.out) / (result + std::string(ending))).string();
  }

  bool isFree(const std::string &result) const {
    std::error_code error;
    const auto isThere = [&](std::string_view ending) { return fs::exists(pathOf(result, ending), error); };
    const auto hasResult = [&](const std::string &ending) {
      return isThere(ending) || isThere("-2" + ending); // of a second record, where each has a file
    };
    return !isThere(kErrorEnding) && std::ranges::none_of(options_.endings, hasResult);
  }

  // A process that was killed: what has all its results is done; the rest is run again, for nothing of it was given.
  Expected<void> bringHome(Ledger &ledger) {
    for (const LedgerFile &file : std::vector(ledger.begun())) {
      removeTemporaries(file.result);
      std::error_code error;
      if (std::ranges::all_of(options_.endings, [&](const std::string &ending) {
            return fs::exists(pathOf(file.result, ending), error);
          }))
        SD_TRY(ledger.finish(file, Outcome::Done, "the process ended before it could write this line"));
    }
    return {};
  }

  // Of writeFileAtomically(), in a process that is no more.
  void removeTemporaries(const std::string &result) const {
    const fs::path path = pathOf(result, "");
    const std::string start = fmt::format(".{}.", path.filename().string());
    std::error_code error;
    for (fs::directory_iterator it(path.parent_path(), error), end; !error && it != end; it.increment(error)) {
      const std::string name = it->path().filename().string();
      std::error_code gone;
      if (name.starts_with(start) && name.ends_with(".tmp")) fs::remove(it->path(), gone);
    }
  }

  void sayState(const Ledger &ledger, const Arrivals &arrivals) const {
    say("sd-run", fmt::format("watching {}; results go to {}{}{}", shown(options_.in), shown(options_.out),
                              ledger.finished() > 0 ? fmt::format("; {} done before", ledger.finished()) : "",
                              arrivals.isTold() ? ""
                                                : fmt::format("; the system has no watch left: looking every {}",
                                                              pauseText(options_.rescan))));
  }

  // A folder that is away, as a share that is not mounted, may come back: it is said once.
  void scan(Arrivals &arrivals) {
    const auto scanned = arrivals.scan();
    if (!scanned && scanned.error().message != said_) say("sd-run", scanned.error().message);
    said_ = scanned ? "" : scanned.error().message;
  }

  Expected<void> takeFile(const Arrival &arrival, Ledger &ledger, Arrivals &arrivals) {
    if (ledger.isFinished(arrival.name, arrival.stamp)) return {};
    const std::string path = (fs::path(options_.in) / arrival.name).string();
    LedgerFile file{arrival.name, arrival.stamp, "", ""};
    std::optional<Error> unreadable;
    if (auto content = readFile(path, kMaxTensorFileBytes)) {
      file.content = toHex(sha256({*content}));
    } else {
      unreadable = content.error();
    }
    const auto isSame = [&] { return stampOf(path) == arrival.stamp; };
    if (!isSame()) {
      arrivals.putBack(arrival.name);
      return {};
    }
    if (ledger.isFinished(file.name, file.content)) return {};
    file.result =
        ledger.resultFor(file.name, file.content, [this](const std::string &result) { return isFree(result); });
    SD_TRY(makeFolderOf(pathOf(file.result, kErrorEnding)));
    SD_TRY(ledger.begin(file, options_.program));
    if (unreadable) return finish(file, {FileResult::Kind::Broken, *unreadable}, ledger);
    FileResult result = processUntilServed(path, file, isSame);
    if (result.kind == FileResult::Kind::Changed) arrivals.putBack(arrival.name);
    return finish(file, result, ledger);
  }

  static Expected<void> makeFolderOf(const std::string &path) {
    std::error_code error;
    fs::create_directories(fs::path(path).parent_path(), error);
    return checkWritable(path, FileMode::Private);
  }

  FileResult processUntilServed(const std::string &path, const LedgerFile &file, const std::function<bool()> &isSame) {
    for (std::chrono::milliseconds pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
      FileResult result = process_(path, pathOf(file.result, ""), isSame);
      if (result.kind != FileResult::Kind::Away) return result;
      say("sd-run",
          fmt::format("{}: {}; trying again in {}", shown(file.name), result.error.message, pauseText(pause)));
      pollfd stopped{stop_.descriptor(), POLLIN, 0};
      if (pollUntil({&stopped, 1}, Clock::now() + pause)) return {FileResult::Kind::Stopped, {}};
    }
  }

  Expected<void> finish(const LedgerFile &file, const FileResult &result, Ledger &ledger) {
    const std::string problem = result.error.message;
    const std::string where = shown(pathOf(file.result, options_.endings[0]));
    switch (result.kind) {
    case FileResult::Kind::Changed:
    case FileResult::Kind::Stopped:
      return {};
    case FileResult::Kind::Failed:
    case FileResult::Kind::Away:
      return tl::unexpected(result.error);
    case FileResult::Kind::Broken:
      SD_TRY(writeError(file, problem));
      SD_TRY(ledger.finish(file, Outcome::Broken, problem));
      say("sd-run", fmt::format("{}: no result: {}", shown(file.name), problem));
      break;
    case FileResult::Kind::Invalid:
      SD_TRY(ledger.finish(file, Outcome::Invalid, problem));
      say("sd-run", fmt::format("{}: {}; {} says which", shown(file.name), problem, where));
      break;
    case FileResult::Kind::Done:
      SD_TRY(ledger.finish(file, Outcome::Done, ""));
      say("sd-run", fmt::format("{}: {}", shown(file.name), where));
      break;
    }
    ++count_;
    return {};
  }

  Expected<void> writeError(const LedgerFile &file, const std::string &problem) const {
    const std::string text =
        fmt::format("No result: {}\n\nFile: {}\nTime: {}\nProgram: {}\n", problem, shown(file.name),
                    service::toRfc3339(std::chrono::system_clock::now()), options_.program);
    return writeFileAtomically(pathOf(file.result, kErrorEnding), bytesOf(text), FileMode::Private);
  }

  const WatchOptions &options_;
  const ProcessFile &process_;
  Interruption &interruption_;
  WakeUp stop_;
  std::string said_;
  std::uint64_t count_ = 0;
};

} // namespace

Expected<void> watchFolder(const WatchOptions &options, const ProcessFile &process, Interruption &interruption) {
  SD_TRY(checkFolders(options));
  SD_ASSIGN(Ledger ledger, Ledger::open((fs::path(options.out) / "ledger.jsonl").string()));
  SD_ASSIGN(WakeUp stop, WakeUp::make());
  Watch watch(options, process, interruption, std::move(stop));
  const Interruption::Scope scope(interruption, [&watch] { watch.stop().wake(); });
  SD_ASSIGN(Arrivals arrivals, Arrivals::open(options.in));
  return watch.run(ledger, arrivals);
}

} // namespace sd
