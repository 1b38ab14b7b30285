#include "runtime/vm/Providers.h"

#include "runtime/offline/TwoParty.h"

namespace sd {

ProviderFactory<ServiceProvider> twoPartyService() {
  return [](const ProviderContext &context) -> Expected<std::unique_ptr<ServiceProvider>> {
    return std::make_unique<TwoPartyService>(TwoPartyOptions{context.peer, context.seed});
  };
}

ProviderFactory<ClientProvider> twoPartyClient() {
  return [](const ProviderContext &context) -> Expected<std::unique_ptr<ClientProvider>> {
    return std::make_unique<TwoPartyClient>(TwoPartyOptions{context.peer, context.seed});
  };
}

} // namespace sd
