// Both ends of a TCP connection within this process.
#pragma once

#include <future>

#include "runtime/net/Connect.h"
#include "runtime/vm/Local.h"

namespace sd {

inline Expected<ConnectionPair> loopbackPair() {
  EndpointOptions options;
  options.address.port = 0;
  SD_ASSIGN(Listener listener, listen(options));
  options.address = listener.address();
  auto accepted = std::async(std::launch::async, [&] { return listener.accept(); });
  SD_ASSIGN(std::unique_ptr<Connection> client, connect(options));
  SD_ASSIGN(std::unique_ptr<Connection> service, accepted.get());
  return ConnectionPair{std::move(service), std::move(client)};
}

} // namespace sd
