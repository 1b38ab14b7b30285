// Where a party listens or connects to, and when plain TCP may be used there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "ir/core/Error.h"

namespace sd {

struct Address {
  std::string host = "127.0.0.1"; // a name, or an IPv4 or IPv6 address without brackets
  std::uint16_t port = 7766;      // 0, for a listener only: any free one
  bool operator==(const Address &) const = default;
};

// "HOST:PORT" or "[IPV6]:PORT".
Expected<Address> parseAddress(std::string_view text);

std::string toString(const Address &address); // what parseAddress() takes

// "localhost", 127.0.0.0/8, ::1; no other name, since who answers for it may change.
bool isLoopback(const Address &address);

// An error unless the address is this machine itself or the user accepts that the network can read and alter all.
Expected<void> checkPlaintextAllowed(const Address &address, bool allowPlaintext);

} // namespace sd
