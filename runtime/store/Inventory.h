// A sorted set of entries, and its form on the wire: for each session, runs of indexes. What is prepared together is
// used in order, so that a store of thousands is a few runs.
#pragma once

#include <span>
#include <vector>

#include "runtime/store/EntryFormat.h"

namespace sd {

using Inventory = std::vector<EntryId>; // ascending, each once

inline constexpr std::size_t kMaxInventoryBytes = std::size_t{1} << 24;
inline constexpr std::size_t kMaxInventory = std::size_t{1} << 20; // entries

// u32 sessions; each: 16 bytes, u32 runs; each run: u32 first, u32 count.
std::vector<std::uint8_t> encodeInventory(const Inventory &entries);
Expected<Inventory> decodeInventory(Bytes bytes);

Inventory without(const Inventory &from, const Inventory &what);
Inventory inBoth(const Inventory &a, const Inventory &b);

} // namespace sd
