// Splits independent work of one party over a few threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <thread>
#include <vector>

namespace sd {

// Calls work(first, last) for ranges that cover [0, n), on at most `threads` threads, this one included. `work` can't
// fail.
template <class Work>
void parallelRanges(int threads, std::size_t n, const Work &work) {
  const std::size_t parts = std::min<std::size_t>(threads > 1 ? threads : 1, n);
  if (parts < 2) {
    if (n > 0) work(std::size_t{0}, n);
    return;
  }
  std::vector<std::jthread> others;
  others.reserve(parts - 1);
  for (std::size_t part = 1; part < parts; ++part)
    others.emplace_back([&work, part, parts, n] { work(n * part / parts, n * (part + 1) / parts); });
  work(std::size_t{0}, n / parts);
}

} // namespace sd
