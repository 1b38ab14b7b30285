#include "tools/ProgressText.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace sd {

namespace {

constexpr std::size_t kBar = 24;

std::string counted(const ProgressState &state) {
  const std::uint64_t number = state.all > 0 ? state.all : state.done;
  const std::string units = state.unit + (number == 1 ? "" : "s");
  if (state.all == 0) return fmt::format("{} {}", state.done, units);
  return fmt::format("{} of {}{} {}", state.done, state.isAbout ? "about " : "", state.all, units);
}

std::string rateText(double rate, const std::string &unit) {
  if (rate >= 1) return rate >= 10 ? fmt::format("{:.0f} {}s/s", rate, unit) : fmt::format("{:.1f} {}s/s", rate, unit);
  return fmt::format("{} a {}", 1 / rate < 10 ? fmt::format("{:.1f} s", 1 / rate) : durationText(1 / rate), unit);
}

// Count, rate, time, and what is done now.
std::string describe(const ProgressState &state) {
  std::vector<std::string> parts;
  if (state.all > 0 || state.done > 0) parts.push_back(counted(state));
  if (const auto rate = state.rate()) parts.push_back(rateText(*rate, state.unit));
  if (const auto left = state.left())
    parts.push_back(fmt::format("{}{} left", state.done == 0 || state.isAbout ? "about " : "", durationText(*left)));
  else
    parts.push_back(durationText(state.elapsed) + " so far");
  return fmt::format("{}{}{}", fmt::join(parts, ", "), state.what.empty() ? "" : ": ", state.what);
}

} // namespace

std::optional<double> ProgressState::rate() const {
  if (done == 0) return std::nullopt;
  const double sinceFirst = elapsed - firstDone;
  if (done > 1 && sinceFirst > 0) return static_cast<double>(done - 1) / sinceFirst;
  return elapsed > 0 ? std::optional(static_cast<double>(done) / elapsed) : std::nullopt;
}

std::optional<double> ProgressState::left() const {
  if (all == 0) return std::nullopt;
  if (const auto perSecond = rate()) return static_cast<double>(all - std::min(done, all)) / *perSecond;
  if (predicted > elapsed) return predicted - elapsed;
  return std::nullopt;
}

std::string durationText(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::ceil(std::clamp(seconds, 0.0, 1e9)));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {} s", whole / 60, whole % 60);
  return fmt::format("{} h {} min", whole / 3600, whole % 3600 / 60);
}

std::string progressLine(const ProgressState &state) { return fmt::format("{}: {}", state.task, describe(state)); }

std::string progressBar(const ProgressState &state, std::size_t columns) {
  std::string bar;
  if (state.all > 0) {
    const std::uint64_t done = std::min(state.done, state.all);
    const auto filled = static_cast<std::size_t>(static_cast<double>(kBar) * static_cast<double>(done) /
                                                 static_cast<double>(state.all));
    bar = fmt::format(" [{}{}]", std::string(filled, '#'), std::string(kBar - filled, '.'));
  }
  std::string text = fmt::format("{}{} {}", state.task, bar, describe(state));
  if (text.size() > columns) text.resize(columns);
  return text;
}

} // namespace sd
