#include "runtime/net/Crowd.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <map>
#include <vector>

namespace sd {

std::string originOf(const Address &address) {
  in6_addr network{};
  if (inet_pton(AF_INET6, address.host.c_str(), &network) != 1) return address.host;
  if (IN6_IS_ADDR_V4MAPPED(&network)) return address.host.substr(address.host.rfind(':') + 1);
  std::memset(network.s6_addr + 8, 0, 8);
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(AF_INET6, &network, text, sizeof text);
  return std::string(text) + "/64";
}

std::size_t whoMustGo(std::span<const Newcomer> all, std::uint64_t random) {
  assert(!all.empty());
  std::map<std::string_view, std::size_t> counts;
  std::size_t most = 0;
  for (const Newcomer &one : all)
    most = std::max(most, ++counts[one.origin]);
  std::vector<std::size_t> candidates, withoutProgress;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (counts[all[i].origin] < most) continue;
    candidates.push_back(i);
    if (!all[i].progressed) withoutProgress.push_back(i);
  }
  const std::vector<std::size_t> &from = withoutProgress.empty() ? candidates : withoutProgress;
  return from[random % from.size()];
}

} // namespace sd
