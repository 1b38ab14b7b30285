// A link of a given round trip and bandwidth, simulated in user space: for benchmarks on one machine.
#pragma once

#include <chrono>
#include <memory>

#include "runtime/net/Channel.h"

namespace sd {

struct LinkProfile {
  std::chrono::microseconds roundTrip{0};
  double bytesPerSecond = 0; // each way; 0: unlimited
};

// Delays what `inner` sends: a message of n bytes with its header leaves n / bytesPerSecond after the one before it
// and arrives half a round trip later. Wrap both ends for both directions. Errors are those of `inner`; a failure to
// send shows at a later send(). close() and the destructor wait for what is on its way, at most 10 s.
std::unique_ptr<Connection> shape(std::unique_ptr<Connection> inner, const LinkProfile &link);

} // namespace sd
