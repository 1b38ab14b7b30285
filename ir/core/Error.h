// The project's one error type. What can fail returns Expected<T>; no exception crosses a library's border.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <tl/expected.hpp>

#include <cstdint>
#include <string>
#include <utility>

namespace sd {

// What went wrong, as far as a script that runs a tool may want to know it: each kind is an exit code of the tools.
enum class ErrorKind : std::uint8_t {
  Resources = 1,   // memory, threads or descriptors ran out, or the program itself is at fault
  Usage = 2,       // the command line
  Input = 3,       // a file, model, program or record is not as it must be
  Output = 4,      // a result or report can't be written
  Network = 5,     // no peer was reached, or the link to it was lost or too slow
  Refused = 6,     // the peer ended the session, and said why
  Invalid = 7,     // some record has no valid result
  Interrupted = 8, // a signal asked for the end
};

// `message` says what is wrong and what the user can do; no trailing full stop, no newline, never secret data, never
// the text or value of a record's cell.
struct Error {
  std::string message;
  bool here = false; // it names files of this machine: not for a peer
  ErrorKind kind = ErrorKind::Input;
  bool located = false; // it is rendered with its places: "net.sdir:3:8: error: ..." (Diagnostics.h)
};

template <class T>
using Expected = tl::expected<T, Error>;

template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(fmt::format_string<Args...> format, Args &&...args) {
  return tl::unexpected<Error>(Error{fmt::format(format, std::forward<Args>(args)...)});
}

template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(ErrorKind kind, fmt::format_string<Args...> format, Args &&...args) {
  return tl::unexpected<Error>(Error{fmt::format(format, std::forward<Args>(args)...), false, kind});
}

// `error` in other words; whose business it is and its kind remain.
template <class... Args>
[[nodiscard]] tl::unexpected<Error> failAs(const Error &error, fmt::format_string<Args...> format, Args &&...args) {
  return tl::unexpected<Error>(Error{fmt::format(format, std::forward<Args>(args)...), error.here, error.kind});
}

// An error that is nobody's business but this machine's.
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
