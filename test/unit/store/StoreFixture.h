// A store of each party, in a temporary folder or in a database, and a plan whose inferences are small.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "runtime/store/Store.h"
#include "test/unit/protocol/ProtocolFixture.h"
#include "test/unit/store/PostgresServer.h"

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

// Where stores are, and what a test does to them behind their backs.
struct InFolder {
  static bool isMissing() { return false; }
  TemporaryFolder folder;

  StorePlace place(const std::string &side) { return folder / side; }
  std::string fileOf(const std::string &side, const EntryBinding &pool, const EntryId &id) {
    return folder / side + "/" + poolName(pool) + "/" + toString(id) + ".ready";
  }
  // A ready entry's bytes.
  std::vector<std::uint8_t> read(const std::string &side, const EntryBinding &pool, const EntryId &id) {
    return contentOf(fileOf(side, pool, id));
  }
  // Makes a ready entry of these bytes, in the place of what is there.
  void write(const std::string &side, const EntryBinding &pool, const EntryId &id,
             std::span<const std::uint8_t> bytes) {
    const std::string file = fileOf(side, pool, id);
    overwrite(file, bytes);
    std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
  // How many entries are in a state: p written, r ready, t taken.
  std::size_t count(const std::string &side, char state) {
    return filesIn(folder / side, state == 'p' ? ".part" : state == 'r' ? ".ready" : ".taken").size();
  }
};

struct InDatabase {
  static bool isMissing() { return PostgresServer::shared() == nullptr; }
  TemporaryFolder keys;
  std::map<std::string, std::string> schemas;

  StorePlace place(const std::string &side) {
    if (!schemas.contains(side)) schemas[side] = PostgresServer::shared()->freshSchema();
    return {PostgresServer::shared()->url(schemas[side]), keys / (side + ".key")};
  }
  std::string sql(const std::string &side, const std::string &text) {
    return PostgresServer::shared()->sql(schemas.at(side), text);
  }
  std::vector<std::uint8_t> read(const std::string &side, const EntryBinding &pool, const EntryId &id) {
    const std::string hex = sql(
        side, fmt::format("SELECT string_agg(encode(data, 'hex'), '' ORDER BY at) FROM sd_chunk JOIN sd_entry USING "
                          "(entry) WHERE pool = '{}' AND id = '{}'",
                          poolName(pool), toString(id)));
    std::vector<std::uint8_t> bytes(hex.size() / 2);
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = static_cast<std::uint8_t>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
    return bytes;
  }
  void write(const std::string &side, const EntryBinding &pool, const EntryId &id,
             std::span<const std::uint8_t> bytes) {
    const std::string name = toString(id), where = poolName(pool);
    EXPECT_EQ(
        sql(side, fmt::format("DELETE FROM sd_spent WHERE pool = '{0}' AND id = '{1}'; "
                              "DELETE FROM sd_entry WHERE pool = '{0}' AND id = '{1}'; "
                              "WITH made AS (INSERT INTO sd_entry (pool, id, state, bytes) VALUES ('{0}', '{1}', "
                              "'r', {2}) RETURNING entry) INSERT INTO sd_chunk SELECT entry, 0, '\\x{3:02x}' FROM made",
                              where, name, bytes.size(), fmt::join(bytes, ""))),
        "");
  }
  std::size_t count(const std::string &side, char state) {
    return std::stoul(sql(side, fmt::format("SELECT count(*) FROM sd_entry WHERE state = '{}'", state)));
  }
};

// The two parties' stores, and their pools of one program.
template <RingWord R, class Where = InFolder>
struct StoresOf : Where {
  Plan plan = smallPlan<R>();
  Digest program{7};
  Store service, client;
  Pool servicePool, clientPool;

  StoresOf()
      : service(opened("service")), client(opened("client")), servicePool(*service.pool({program, 0, client.id()})),
        clientPool(*client.pool({program, 1, service.id()})) {}
  Store opened(const std::string &side) {
    auto store = Store::openOrCreate(this->place(side));
    EXPECT_TRUE(store) << (store ? "" : store.error().message);
    return *std::move(store);
  }

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
