// In place of Postgres.cpp and Pg*.cpp, in builds without libpq.
#include "runtime/store/Postgres.h"

namespace sd {

Expected<void> checkPostgresUrl(const std::string &) {
  return fail("this build knows no databases: install libpq-dev and build anew, or use a folder as the store");
}

Expected<OpenedStore> openPostgresStore(const std::string &url, const std::string &, std::chrono::milliseconds, bool) {
  SD_TRY(checkPostgresUrl(url));
  return fail("no database");
}

} // namespace sd
