#include "runtime/store/Store.h"

#include <unistd.h>

#include "test/unit/store/StoreFixture.h"

namespace sd {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

mode_t modeOf(const fs::path &path) {
  struct stat status = {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  return status.st_mode & 07777;
}

TEST(Store, isPrivateFromItsCreation) {
  const mode_t before = ::umask(0);
  {
    test::TwoStores stores;
    stores.make(test::idOf(1, 0));
    auto half = stores.servicePool.create(test::idOf(1, 1), stores.plan);
    ASSERT_TRUE(half);
    for (const auto &file : fs::recursive_directory_iterator(stores.folder / ""))
      EXPECT_EQ(modeOf(file.path()), file.is_directory() ? 0700u : 0600u) << file.path();
  }
  ::umask(before);
}

TEST(Store, opensAgainWithTheSameIdentity) {
  test::TwoStores stores;
  const auto again = Store::open(stores.folder / "service");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->id(), stores.service.id());
  EXPECT_EQ(Store::openOrCreate(stores.folder / "service")->id(), stores.service.id());
  EXPECT_NE(stores.client.id(), stores.service.id());
}

TEST(Store, refusesWhatIsNoStore) {
  test::TemporaryFolder folder;
  EXPECT_THAT(Store::open(folder / "none").error().message, HasSubstr("--prepare N makes one"));
  EXPECT_THAT(Store::openOrCreate(folder / "none/deeper").error().message, HasSubstr("can't make the store's folder"));
  fs::create_directory(folder / "photos");
  fs::permissions(folder / "photos", fs::perms::owner_all);
  EXPECT_THAT(Store::open(folder / "photos").error().message, HasSubstr("not a store"));
  test::overwrite(folder / "photos/cat", std::vector<std::uint8_t>(10));
  EXPECT_THAT(Store::openOrCreate(folder / "photos").error().message, HasSubstr("neither a store nor an empty folder"));
  EXPECT_FALSE(fs::exists(folder / "photos/key"));
  EXPECT_FALSE(Store::openOrCreate(folder / "photos/cat"));
}

TEST(Store, refusesWhatOthersMayRead) {
  for (const auto extra :
       {fs::perms::group_read, fs::perms::group_write, fs::perms::others_exec, fs::perms::others_read}) {
    test::TwoStores stores;
    stores.make(test::idOf(1, 0));
    const std::string path = stores.folder / "service";
    for (const std::string &target : {path, path + "/key"}) {
      fs::permissions(target, extra, fs::perm_options::add);
      EXPECT_THAT(Store::open(path).error().message, HasSubstr("others may read or change it")) << target;
      EXPECT_THAT(Store::openOrCreate(path).error().message, HasSubstr("others may read or change it"));
      fs::permissions(target, extra, fs::perm_options::remove);
      EXPECT_TRUE(Store::open(path));
    }
    const fs::path entry = test::filesIn(path, ".ready").at(0);
    fs::permissions(entry.parent_path(), extra, fs::perm_options::add);
    EXPECT_FALSE(stores.service.existingPool(stores.servicePool.binding()));
    fs::permissions(entry.parent_path(), extra, fs::perm_options::remove);
    fs::permissions(entry, extra, fs::perm_options::add);
    const EntryId id = test::idOf(1, 0);
    auto taken = stores.servicePool.take({&id, 1});
    ASSERT_TRUE(taken && taken->size() == 1);
    EXPECT_THAT(taken->at(0).load<ServiceMaterial<Ring32>>(stores.plan).error().message, HasSubstr("others may read"));
  }
}

TEST(Store, refusesAnothersFiles) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  test::TwoStores stores;
  const std::string path = stores.folder / "service";
  ASSERT_EQ(::chown((path + "/key").c_str(), 65534, 65534), 0);
  EXPECT_THAT(Store::open(path).error().message, HasSubstr("belongs to another user (number 65534)"));
  ASSERT_EQ(::chown((path + "/key").c_str(), 0, 0), 0);
  ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
  EXPECT_THAT(Store::open(path).error().message, HasSubstr("belongs to another user"));
}

TEST(Store, refusesASymbolicLinkInItsPlace) {
  test::TwoStores stores;
  const std::string link = stores.folder / "link", dangling = stores.folder / "dangling";
  fs::create_symlink(stores.folder / "service", link);
  fs::create_symlink(stores.folder / "nowhere", dangling);
  for (const std::string &path : {link, link + "/", link + "//", dangling}) {
    EXPECT_THAT(Store::openOrCreate(path).error().message, HasSubstr(": a symbolic link")) << path;
    EXPECT_THAT(Store::open(path).error().message, HasSubstr(": a symbolic link")) << path;
  }
  EXPECT_FALSE(fs::exists(stores.folder / "nowhere"));
  EXPECT_TRUE(Store::open(stores.folder / "service/"));
  // Only the last part of the path: what lies above belongs to the machine.
  fs::create_symlink(stores.folder / "", stores.folder / "above");
  EXPECT_TRUE(Store::open(stores.folder / "above/service"));
}

TEST(Store, refusesADamagedOrReplacedKey) {
  test::TwoStores stores;
  const std::string key = stores.folder / "service/key";
  auto bytes = test::contentOf(key);
  bytes[40] ^= 1;
  test::overwrite(key, bytes);
  EXPECT_THAT(Store::open(stores.folder / "service").error().message, HasSubstr("key is damaged"));
  bytes[8] = 9;
  test::overwrite(key, bytes);
  EXPECT_THAT(Store::open(stores.folder / "service").error().message, HasSubstr("a store of version 9"));
  fs::remove(key);
  fs::create_symlink(stores.folder / "client/key", key);
  EXPECT_FALSE(Store::open(stores.folder / "service"));
  fs::remove(key);
  fs::create_directory(key);
  EXPECT_FALSE(Store::open(stores.folder / "service"));
}

TEST(Store, poolsOfOtherBindingsAreApart) {
  test::TwoStores stores;
  stores.make(test::idOf(1, 0));
  EntryBinding other = stores.servicePool.binding();
  other.program[3] ^= 1;
  EXPECT_THAT(stores.service.existingPool(other).error().message, HasSubstr("--prepare N --store DIR"));
  other = stores.servicePool.binding();
  other.peer[3] ^= 1;
  EXPECT_FALSE(stores.service.existingPool(other));
  other = stores.servicePool.binding();
  other.party = 1;
  EXPECT_FALSE(stores.service.existingPool(other));
  EXPECT_TRUE(stores.service.existingPool(stores.servicePool.binding()));
}

} // namespace
} // namespace sd
