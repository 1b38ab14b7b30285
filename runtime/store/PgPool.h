// One pool of a store in a database. It has a connection to itself: as long as that lives, what it works on is held.
#pragma once

#include <functional>
#include <mutex>

#include "runtime/store/Backend.h"
#include "runtime/store/PgConnection.h"

namespace sd {

// Given back to whoever lent it.
using PgLoan = std::unique_ptr<PgConnection, std::function<void(PgConnection *)>>;

std::shared_ptr<PoolBackend> makePgPool(PgLoan connection, std::string pool);

} // namespace sd
