// What is wrong with a schema, all of it at once.
#pragma once

#include <string>
#include <vector>

#include "ir/core/Error.h"

namespace sd {

class Problems {
public:
  // An error of a line each, of the first ones where there are many.
  Expected<void> result() {
    constexpr std::size_t kMost = 20;
    if (problems_.empty()) return {};
    if (const std::size_t all = problems_.size(); all > kMost) {
      problems_.resize(kMost);
      problems_.push_back(fmt::format("and {} more", all - kMost));
    }
    return fail("{}", fmt::join(problems_, "\n"));
  }

protected:
  template <class... Args>
  void problem(fmt::format_string<Args...> format, Args &&...args) {
    problems_.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

private:
  std::vector<std::string> problems_;
};

} // namespace sd
