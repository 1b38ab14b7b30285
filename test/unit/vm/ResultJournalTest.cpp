#include "runtime/vm/ResultJournal.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

namespace sd {
namespace {

using testing::HasSubstr;
using Floats = std::vector<float>;

class ResultJournalTest : public testing::Test {
protected:
  ResultJournalTest() {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }

  Expected<ResultJournal> open(bool resume) { return ResultJournal::open(path_, key_, resume); }
  // Leaves a journal with the results of so many records.
  void leave(int records) {
    auto journal = open(false);
    ASSERT_TRUE(journal) << journal.error().message;
    for (int i = 0; i < records; ++i)
      ASSERT_TRUE(journal->append(Floats{static_cast<float>(i), 0.5f, -1}));
  }
  void damage(std::uint64_t offset) {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(offset));
    file.put('\x55');
  }

  const std::string folder_ = testing::TempDir() + "journal";
  const std::string path_ = folder_ + "/y.npy.journal";
  BatchKey key_{Digest{1}, Digest{2}, 10, 3};
  static constexpr std::uint64_t kHeader = 100, kEntry = 3 * 4 + 8;
};

TEST_F(ResultJournalTest, GoesOnWhereARunStopped) {
  leave(2);
  auto journal = open(true);
  ASSERT_TRUE(journal) << journal.error().message;
  EXPECT_EQ(journal->size(), 2);
  ASSERT_TRUE(journal->append(Floats{7, 8, 9}));
  Floats values(3);
  ASSERT_TRUE(journal->read(1, values));
  EXPECT_EQ(values, (Floats{1, 0.5f, -1}));
  ASSERT_TRUE(journal->read(2, values));
  EXPECT_EQ(values, (Floats{7, 8, 9}));
  EXPECT_EQ(std::filesystem::file_size(path_), kHeader + 3 * kEntry);
  EXPECT_EQ(std::filesystem::status(path_).permissions(), std::filesystem::perms(0600));
  journal->remove();
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_FALSE(journal->isThere());
  EXPECT_TRUE(journal->read(0, values));
}

TEST_F(ResultJournalTest, KeepsResultsOfAnotherRun) {
  leave(1);
  EXPECT_THAT(open(false).error().message, HasSubstr("go on with --resume, or delete it"));
  EXPECT_EQ(open(true)->size(), 1);
  std::filesystem::remove(path_);
  leave(0); // nothing to keep
  EXPECT_EQ(open(false)->size(), 0);
}

TEST_F(ResultJournalTest, RefusesAnotherBatch) {
  leave(1);
  const BatchKey key = key_;
  key_.program[5] = 9;
  EXPECT_THAT(open(true).error().message, HasSubstr("the results of another program"));
  key_ = key, key_.records[5] = 9;
  EXPECT_THAT(open(true).error().message, HasSubstr("the results of other records"));
  key_ = key, key_.count = 11;
  EXPECT_THAT(open(true).error().message, HasSubstr("the results of other records"));
  key_ = key;
  damage(0);
  EXPECT_THAT(open(true).error().message, HasSubstr("not a journal of results"));
}

// As after a power cut: whatever is not whole is computed again.
TEST_F(ResultJournalTest, DropsWhatIsNotWhole) {
  leave(4);
  std::filesystem::resize_file(path_, kHeader + 4 * kEntry - 1);
  EXPECT_EQ(open(true)->size(), 3);
  damage(kHeader + kEntry + 2); // in the second entry
  EXPECT_EQ(open(true)->size(), 1);
  EXPECT_EQ(std::filesystem::file_size(path_), kHeader + kEntry);
  std::filesystem::resize_file(path_, kHeader + 5 * kEntry); // zeros in place of entries
  EXPECT_EQ(open(true)->size(), 1);
}

TEST_F(ResultJournalTest, IsOneRunsAlone) {
  auto journal = open(false);
  ASSERT_TRUE(journal);
  auto other = open(true);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, ErrorKind::Output);
  EXPECT_THAT(other.error().message, HasSubstr("another run writes its results there"));
  std::filesystem::permissions(path_, std::filesystem::perms(0644));
  EXPECT_THAT(open(true).error().message, HasSubstr("not a file of this user's alone"));
}

TEST_F(ResultJournalTest, MovesWithWhatItHolds) {
  auto journal = open(false);
  ASSERT_TRUE(journal);
  ASSERT_TRUE(journal->append(Floats{1, 2, 3}));
  std::filesystem::remove(path_);
  EXPECT_FALSE(journal->isThere());
  const Floats more{4, 5, 6};
  EXPECT_FALSE(journal->moveTo(folder_ + "/none/j", more));
  EXPECT_EQ(journal->size(), 1);
  ASSERT_TRUE(journal->moveTo(folder_ + "/j", more));
  Floats values(3);
  ASSERT_TRUE(journal->read(0, values));
  EXPECT_EQ(values, (Floats{1, 2, 3}));
  EXPECT_EQ(journal->size(), 2);
  EXPECT_FALSE(journal->moveTo(folder_ + "/j", more)); // it is there
  EXPECT_TRUE(journal->isThere());
}

} // namespace
} // namespace sd
