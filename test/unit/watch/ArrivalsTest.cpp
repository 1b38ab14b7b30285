#include "tools/watch/Arrivals.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

namespace sd {
namespace {

namespace fs = std::filesystem;

class ArrivalsTest : public testing::Test {
protected:
  ArrivalsTest() {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~ArrivalsTest() override { fs::remove_all(folder_); }

  std::string pathOf(const std::string &name) const { return folder_ + "/" + name; }
  void write(const std::string &name, const std::string &text = "1,2\n") const { std::ofstream(pathOf(name)) << text; }
  static std::vector<std::string> take(Arrivals &arrivals) {
    std::vector<std::string> names;
    while (const auto arrival = arrivals.next())
      names.push_back(arrival->name);
    return names;
  }
  using Names = std::vector<std::string>;

  const std::string folder_ = testing::TempDir() + "arrivals." + std::to_string(::getpid());
};

TEST_F(ArrivalsTest, ClosedFilesComeAtOnceInOrder) {
  auto arrivals = Arrivals::open(folder_);
  ASSERT_TRUE(arrivals) << arrivals.error().message;
  ASSERT_TRUE(arrivals->isTold());
  write("b"), write("a"), write("c");
  EXPECT_FALSE(arrivals->takeEvents());
  EXPECT_EQ(take(*arrivals), (Names{"b", "a", "c"}));
  arrivals->takeEvents();
  EXPECT_EQ(take(*arrivals), Names{});
}

TEST_F(ArrivalsTest, FilesThatAreBeingWrittenWait) {
  auto arrivals = Arrivals::open(folder_);
  ASSERT_TRUE(arrivals);
  std::ofstream slow(pathOf("slow"));
  slow << "1," << std::flush;
  for (int i = 0; i < 3; ++i) {
    arrivals->takeEvents();
    ASSERT_TRUE(arrivals->scan());
    EXPECT_EQ(take(*arrivals), Names{});
  }
  slow << "2\n";
  slow.close();
  arrivals->takeEvents();
  EXPECT_EQ(take(*arrivals), Names{"slow"});
}

TEST_F(ArrivalsTest, FilesThatWereThereNeedTwoScansAndComeByAge) {
  write("z"), write("a");
  auto arrivals = Arrivals::open(folder_); // the first scan
  ASSERT_TRUE(arrivals);
  EXPECT_EQ(take(*arrivals), Names{});
  ASSERT_TRUE(arrivals->scan());
  const Names names = take(*arrivals);
  const auto before = stampOf(pathOf("z")), after = stampOf(pathOf("a"));
  ASSERT_TRUE(before && after);
  EXPECT_EQ(names, before->changed == after->changed ? (Names{"a", "z"}) : (Names{"z", "a"}));
}

TEST_F(ArrivalsTest, ScanTakesNothingThatStillChanges) {
  write("x", "1");
  auto arrivals = Arrivals::open(folder_);
  ASSERT_TRUE(arrivals);
  write("x", "1,2\n"); // no event is taken: as by another machine
  ASSERT_TRUE(arrivals->scan());
  EXPECT_EQ(take(*arrivals), Names{});
  ASSERT_TRUE(arrivals->scan());
  EXPECT_EQ(take(*arrivals), Names{"x"});
}

TEST_F(ArrivalsTest, RenamedFilesComeUnderTheirLastName) {
  auto arrivals = Arrivals::open(folder_);
  ASSERT_TRUE(arrivals);
  write(".x.csv"), write("y.tmp"), write("z.part"), write("w~");
  arrivals->takeEvents();
  ASSERT_TRUE(arrivals->scan());
  ASSERT_TRUE(arrivals->scan());
  EXPECT_EQ(take(*arrivals), Names{});
  fs::rename(pathOf(".x.csv"), pathOf("x.csv"));
  arrivals->takeEvents();
  EXPECT_EQ(take(*arrivals), Names{"x.csv"});
}

TEST_F(ArrivalsTest, FoldersInTheFolderAreWatched) {
  auto arrivals = Arrivals::open(folder_);
  ASSERT_TRUE(arrivals);
  fs::create_directories(pathOf("p1/deep"));
  arrivals->takeEvents();
  ASSERT_TRUE(arrivals->scan());
  write("p1/deep/a.csv");
  arrivals->takeEvents();
  EXPECT_EQ(take(*arrivals), Names{"p1/deep/a.csv"});
}

TEST_F(ArrivalsTest, EachStateOfAFileComesOnce) {
  auto arrivals = Arrivals::open(folder_);
  ASSERT_TRUE(arrivals);
  write("a");
  arrivals->takeEvents();
  EXPECT_EQ(take(*arrivals), Names{"a"});
  ASSERT_TRUE(arrivals->scan());
  ASSERT_TRUE(arrivals->scan());
  EXPECT_EQ(take(*arrivals), Names{});
  write("a", "3,4,5\n");
  arrivals->takeEvents();
  EXPECT_EQ(take(*arrivals), Names{"a"});
  arrivals->putBack("a");
  ASSERT_TRUE(arrivals->scan());
  ASSERT_TRUE(arrivals->scan());
  EXPECT_EQ(take(*arrivals), Names{"a"});
}

TEST_F(ArrivalsTest, FilesThatAreGoneAreLeftOut) {
  auto arrivals = Arrivals::open(folder_);
  ASSERT_TRUE(arrivals);
  write("a"), write("b");
  arrivals->takeEvents();
  fs::remove(pathOf("a"));
  EXPECT_EQ(take(*arrivals), Names{"b"});
}

TEST_F(ArrivalsTest, AFolderThatIsAwayIsAnErrorUntilItIsBack) {
  auto arrivals = Arrivals::open(folder_);
  ASSERT_TRUE(arrivals);
  fs::remove_all(folder_);
  arrivals->takeEvents();
  EXPECT_FALSE(arrivals->scan());
  fs::create_directories(folder_);
  ASSERT_TRUE(arrivals->scan());
  write("a");
  arrivals->takeEvents();
  EXPECT_EQ(take(*arrivals), Names{"a"});
  EXPECT_FALSE(Arrivals::open(folder_ + "/none"));
}

} // namespace
} // namespace sd
