// The offline phases to choose from, as factories for a session.
#pragma once

#include "runtime/vm/Session.h"

namespace sd {

ProviderFactory<ServiceProvider> twoPartyService();
ProviderFactory<ClientProvider> twoPartyClient();

} // namespace sd
