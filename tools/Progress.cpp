#include "tools/sdc/Progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "tools/Console.h"

namespace sd::tool {

namespace {
constexpr std::size_t kWidth = 30;
constexpr const char *kClearLine = "\r\x1b[K";
} // namespace

Progress::Progress(std::string task) : task_(std::move(task)), isTerminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (isTerminal_) writeError(kClearLine);
}

void Progress::step(std::size_t done, std::size_t expected, const std::string &what) {
  if (!isTerminal_) {
    writeError(fmt::format("{}: {}: {}\n", task_, done + 1, what));
    return;
  }
  const std::size_t filled = std::min(kWidth, kWidth * done / std::max<std::size_t>(expected, 1));
  writeError(fmt::format("{}{} [{}{}] {} of about {}: {}", kClearLine, task_, std::string(filled, '#'),
                         std::string(kWidth - filled, '.'), done + 1, expected, what));
}

} // namespace sd::tool
