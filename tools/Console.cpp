#include "tools/Console.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <fmt/chrono.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>

#include "ir/core/Guard.h"
#include "tools/ProgressText.h"

namespace sd {

namespace {

constexpr std::size_t kMostBytes = 4096; // a pipe that is writable takes so many without waiting (POSIX: PIPE_BUF)

constexpr std::string_view kClearLine = "\r\x1b[K";

LogOptions options; // of the command line

std::mutex mutex; // guards stderr and:
std::size_t dropped = 0;
std::string bar; // is the last line

using Json = nlohmann::ordered_json;

Json jsonLine(std::string_view event) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now);
  const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(now - seconds);
  return {{"time", fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::time_t{seconds.count()}), rest.count())},
          {"tool", options.tool},
          {"event", event}};
}
std::string dump(const Json &json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

struct Message {
  std::string_view level, text;
};
Message messageOf(std::string_view text) {
  while (text.ends_with('\n'))
    text.remove_suffix(1);
  for (const std::string_view level : {"note", "warning", "error"})
    if (text.starts_with(level) && text.substr(level.size()).starts_with(": "))
      return {level, text.substr(level.size() + 2)};
  const bool isLocated = text.substr(0, text.find('\n')).find(": error: ") != text.npos; // "model.onnx:7: error: "
  return {isLocated ? "error" : "info", text};
}
bool isLeftOut(std::string_view text) { return options.quiet && messageOf(text).level == "note"; }

std::string messageLine(std::string_view text) {
  const Message message = messageOf(text);
  Json json = jsonLine("message");
  json["level"] = message.level, json["text"] = message.text;
  return dump(json);
}

// The line, cut to what goes at once; no control characters but its end.
std::string lineOf(std::string_view tool, std::string_view text) {
  if (options.format == LogFormat::Json && !tool.empty()) {
    text = text.substr(0, kMostBytes);
    std::string line = messageLine(text);
    while (line.size() >= kMostBytes)
      line = messageLine(text = text.substr(0, text.size() * 3 / 4));
    return line + '\n';
  }
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

// Makes room for lines above the bar, and draws it again.
struct BarAside {
  BarAside() {
    if (!bar.empty()) writeAll(STDERR_FILENO, kClearLine);
  }
  ~BarAside() {
    if (!bar.empty()) writeAll(STDERR_FILENO, bar);
  }
  BarAside(const BarAside &) = delete;
  BarAside &operator=(const BarAside &) = delete;
};

void sayWithin(std::string_view tool, std::string_view text, int milliseconds) {
  if (isLeftOut(text)) return;
  const std::lock_guard lock(mutex);
  try {
    const BarAside aside;
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

bool writeOut(std::string_view text) {
  std::unique_lock lock(mutex);
  if (bar.empty()) { // a slow reader then holds up nobody
    lock.unlock();
    return writeAll(STDOUT_FILENO, text);
  }
  const BarAside aside; // both may be one terminal
  return writeAll(STDOUT_FILENO, text);
}

void RareLog::say(std::string_view tool, std::string_view text) {
  const std::optional<std::uint64_t> leftOut = limit_.take();
  if (!leftOut) return;
  if (*leftOut > 0) sayWithoutWaiting(tool, fmt::format("{} more like the next one were not said", *leftOut));
  sayWithoutWaiting(tool, text);
}

bool writeError(std::string_view text) {
  if (text.empty() || isLeftOut(text)) return true;
  const std::lock_guard lock(mutex);
  const BarAside aside;
  if (options.format == LogFormat::Json) return writeAll(STDERR_FILENO, messageLine(text) + "\n");
  return writeAll(STDERR_FILENO, text);
}

const LogOptions &logOptions() { return options; }

void addLogFlags(CLI::App &app, const std::string &tool) {
  options.tool = tool;
  app.add_option_function<std::string>(
         "--log-format",
         [](const std::string &text) { options.format = text == "json" ? LogFormat::Json : LogFormat::Text; },
         "messages and progress on stderr as text, or as a JSON object a line")
      ->type_name("text|json")
      ->check(CLI::IsMember({"text", "json"}))
      ->default_str("text");
  app.add_flag_callback(
      "--quiet", [] { options.quiet = true; }, "no progress and no notes; warnings and errors remain");
}

void logProgress(const ProgressState &state) {
  if (options.format == LogFormat::Text) {
    sayLine(progressLine(state));
    return;
  }
  Json json = jsonLine("progress");
  json["task"] = state.task, json["unit"] = state.unit, json["done"] = state.done;
  if (state.all > 0) json["all"] = state.all;
  json["seconds"] = state.elapsed;
  if (const auto rate = state.rate()) json["rate"] = *rate;
  if (const auto left = state.left()) json["left"] = *left;
  if (!state.what.empty()) json["what"] = state.what;
  sayLine(dump(json));
}

void showBar(std::string text) {
  const std::lock_guard lock(mutex);
  bar = std::move(text);
  writeAll(STDERR_FILENO, std::string(kClearLine) + bar);
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
    std::ostringstream help, problem;
    const bool isHelp = app.exit(error, help, problem) == 0;
    if (isHelp && writeOut(help.str())) return 0;
    if (isHelp) return static_cast<int>(ErrorKind::Output);
    writeError(help.str() + problem.str());
    return static_cast<int>(ErrorKind::Usage);
  }
  return std::nullopt;
}

int runTool(std::string_view tool, const std::function<Expected<void>()> &body) {
  const Expected<void> done = guarded(body);
  if (done) return 0;
  say(tool, logOptions().format == LogFormat::Json ? "error: " + done.error().message : done.error().message);
  return static_cast<int>(done.error().kind);
}

} // namespace sd
