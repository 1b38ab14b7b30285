// A command for people to copy: the one that was typed, with other settings.
#pragma once

#include <CLI/CLI.hpp>

#include "compiler/Trial.h"

namespace sd::tool {

struct Rewritten {
  std::string subcommand;           // in place of its own, if not empty
  std::vector<std::string> left;    // options to leave out
  std::vector<std::string> added;   // words to add
  std::optional<Settings> settings; // in place of those that were typed
};

// "sdc compile net.onnx --input-range=0,1 --scale 512", quoted for a shell where that is needed.
std::string commandLine(const CLI::App &command, const Rewritten &how);

} // namespace sd::tool
