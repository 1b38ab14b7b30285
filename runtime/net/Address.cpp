#include "runtime/net/Address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace sd {

Expected<Address> parseAddress(std::string_view text) {
  const auto malformed = [&](std::string_view why) {
    return fail("'{}' is not an address: {}; write HOST:PORT, such as 127.0.0.1:7766 or [::1]:7766", text, why);
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return malformed("it has no port");
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.starts_with('[')) {
    in6_addr parsed;
    if (!host.ends_with(']')) return malformed("the bracket is not closed before the port");
    host = host.substr(1, host.size() - 2);
    const std::string literal(host.substr(0, host.find('%'))); // a zone, as in fe80::1%eth0, is resolved later
    if (inet_pton(AF_INET6, literal.c_str(), &parsed) != 1) return malformed("the brackets hold no IPv6 address");
  } else if (host.find(':') != std::string_view::npos) {
    return malformed("an IPv6 address needs brackets");
  }
  if (host.empty()) return malformed("it has no host");
  if (!std::all_of(host.begin(), host.end(), [](char c) { return c > ' ' && c < 0x7f; }))
    return malformed("the host has spaces or unusual characters");
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (port.empty() || error != std::errc() || end != port.data() + port.size())
    return malformed("the port is not a number from 0 to 65535");
  return Address{std::string(host), number};
}

std::string toString(const Address &address) {
  const bool bracketed = address.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", bracketed ? "[" : "", address.host, bracketed ? "]" : "", address.port);
}

bool isLoopback(const Address &address) {
  if (address.host == "localhost") return true;
  in_addr v4;
  if (inet_pton(AF_INET, address.host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6;
  if (inet_pton(AF_INET6, address.host.c_str(), &v6) != 1) return false;
  return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
}

Expected<void> checkPlaintextAllowed(const Address &address, bool allowPlaintext) {
  if (allowPlaintext || isLoopback(address)) return {};
  return fail(
      "plain TCP to {} would let the network read and alter everything; give --tls-cert, --tls-key and --tls-ca, "
      "or accept it with --allow-plaintext",
      toString(address));
}

} // namespace sd
