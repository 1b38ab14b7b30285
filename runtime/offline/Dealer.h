// The trusted dealer: a third machine that colludes with neither party. It sees the program and every mask, but neither
// the model's weights nor an input (DealerMessages.h has the chart).
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>

#include "runtime/offline/DealerMessages.h"
#include "runtime/offline/Provider.h"

namespace sd {

// The local ops of a program, which belong to the machine's layer above. The program, plan and pool outlive them.
template <RingWord R>
struct DealerOps {
  std::function<std::unique_ptr<MaskWalk<R>>(const Program &, const Plan &, ThreadPool &)> makeWalk;
  std::function<std::unique_ptr<LinearMaps<R>>(const Program &, const Plan &, ThreadPool &)> makeMaps;
};

struct DealerOptions {
  std::tuple<DealerOps<Ring32>, DealerOps<Ring64>> ops; // of programs of either ring
  std::chrono::milliseconds waitForPartner{60'000};     // that the second party of a session may take to come
  std::size_t maxWaiting = 64;                          // parties that may wait for their partners at one time
  // A session's program that needs more memory than this is refused: the matrices' masks, which are kept, and what
  // dealing one inference takes.
  std::uint64_t sessionBytes = 4'000'000'000;
};

class Dealer {
public:
  // The pool outlives the dealer.
  Dealer(DealerOptions options, ThreadPool &pool);
  Dealer(const Dealer &) = delete;
  Dealer &operator=(const Dealer &) = delete;

  // Serves one party's connection; blocks, so each connection needs a thread. The first party of a session waits for
  // the second, whose thread then serves both until one hangs up between two inferences, which is a session's end.
  // Until then they may take as long as they like from one inference to the next. An error has been told to the
  // parties, as far as they can still be reached; other sessions go on.
  Expected<void> serve(std::unique_ptr<Connection> party);

private:
  struct Guest {
    DealerHello hello;
    std::unique_ptr<Connection> connection;
  };
  Expected<Guest> welcome(std::unique_ptr<Connection> party);
  Expected<std::unique_ptr<Connection>> findPartner(Guest &guest);
  Expected<void> serveSession(const Digest &program, Connection &service, Connection &client);
  template <RingWord R>
  struct Session;
  template <RingWord R>
  Expected<void> dealAll(Session<R> session, const Seed &matrixSeed);
  template <RingWord R>
  static Expected<bool> awaitDraws(Session<R> &session);
  template <RingWord R>
  Expected<bool> dealOnce(Session<R> &session);
  template <RingWord R>
  Expected<void> dealEntries(Session<R> &session, const Seed &serviceSeed, const Seed &clientSeed);

  DealerOptions options_;
  ThreadPool &pool_;
  std::mutex mutex_; // guards waiting_
  std::condition_variable taken_;
  std::map<DealerSession, Guest *> waiting_;
};

} // namespace sd
