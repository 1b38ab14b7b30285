// The offline phases to choose from, as factories for a session.
#pragma once

#include "runtime/offline/Dealer.h"
#include "runtime/vm/Session.h"

namespace sd {

ProviderFactory<ServiceProvider> twoPartyService();
ProviderFactory<ClientProvider> twoPartyClient();

// `dealer` is this party's connection to it. All arguments outlive the session.
ProviderFactory<ServiceProvider> dealerService(Connection &dealer);
ProviderFactory<ClientProvider> dealerClient(Connection &dealer, const Program &program, ThreadPool &pool);

// For the dealer itself.
DealerOptions dealerOptions(std::chrono::milliseconds waitForPartner);

} // namespace sd
