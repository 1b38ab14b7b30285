#include "tools/watch/Ledger.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace sd {
namespace {

class LedgerTest : public testing::Test {
protected:
  LedgerTest() { ::unlink(path_.c_str()); }
  ~LedgerTest() override { ::unlink(path_.c_str()); }

  Ledger open() const {
    auto ledger = Ledger::open(path_);
    EXPECT_TRUE(ledger) << ledger.error().message;
    return *std::move(ledger);
  }
  static LedgerFile file(const std::string &name, const std::string &content, std::int64_t changed = 1) {
    return {name, {7, 8, 9, changed}, content, name};
  }
  std::string text() const {
    std::ostringstream all;
    all << std::ifstream(path_).rdbuf();
    return all.str();
  }
  void write(const std::string &text) const { std::ofstream(path_, std::ios::trunc) << text; }
  static bool isFree(const std::string &) { return true; }

  const std::string path_ = testing::TempDir() + "ledger." + std::to_string(::getpid());
};

TEST_F(LedgerTest, KnowsWhatIsFinishedByStampAndByContent) {
  const std::string name = "p\xE9 1/\n\"x\".csv"; // no UTF-8
  {
    Ledger ledger = open();
    ASSERT_TRUE(ledger.begin(file(name, "aa"), "program"));
    EXPECT_FALSE(ledger.isFinished(name, "aa"));
    ASSERT_TRUE(ledger.finish(file(name, "aa"), Outcome::Done, ""));
  }
  struct stat status = {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  const Ledger ledger = open();
  EXPECT_EQ(ledger.finished(), 1U);
  EXPECT_TRUE(ledger.begun().empty());
  EXPECT_TRUE(ledger.isFinished(name, "aa"));
  EXPECT_TRUE(ledger.isFinished(name, file(name, "aa").stamp));
  EXPECT_FALSE(ledger.isFinished(name, file(name, "aa", 2).stamp));
  EXPECT_FALSE(ledger.isFinished(name, "bb"));
  EXPECT_FALSE(ledger.isFinished("other", "aa"));
}

TEST_F(LedgerTest, WhatWasBegunKeepsItsResultsName) {
  {
    Ledger ledger = open();
    ASSERT_TRUE(ledger.begin(file("a", "aa"), "program"));
  }
  Ledger ledger = open();
  ASSERT_EQ(ledger.begun().size(), 1U);
  EXPECT_EQ(ledger.begun()[0], file("a", "aa"));
  EXPECT_EQ(ledger.resultFor("a", "aa", isFree), "a");
  EXPECT_EQ(ledger.resultFor("a", "bb", isFree), "a~2") << "another content is another record";
  EXPECT_EQ(ledger.resultFor("b", "aa", [](const std::string &name) { return name != "b"; }), "b~2");
  ASSERT_TRUE(ledger.finish(file("a", "aa"), Outcome::Broken, "why"));
  EXPECT_TRUE(ledger.begun().empty());
}

TEST_F(LedgerTest, LongNamesAreCutAndStayApart) {
  const Ledger ledger = open();
  const std::string a = "folder/" + std::string(240, 'x') + "a", b = "folder/" + std::string(240, 'x') + "b";
  const std::string result = ledger.resultFor(a, "aa", isFree);
  EXPECT_LT(result.size(), 180U);
  EXPECT_TRUE(result.starts_with("folder/xxx"));
  EXPECT_NE(result, ledger.resultFor(b, "aa", isFree));
}

TEST_F(LedgerTest, ALineWithoutEndIsDroppedAndADamagedOneIsNot) {
  {
    Ledger ledger = open();
    ASSERT_TRUE(ledger.begin(file("a", "aa"), "program"));
    ASSERT_TRUE(ledger.finish(file("a", "aa"), Outcome::Done, ""));
  }
  const std::string whole = text();
  write(whole.substr(0, whole.size() - 5));
  {
    Ledger ledger = open();
    EXPECT_EQ(ledger.begun().size(), 1U);
    EXPECT_EQ(ledger.finished(), 0U);
    ASSERT_TRUE(ledger.finish(file("a", "aa"), Outcome::Done, ""));
  }
  EXPECT_EQ(open().finished(), 1U);
  std::string damaged = whole;
  damaged[whole.find("\"file\"") + 1] = 'F';
  write(damaged);
  const auto refused = Ledger::open(path_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("line 1 is damaged"), std::string::npos) << refused.error().message;
}

TEST_F(LedgerTest, OneProcessAtATime) {
  const Ledger ledger = open();
  const auto second = Ledger::open(path_);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("another process watches"), std::string::npos);
}

} // namespace
} // namespace sd
