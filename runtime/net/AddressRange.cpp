#include "runtime/net/AddressRange.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace sd {

namespace {

using Bytes16 = std::array<std::uint8_t, 16>;
constexpr unsigned kMapped = 96; // bits before an IPv4 address in IPv6 form

std::optional<Bytes16> numberOf(const std::string &host) {
  Bytes16 bytes{};
  if (::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1) return bytes;
  bytes[10] = bytes[11] = 0xff;
  if (::inet_pton(AF_INET, host.c_str(), bytes.data() + kMapped / 8) == 1) return bytes;
  return std::nullopt;
}

} // namespace

Expected<AddressRange> AddressRange::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string host(text.substr(0, slash));
  const auto number = numberOf(host);
  if (!number) return fail("'{}' is no address or network (10.0.0.0/8)", text);
  const unsigned before = host.find(':') == std::string::npos ? kMapped : 0, most = 128 - before;
  unsigned bits = most;
  if (slash != std::string_view::npos) {
    const std::string_view given = text.substr(slash + 1);
    const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), bits);
    if (given.empty() || error != std::errc{} || end != given.data() + given.size() || bits > most)
      return fail("'{}': the network's length is from 0 to {}", text, most);
  }
  AddressRange range;
  range.network_ = *number, range.bits_ = before + bits;
  return range;
}

bool AddressRange::holds(const Address &address) const {
  const auto number = numberOf(address.host);
  if (!number) return false;
  for (unsigned bit = 0; bit < bits_; ++bit)
    if ((((*number)[bit / 8] ^ network_[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
  return true;
}

} // namespace sd
