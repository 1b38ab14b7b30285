// A real PostgreSQL server in a temporary folder, on a socket there and nowhere else. As root it runs as user postgres.
#pragma once

#include <memory>
#include <string>

#include "runtime/store/Store.h"

namespace sd::test {

class PostgresServer {
public:
  // One for the whole program; none if PostgreSQL is not installed, or this build knows no databases: said on stderr.
  static PostgresServer *shared();
  static std::unique_ptr<PostgresServer> start(const std::string &settings = "");
  ~PostgresServer();

  // A URL whose schema is made on the first call.
  std::string url(const std::string &schema, const std::string &more = "");
  std::string freshSchema(); // a name of its own
  std::string folder() const { return folder_; }

  // SQL as the superuser, in `schema`; what the last statement gives, with | between columns, or an error's message.
  std::string sql(const std::string &schema, const std::string &statements);

  void kill9();   // the whole server, as a power cut would
  bool run();     // after kill9()
  void stopAll(); // SIGSTOP to the server's processes
  void goOn();    // SIGCONT

private:
  PostgresServer() = default;
  bool call(const std::string &command) const; // as its user
  void signal(const std::string &name) const;
  std::string folder_, programs_;
  bool running_ = false;
};

} // namespace sd::test
