// A set of addresses: "10.0.0.0/8", "2001:db8::/32", or one address.
#pragma once

#include <array>
#include <optional>

#include "runtime/net/Address.h"

namespace sd {

class AddressRange {
public:
  static Expected<AddressRange> parse(std::string_view text);
  // By the host, which is a number. IPv4 addresses in IPv6 form are IPv4 addresses.
  bool holds(const Address &address) const;

private:
  std::array<std::uint8_t, 16> network_{};
  unsigned bits_ = 128; // that count
};

} // namespace sd
