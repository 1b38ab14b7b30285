// Reads one line of the text form, token by token; remembers the first thing that went wrong and where.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/core/Type.h"

namespace sd {

class TextCursor {
public:
  struct Failure {
    std::size_t begin = 0, length = 1; // in the line, from 0
    std::string message;
  };

  explicit TextCursor(std::string_view line) : line_(line) {}

  bool atEnd(); // nothing but space and a comment follows
  std::size_t position();
  std::size_t lastEnd() const { return at_; } // behind the last token

  bool accept(std::string_view punctuation);
  bool expect(std::string_view punctuation); // or fails
  // A run of letters, digits, '_', '.', '$', '-' and '+'; empty if there is none.
  std::string_view word();

  std::optional<std::int64_t> integer();
  std::optional<std::string> string();                 // "..." with \" \\ and \xHH
  std::optional<std::string_view> hexString();         // "..." of hexadecimal digits
  std::optional<Shape> shape();                        // 1x30, scalar
  std::optional<Type> type();                          // share<1x30, 2^10>
  std::optional<std::vector<std::int64_t>> integers(); // [1, 2]
  std::optional<std::vector<std::string>> strings();   // ["a", "b"]
  template <class Float>
  std::optional<Float> number(); // float or double: decimal, or 0x and the bits

  std::nullopt_t fail(std::size_t begin, std::size_t length, std::string message);
  const Failure &failure() const { return *failure_; }
  bool failed() const { return failure_.has_value(); }

private:
  void skipSpace();
  std::optional<std::size_t> closingQuote(); // of the string that starts here

  std::string_view line_;
  std::size_t at_ = 0;
  std::optional<Failure> failure_;
};

// Bits of a float, printed and read alike: shortest decimal, or 0x and the bits where there is none.
std::string printNumber(float value);
std::string printNumber(double value);
std::string printString(std::string_view text); // with quotes

} // namespace sd
