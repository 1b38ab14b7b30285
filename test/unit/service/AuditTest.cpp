// An audit log notices every change of what was written.
#include "runtime/service/Audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace sd::service {
namespace {

using testing::HasSubstr;

class AuditTest : public testing::Test {
protected:
  AuditTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sd-audit-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    path = (folder / "audit.log").string();
  }
  ~AuditTest() override { std::filesystem::remove_all(folder); }

  std::string content() const {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  void write(const std::string &text) const { std::ofstream(path, std::ios::binary) << text; }

  std::filesystem::path folder;
  std::string path;
};

TEST_F(AuditTest, EveryChangedByteIsNoticed) {
  {
    const auto audit = Audit::open(path);
    ASSERT_TRUE(audit);
    ASSERT_TRUE((*audit)->append({{"hospital", "a \"b\"\n"}, {"records", 1}}));
    ASSERT_TRUE((*audit)->append({{"hospital", "c"}}));
    EXPECT_FALSE(Audit::open(path)); // one writer
  }
  const std::string whole = content();
  ASSERT_EQ(verifyAudit(path)->entries, 2u);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    write(changed);
    EXPECT_FALSE(verifyAudit(path)) << i;
  }
}

TEST_F(AuditTest, ItGoesOnWhereItEnded) {
  for (int i = 0; i < 3; ++i) {
    const auto audit = Audit::open(path);
    ASSERT_TRUE(audit);
    ASSERT_TRUE((*audit)->append({{"number", i}}));
  }
  int next = 0;
  ASSERT_TRUE(verifyAudit(path, [&](const Fields &line) { EXPECT_EQ(line["number"], next++); }));
  EXPECT_EQ(next, 3);
}

TEST_F(AuditTest, ADamagedLogIsNotWrittenOn) {
  write("{\"hash\":\"0\"}\n");
  const auto audit = Audit::open(path);
  ASSERT_FALSE(audit);
  EXPECT_THAT(audit.error().message, HasSubstr("audit.log:1: was changed"));
  write("{\"number\":1");
  EXPECT_THAT(Audit::open(path).error().message, HasSubstr("the line has no end"));
}

// As on a full disk.
TEST_F(AuditTest, ALineThatCannotBeWrittenLeavesNothing) {
  const auto audit = Audit::open(path);
  ASSERT_TRUE(audit);
  ASSERT_TRUE((*audit)->append({{"number", 1}}));
  const std::string before = content();
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small{before.size() + 20, limit.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const auto failed = (*audit)->append({{"number", 2}});
  setrlimit(RLIMIT_FSIZE, &limit);
  EXPECT_FALSE(failed);
  EXPECT_EQ(content(), before);
  EXPECT_TRUE((*audit)->append({{"number", 3}}));
  EXPECT_EQ(verifyAudit(path)->entries, 2u);
}

} // namespace
} // namespace sd::service
