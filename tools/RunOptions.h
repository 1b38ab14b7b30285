// The command line of sd-run.
#pragma once

#include <chrono>
#include <map>
#include <optional>

#include "runtime/net/Connect.h"
#include "runtime/vm/Handshake.h"

namespace sd {

struct RunOptions {
  int party = 0;
  bool local = false; // both parties in this process
  std::string program, weights;
  Address address;
  std::map<std::string, std::string> inputs, outputs; // files by name; "" for the only one
  PreprocessMode mode = PreprocessMode::TwoParty;
  std::optional<Address> dealer;
  std::string stats;
  std::optional<TlsFiles> tls;
  bool allowPlaintext = false;
  std::chrono::milliseconds timeout{60'000};
  bool serve = false; // party 0: one session after another
  unsigned threads = 0;
  std::vector<std::string> classes;

  EndpointOptions endpoint(const Address &to) const;
};

// The options, or the exit code if the program shall end here: after --help, or after a usage error (1), which has been
// printed.
std::variant<RunOptions, int> parseRunOptions(int argc, char **argv);

} // namespace sd
