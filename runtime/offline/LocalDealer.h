// A dealer in this process, over memory connections: for `--local` and for tests.
#pragma once

#include <thread>

#include "runtime/offline/Dealer.h"

namespace sd {

class LocalDealer {
public:
  // The pool outlives the dealer.
  LocalDealer(DealerOptions options, ThreadPool &pool);
  ~LocalDealer(); // hangs up for both parties

  // The parties' ends; each for one party's thread.
  Connection &service() { return *service_; }
  Connection &client() { return *client_; }

private:
  Dealer dealer_;
  std::unique_ptr<Connection> service_, client_;
  std::thread serviceThread_, clientThread_;
};

} // namespace sd
