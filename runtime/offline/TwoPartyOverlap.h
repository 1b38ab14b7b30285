// Two independent parts of the offline phase at once, so that the round trips of the one hide in those of the other.
#pragma once

#include <string>
#include <thread>

#include "ir/core/Guard.h"
#include "runtime/net/Channel.h"

namespace sd {

// Runs both and waits for both. The first failure ends the session, so that the other does not wait for its timeout.
template <class First, class Second>
Expected<void> runBoth(Connection &connection, First &&first, Second &&second) {
  const auto run = [&connection](auto &&part) {
    Expected<void> done = guarded(part);
    if (!done) connection.close(done.error().message);
    return done;
  };
  Expected<void> ofSecond;
  std::thread other([&] { ofSecond = run(second); });
  Expected<void> ofFirst = run(first);
  other.join();
  return ofFirst ? ofSecond : ofFirst;
}

} // namespace sd
