// The options of every tool that talks to another machine.
#pragma once

#include "runtime/net/Connect.h"

namespace CLI {
class App;
}

namespace sd {

struct NetworkOptions {
  std::string address;
  TlsFiles tls;
  bool allowPlaintext = false;
  double timeout = 60; // seconds

  void addTo(CLI::App &app, const std::string &tool);
  std::chrono::milliseconds wait() const;

  // For listening on, or connecting to, `to`. Errors where the options contradict each other.
  Expected<EndpointOptions> endpoint(const std::string &to) const;

private:
  std::string tool_;
};

// A check for options: a value that is empty, as that of an unset variable, is an error and not the same as none.
std::string notEmpty(const std::string &value);

// Parses the command line. Nothing: go on; else the program's exit code: 0 after --help, 1 after a usage error.
std::optional<int> parseArguments(CLI::App &app, int argc, char **argv);

// Runs a tool's body, in a process whose memory is not dumped, and gives its exit code. What went wrong, lack of memory
// or of threads too, is said on stderr.
int runTool(std::string_view tool, const std::function<Expected<void>()> &body);

} // namespace sd
