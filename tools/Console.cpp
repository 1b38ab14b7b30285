#include "tools/Console.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <mutex>

#include "ir/core/Guard.h"

namespace sd {

namespace {

constexpr std::size_t kMostBytes = 4096; // a pipe that is writable takes so many without waiting (POSIX: PIPE_BUF)

std::mutex mutex; // guards stderr and:
std::size_t dropped = 0;

// The line, cut to what goes at once; no control characters but its end.
std::string lineOf(std::string_view tool, std::string_view text) {
  std::string line(tool);
  if (!tool.empty()) line.append(": ");
  line.append(text.substr(0, kMostBytes - line.size() - 1));
  line.push_back('\n');
  return line;
}

bool writeAll(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) { // somebody made the stream non-blocking
      pollfd writable{descriptor, POLLOUT, 0};
      if (::poll(&writable, 1, -1) >= 0 || errno == EINTR) continue;
    }
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool writeSoon(const std::string &line, int milliseconds) {
  pollfd writable{STDERR_FILENO, POLLOUT, 0};
  int ready = 0;
  do
    ready = ::poll(&writable, 1, milliseconds);
  while (ready < 0 && errno == EINTR);
  return ready > 0 && (writable.revents & POLLOUT) != 0 && writeAll(STDERR_FILENO, line);
}

void sayWithin(std::string_view tool, std::string_view text, int milliseconds) {
  const std::lock_guard lock(mutex);
  try {
    if (dropped > 0) {
      const std::string missing =
          fmt::format("{} earlier message{} could not be written here", dropped, dropped == 1 ? "" : "s");
      if (writeSoon(lineOf(tool, missing), milliseconds)) dropped = 0;
    }
    if (dropped > 0 || !writeSoon(lineOf(tool, text), milliseconds)) ++dropped;
  } catch (const std::bad_alloc &) {
    ++dropped;
  }
}

} // namespace

void prepareStreams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(descriptor, F_GETFD) < 0 && errno == EBADF) // the lowest free number is this one
      static_cast<void>(::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY));
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
}

void say(std::string_view tool, std::string_view text) { sayWithin(tool, text, 1000); }
void sayWithoutWaiting(std::string_view tool, std::string_view text) { sayWithin(tool, text, 0); }

void sayLine(std::string_view line) { sayWithin("", line, 0); }

bool writeOut(std::string_view text) { return writeAll(STDOUT_FILENO, text); }

void RareLog::say(std::string_view tool, std::string_view text) {
  const std::optional<std::uint64_t> leftOut = limit_.take();
  if (!leftOut) return;
  if (*leftOut > 0) sayWithoutWaiting(tool, fmt::format("{} more like the next one were not said", *leftOut));
  sayWithoutWaiting(tool, text);
}

bool writeError(std::string_view text) {
  const std::lock_guard lock(mutex);
  return writeAll(STDERR_FILENO, text);
}

std::string_view exitCodes() {
  return "Exit codes: 0 done; 1 out of memory, threads or descriptors; 2 usage; 3 an input (file, model, program,\n"
         "record) is not as it must be; 4 a result can't be written; 5 no peer, or the link to it failed; 6 refused "
         "by\n"
         "the peer; 7 a record has no valid result; 8 interrupted by a signal";
}

std::optional<int> parseArguments(CLI::App &app, int argc, char **argv) {
  app.footer(std::string(exitCodes()));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    app.exit(error);
    return static_cast<int>(ErrorKind::Usage);
  }
  return std::nullopt;
}

int runTool(std::string_view tool, const std::function<Expected<void>()> &body) {
  const Expected<void> done = guarded(body);
  if (done) return 0;
  say(tool, done.error().message);
  return static_cast<int>(done.error().kind);
}

} // namespace sd
