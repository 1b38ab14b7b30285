// The offline phases to choose from, as factories for a session.
#pragma once

#include "runtime/he/WeightTransforms.h"
#include "runtime/offline/Dealer.h"
#include "runtime/vm/Session.h"

namespace sd {

// For sessions of one program and its weights. Its providers share transforms of the weights, of at most so many bytes,
// which the factory's copies own.
template <RingWord R>
ProviderFactory<ServiceProvider<R>> twoPartyService(std::uint64_t transformBytes = WeightTransforms::kDefaultBudget);
template <RingWord R>
ProviderFactory<ClientProvider<R>> twoPartyClient();

// All arguments outlive the session.
template <RingWord R>
ProviderFactory<ServiceProvider<R>> dealerService();
template <RingWord R>
ProviderFactory<ClientProvider<R>> dealerClient(const Program &program, ThreadPool &pool);

// For the dealer itself.
DealerOptions dealerOptions(std::chrono::milliseconds waitForPartner);

} // namespace sd
