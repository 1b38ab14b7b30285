// How far a task is, in words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace sd {

struct ProgressState {
  std::string task;            // "run"
  std::string unit = "record"; // of what is counted
  std::string what;            // is done now; empty: nothing more is said
  std::uint64_t done = 0;
  std::uint64_t all = 0; // 0: not known
  bool isAbout = false;  // `all` is a guess
  double predicted = 0;  // seconds for all of it, before it began; 0: not known
  double elapsed = 0;    // seconds
  double firstDone = 0;  // of `elapsed`, when the first was done: set-up does not come again

  // Units in a second, once there are some.
  std::optional<double> rate() const;
  // Seconds that are left: by the rate, before that by the prediction.
  std::optional<double> left() const;
};

std::string durationText(double seconds); // "27 s", "3 min 20 s", "2 h 5 min"

// "run: 12 of 100 records, 3.2 records/s, 27 s left: what"
std::string progressLine(const ProgressState &state);
// The same with a bar, in at most `columns` characters.
std::string progressBar(const ProgressState &state, std::size_t columns);

} // namespace sd
