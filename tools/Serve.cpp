#include "tools/Serve.h"

#include <mutex>
#include <thread>

namespace sd {

Expected<void> serveSessions(Listener &listener, unsigned sessions,
                             const std::function<void(std::unique_ptr<Connection>)> &serve) {
  std::mutex accepting; // one thread at a time waits for a peer, and for the others' errors
  Expected<void> ended;
  const auto work = [&] {
    for (;;) {
      std::unique_lock lock(accepting);
      if (!ended) return;
      auto peer = listener.accept();
      if (!peer) {
        ended = tl::unexpected(peer.error());
        return;
      }
      lock.unlock();
      serve(std::move(*peer));
    }
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 0; i < sessions; ++i)
      threads.emplace_back(work);
  }
  return ended;
}

} // namespace sd
