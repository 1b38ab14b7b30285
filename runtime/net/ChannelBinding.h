// What binds a session to the TLS connection that carries it.
#pragma once

#include <vector>

#include "runtime/net/Channel.h"

namespace sd {

// 32 secret bytes that only the two ends of this very TLS connection know, equal at both (RFC 9266, by TLS 1.3's
// exporter); none if the connection is not TLS: plain TCP, memory.
Expected<std::vector<std::uint8_t>> channelBinding(Connection &connection);

} // namespace sd
