#include <gtest/gtest.h>

#include "ir/core/Diagnostics.h"

using namespace sd;

namespace {

TEST(Diagnostics, LineAndCarets) {
  EXPECT_EQ(render({Severity::Error, {"a.sdir", 3, 5, 4, "\tab cdef"}, "bad"}),
            "a.sdir:3:5: error: bad\n\tab cdef\n\t   ^^^^");
  EXPECT_EQ(render({Severity::Warning, {"m.onnx", 0, 0, 1, ""}, "odd"}), "m.onnx: warning: odd");
  EXPECT_EQ(render({Severity::Note, {}, "so"}), "note: so");
}

TEST(Diagnostics, RangesBeyondTheLineAreCut) {
  EXPECT_EQ(render({Severity::Error, {"a", 1, 3, 99, "abcd"}, "m"}), "a:1:3: error: m\nabcd\n  ^^");
  EXPECT_EQ(render({Severity::Error, {"a", 1, 99, 9, "abcd"}, "m"}), "a:1:99: error: m\nabcd\n    ^");
}

TEST(Diagnostics, LongLinesAreShownAroundTheRange) {
  const std::string line = std::string(1000, 'x') + "HERE" + std::string(1000, 'y');
  const std::string text = render({Severity::Error, {"a", 1, 1001, 4, line}, "m"});
  EXPECT_NE(text.find("...xx"), std::string::npos);
  EXPECT_NE(text.find("yy...\n"), std::string::npos);
  const auto lineAt = text.find('\n') + 1, caretAt = text.rfind('\n') + 1;
  EXPECT_EQ(text.find("HERE") - lineAt, text.find("^^^^") - caretAt);
  EXPECT_LT(text.size(), 400U);
}

TEST(Diagnostics, ControlBytesAreNotShown) {
  EXPECT_EQ(render({Severity::Error, {"a", 1, 1, 1, "\x1b[2J"}, "m"}), "a:1:1: error: m\n?[2J\n^");
}

TEST(Diagnostics, TooManyErrorsAreCounted) {
  Diagnostics diagnostics;
  for (int i = 0; i < 130; ++i)
    diagnostics.error({}, "e");
  EXPECT_EQ(diagnostics.errors(), 130U);
  EXPECT_EQ(diagnostics.all().size(), 100U);
  EXPECT_NE(diagnostics.render().find("30 more errors"), std::string::npos);
}

} // namespace
