// Who has to go where more connections want to begin than there is room for.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "runtime/net/Address.h"

namespace sd {

// What counts as one: an IPv4 address, or the 2^64 addresses of an IPv6 network, of which anyone at all has one.
std::string originOf(const Address &address);

// A connection whose peer is not known yet.
struct Newcomer {
  std::string_view origin;
  bool progressed = false; // what it has sent so far was as it must be
};

// The index of the one to go, at random (`random`: 64 uniform bits): of the origin that has the most; of its, one that
// has not progressed if there is such. So who fills the room pushes out himself, and if he comes from everywhere each
// has the same chance to stay. There is at least one.
std::size_t whoMustGo(std::span<const Newcomer> all, std::uint64_t random);

} // namespace sd
