// The options of every tool that talks to another machine.
#pragma once

#include "runtime/net/Connect.h"
#include "tools/Console.h"

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

// As runTool() of Console.h, in a process whose memory is not dumped.
int runPrivately(std::string_view tool, const std::function<Expected<void>()> &body);

} // namespace sd
