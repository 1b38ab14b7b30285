// How far a long task is, on standard error: a bar on a terminal, else a line for each step.
#pragma once

#include <cstddef>
#include <string>

namespace sd::tool {

class Progress {
public:
  explicit Progress(std::string task); // "tune"
  ~Progress();                         // clears the bar
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;

  // Before a step, of about `expected`.
  void step(std::size_t done, std::size_t expected, const std::string &what);

private:
  std::string task_;
  bool isTerminal_;
};

} // namespace sd::tool
