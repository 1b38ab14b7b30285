#include "runtime/store/Inventory.h"

#include <algorithm>
#include <iterator>
#include <limits>

namespace sd {

namespace {

struct Run {
  std::uint32_t first = 0, count = 0;
};

// The runs of one session's entries.
std::vector<Run> runsOf(std::span<const EntryId> entries) {
  std::vector<Run> runs;
  for (const EntryId &id : entries)
    if (!runs.empty() && runs.back().first + runs.back().count == id.index)
      ++runs.back().count;
    else
      runs.push_back({id.index, 1});
  return runs;
}

Expected<void> readRuns(ByteReader &reader, const std::array<std::uint8_t, 16> &session, Inventory &entries) {
  SD_ASSIGN(const std::uint32_t runs, reader.getCount(kMaxInventory, 8, "a session's runs"));
  if (runs == 0) return fail("the peer's list of stored inferences has a session without any");
  std::uint64_t next = 0;
  for (std::uint32_t i = 0; i < runs; ++i) {
    SD_ASSIGN(const auto first, reader.get<std::uint32_t>("a run"));
    SD_ASSIGN(const auto count, reader.get<std::uint32_t>("a run"));
    const std::uint64_t end = std::uint64_t{first} + count;
    if (count == 0 || first < next || end > std::uint64_t{std::numeric_limits<std::uint32_t>::max()} + 1)
      return fail("the peer's list of stored inferences is out of order");
    if (count > kMaxInventory - entries.size())
      return fail("the peer's list holds more than {} stored inferences", kMaxInventory);
    for (std::uint64_t index = first; index < end; ++index)
      entries.push_back({session, static_cast<std::uint32_t>(index)});
    next = end;
  }
  return {};
}

} // namespace

std::vector<std::uint8_t> encodeInventory(const Inventory &entries) {
  ByteWriter body;
  std::uint32_t sessions = 0;
  for (auto begin = entries.begin(); begin != entries.end(); ++sessions) {
    const auto end =
        std::find_if(begin, entries.end(), [&](const EntryId &id) { return id.session != begin->session; });
    const std::vector<Run> runs = runsOf({begin, end});
    body.putBytes(begin->session);
    body.put(static_cast<std::uint32_t>(runs.size()));
    for (const Run &run : runs)
      body.put(run.first), body.put(run.count);
    begin = end;
  }
  ByteWriter writer;
  writer.put(sessions);
  writer.putBytes(body.bytes());
  return writer.take();
}

Expected<Inventory> decodeInventory(Bytes bytes) {
  ByteReader reader(bytes);
  Inventory entries;
  SD_ASSIGN(const std::uint32_t sessions, reader.getCount(kMaxInventory, 20, "the list of stored inferences"));
  for (std::uint32_t i = 0; i < sessions; ++i) {
    std::array<std::uint8_t, 16> session;
    SD_ASSIGN(const Bytes id, reader.take(session.size(), "a session's name"));
    std::ranges::copy(id, session.begin());
    if (!entries.empty() && !(entries.back().session < session))
      return fail("the peer's list of stored inferences is out of order");
    SD_TRY(readRuns(reader, session, entries));
  }
  SD_TRY(reader.end("the list of stored inferences"));
  return entries;
}

Inventory without(const Inventory &from, const Inventory &what) {
  Inventory rest;
  std::ranges::set_difference(from, what, std::back_inserter(rest));
  return rest;
}

Inventory inBoth(const Inventory &a, const Inventory &b) {
  Inventory both;
  std::ranges::set_intersection(a, b, std::back_inserter(both));
  return both;
}

} // namespace sd
