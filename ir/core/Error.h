// The project's one error type. What can fail returns Expected<T>; no exception crosses a library's border.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <tl/expected.hpp>

#include <string>
#include <utility>

namespace sd {

// `message` says what is wrong and what the user can do; no trailing full stop, no newline, never secret data.
struct Error {
  std::string message;
  bool here = false; // it names files of this machine: not for a peer
};

template <class T>
using Expected = tl::expected<T, Error>;

template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(fmt::format_string<Args...> format, Args &&...args) {
  return tl::unexpected<Error>(Error{fmt::format(format, std::forward<Args>(args)...)});
}

// The same, of what is nobody's business but this machine's.
template <class... Args>
[[nodiscard]] tl::unexpected<Error> failHere(fmt::format_string<Args...> format, Args &&...args) {
  return tl::unexpected<Error>(Error{fmt::format(format, std::forward<Args>(args)...), true});
}

} // namespace sd

#define SD_CONCAT_(a, b) a##b
#define SD_CONCAT(a, b) SD_CONCAT_(a, b)

// SD_TRY(expr): returns the error of an Expected<...>, drops its value.
#define SD_TRY(...)                                                                                                    \
  do {                                                                                                                 \
    if (auto &&sdTried = (__VA_ARGS__); !sdTried) return ::tl::unexpected<::sd::Error>(std::move(sdTried).error());    \
  } while (false)

// SD_ASSIGN(auto x, expr): declares or assigns x from an Expected<T>, or returns its error.
#define SD_ASSIGN(target, ...) SD_ASSIGN_(SD_CONCAT(sdExpected, __LINE__), target, __VA_ARGS__)
#define SD_ASSIGN_(name, target, ...)                                                                                  \
  auto &&name = (__VA_ARGS__);                                                                                         \
  if (!name) return ::tl::unexpected<::sd::Error>(std::move(name).error());                                            \
  target = *std::move(name)
