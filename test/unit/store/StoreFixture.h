// A temporary folder with a store of each party, and a plan whose inferences are small.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "runtime/store/Store.h"
#include "test/unit/protocol/ProtocolFixture.h"

namespace sd::test {

class TemporaryFolder {
public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "sd-store-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string &name) const { return (path_ / name).string(); }

private:
  std::filesystem::path path_;
};

inline std::vector<std::filesystem::path> filesIn(const std::string &folder, const std::string &suffix) {
  std::vector<std::filesystem::path> found;
  for (const auto &file : std::filesystem::recursive_directory_iterator(folder))
    if (file.is_regular_file() && file.path().string().ends_with(suffix)) found.push_back(file.path());
  std::ranges::sort(found);
  return found;
}

inline std::vector<std::uint8_t> contentOf(const std::filesystem::path &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void overwrite(const std::filesystem::path &path, std::span<const std::uint8_t> bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char *>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

inline EntryId idOf(std::uint8_t session, std::uint32_t index) {
  EntryId id;
  id.session.fill(session), id.index = index;
  return id;
}

// An input, a linear op, a ReLU and an output of three elements.
template <RingWord R>
Plan smallPlan() {
  return planOf<R>({entryOf(EntryKind::Input, 3), entryOf(EntryKind::Linear, 3),
                    entryOf(EntryKind::Compare, 3, standardShape(10, 30)), entryOf(EntryKind::Output, 3)});
}

// The two parties' stores, and their pools of one program.
template <RingWord R>
struct StoresOf {
  TemporaryFolder folder;
  Plan plan = smallPlan<R>();
  Digest program{7};
  Store service, client;
  Pool servicePool, clientPool;

  StoresOf()
      : service(*Store::openOrCreate(folder / "service")), client(*Store::openOrCreate(folder / "client")),
        servicePool(*service.pool({program, 0, client.id()})), clientPool(*client.pool({program, 1, service.id()})) {}

  // Material of inference `seed`, as dealt.
  template <class Put>
  void deal(std::uint64_t seed, const Put &put) const {
    for (std::size_t i = 0; i < plan.entries.size(); ++i)
      put(i, test::deal<R>(plan.entries[i], {std::vector<R>(3, 5)}, seed * 100 + i));
  }
  EntryWriter written(const Pool &pool, const EntryId &id) const {
    auto writer = pool.create(id, plan);
    EXPECT_TRUE(writer) << (writer ? "" : writer.error().message);
    deal(id.index, [&](std::size_t i, const Dealt<R> &dealt) {
      if (pool.binding().party == 0) {
        EXPECT_TRUE(writer->put(i, dealt.service));
      } else if (plan.entries[i].kind != EntryKind::Linear) {
        EXPECT_TRUE(writer->put(i, dealt.client));
      }
    });
    EXPECT_TRUE(writer->finish());
    return std::move(*writer);
  }
  void make(const EntryId &id, bool inService = true, bool inClient = true) const {
    EXPECT_TRUE(!inService || written(servicePool, id).commit());
    EXPECT_TRUE(!inClient || written(clientPool, id).commit());
  }
};

using TwoStores = StoresOf<Ring32>;

} // namespace sd::test
