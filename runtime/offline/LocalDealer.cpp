#include "runtime/offline/LocalDealer.h"

#include "runtime/net/MemoryChannel.h"

namespace sd {
namespace {

// What goes wrong is told to the parties by the connection's end.
void serveQuietly(Dealer &dealer, std::unique_ptr<Connection> party) {
  static_cast<void>(dealer.serve(std::move(party)));
}

} // namespace

LocalDealer::LocalDealer(DealerOptions options, ThreadPool &pool) : dealer_(std::move(options), pool) {
  auto [service, serviceAtDealer] = makeMemoryConnections();
  auto [client, clientAtDealer] = makeMemoryConnections();
  service_ = std::move(service);
  client_ = std::move(client);
  serviceThread_ =
      std::thread([this, end = std::move(serviceAtDealer)]() mutable { serveQuietly(dealer_, std::move(end)); });
  clientThread_ =
      std::thread([this, end = std::move(clientAtDealer)]() mutable { serveQuietly(dealer_, std::move(end)); });
}

LocalDealer::~LocalDealer() {
  service_->close("the session is over");
  client_->close("the session is over");
  serviceThread_.join();
  clientThread_.join();
}

} // namespace sd
