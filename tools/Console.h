// What every tool does with its standard streams, its command line and its end.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "ir/core/Error.h"
#include "ir/core/RateLimit.h"

namespace CLI {
class App;
}

namespace sd {

// To be called first. Closed standard streams are replaced by ones that give errors, so that no file or socket takes
// their numbers; writes that nobody can take, or that are too large for a limit, are errors and no signals.
void prepareStreams();

// How messages and progress are written: as text or as a JSON object a line; `quiet` leaves out progress and notes.
enum class LogFormat { Text, Json };
struct LogOptions {
  LogFormat format = LogFormat::Text;
  bool quiet = false;
  std::string tool;
};
const LogOptions &logOptions();

// --log-format and --quiet, which hold from the moment they are parsed.
void addLogFlags(CLI::App &app, const std::string &tool);

struct ProgressState;
void logProgress(const ProgressState &state); // a line
void showBar(std::string text);               // the last line of a terminal, below all messages; "": none

// "tool: text" as a line on stderr. Never throws, never ends the process, and waits for a reader that is slow at most
// so long: then the line is dropped, and the next one that goes out says how many were. Safe in any thread.
void say(std::string_view tool, std::string_view text);               // waits a second
void sayWithoutWaiting(std::string_view tool, std::string_view text); // of a service, which has others to serve

// The same for a line as it is.
void sayLine(std::string_view line);

// Text on stdout or stderr as it is, however long a slow reader takes; false if it can't be written.
bool writeOut(std::string_view text);
bool writeError(std::string_view text);

// Lines about what strangers make this machine do.
class RareLog {
public:
  void say(std::string_view tool, std::string_view text);

private:
  RateLimit limit_;
};

// The text of --help about exit codes.
std::string_view exitCodes();

// Parses the command line. Nothing: go on; else the program's exit code: 0 after --help, ErrorKind::Usage after an
// error, which has been said.
std::optional<int> parseArguments(CLI::App &app, int argc, char **argv);

// Runs a tool's body and gives its exit code. What went wrong, lack of memory or of threads too, is said on stderr.
int runTool(std::string_view tool, const std::function<Expected<void>()> &body);

} // namespace sd
