// Located messages to the user, several a run.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace sd {

enum class Severity { Error, Warning, Note };

// Where in a text. Line and column count from 1; line 0: the file as a whole. `text` is the line, for the carets.
struct Location {
  std::string file;
  std::size_t line = 0, column = 0, length = 1;
  std::string text;
};

struct Diagnostic {
  Severity severity = Severity::Error;
  Location where;
  std::string message;
};

// "bad.sdir:3:8: error: ...", then the line, then carets under the range. Long lines are shown around the range.
// Without a line: "model.onnx: error: ..."; without a file: "error: ...".
std::string render(const Diagnostic &diagnostic);

// Collects diagnostics in order of arrival.
class Diagnostics {
public:
  // More errors than this are counted, not kept.
  static constexpr std::size_t kMaxErrors = 100;

  void add(Diagnostic diagnostic);
  void error(Location where, std::string message) { add({Severity::Error, std::move(where), std::move(message)}); }
  void warning(Location where, std::string message) { add({Severity::Warning, std::move(where), std::move(message)}); }

  std::size_t errors() const { return errors_; }
  bool hasErrors() const { return errors_ > 0; }
  const std::vector<Diagnostic> &all() const { return all_; }
  std::string render() const; // each on its own lines, and how many errors were left out

private:
  std::vector<Diagnostic> all_;
  std::size_t errors_ = 0;
};

} // namespace sd
