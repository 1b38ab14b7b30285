// Two independent parts of the offline phase at once, so that the round trips of the one hide in those of the other.
#pragma once

#include <mutex>
#include <thread>

#include "ir/core/Guard.h"
#include "runtime/net/Channel.h"
#include "runtime/offline/TwoPartyLayout.h"

namespace sd {

// Runs both and waits for both. The failure that comes first ends the session, so that the other part does not wait for
// its timeout, and is returned: that of the other part only tells that the session has ended.
template <class First, class Second>
Expected<void> runBoth(Connection &connection, First &&first, Second &&second) {
  std::mutex mutex;
  Expected<void> result;
  const auto run = [&](auto &&part) {
    Expected<void> done = guarded(part);
    if (done) return;
    {
      std::lock_guard lock(mutex);
      if (result) result = std::move(done);
    }
    connection.close(result.error().message);
  };
  std::thread other([&] { run(second); });
  run(first);
  other.join();
  return result;
}

// transfers() and linear(seeds) of one plan: at once, or, where linear layers take their transfers from the first, one
// after the other with what gather() makes of them.
template <class Transfers, class Gather, class Linear>
Expected<void> runTransfersAndLinear(Connection &connection, const TwoPartyLayout &layout, Transfers &&transfers,
                                     Gather &&gather, Linear &&linear) {
  if (layout.transfers.empty())
    return runBoth(
        connection, [&] { return linear({}); }, transfers);
  SD_TRY(transfers());
  SD_ASSIGN(auto seeds, gather());
  return linear(std::move(seeds));
}

} // namespace sd
