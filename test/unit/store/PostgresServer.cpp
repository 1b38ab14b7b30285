#include "test/unit/store/PostgresServer.h"

#include <sys/wait.h>
#include <unistd.h>

#include <libpq-fe.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "runtime/store/Postgres.h"

namespace sd::test {

namespace fs = std::filesystem;

namespace {

// The newest that is installed.
std::string programsFolder() {
  std::string best;
  const fs::path all = "/usr/lib/postgresql";
  if (!fs::is_directory(all)) return best;
  for (const auto &version : fs::directory_iterator(all))
    if (fs::exists(version.path() / "bin/initdb")) best = std::max(best, (version.path() / "bin").string());
  return best;
}

} // namespace

bool PostgresServer::call(const std::string &command) const {
  const std::string as = ::geteuid() == 0 ? "cd / && runuser -u postgres -- " : "";
  return std::system((as + command + " >>" + folder_ + "/calls.log 2>&1").c_str()) == 0;
}

PostgresServer *PostgresServer::shared() {
  static const std::unique_ptr<PostgresServer> server = start();
  return server.get();
}

std::unique_ptr<PostgresServer> PostgresServer::start(const std::string &settings) {
  std::unique_ptr<PostgresServer> server(new PostgresServer);
  server->programs_ = programsFolder();
  if (server->programs_.empty() || !checkPostgresUrl("postgresql://")) {
    std::fprintf(stderr, "NO POSTGRESQL: install postgresql-15 and libpq-dev; what needs a database IS NOT TESTED\n");
    return nullptr;
  }
  std::string name = "/tmp/sd-pg-XXXXXX"; // that the other user can reach, and short enough for a socket
  server->folder_ = ::mkdtemp(name.data());
  if (::geteuid() == 0 && std::system(("chown postgres " + server->folder_).c_str()) != 0) return nullptr;
  const std::string data = server->folder_ + "/data";
  if (!server->call(server->programs_ + "/initdb -D " + data + " -A trust -U postgres --no-sync -E UTF8 --locale=C")) {
    std::fprintf(stderr, "initdb failed: see %s/calls.log\n", server->folder_.c_str());
    return nullptr;
  }
  // Processes are killed, not the machine: what has been written to the system's cache stays.
  std::ofstream(data + "/postgresql.auto.conf", std::ios::app)
      << "listen_addresses = ''\nunix_socket_directories = '" << server->folder_
      << "'\nfsync = off\nmax_connections = 40\nshared_buffers = 16MB\nautovacuum = off\n"
      << settings << "\n";
  return server->run() ? std::move(server) : nullptr;
}

// A server that was killed may leave processes that have not quite ended.
bool PostgresServer::run() {
  for (int tries = 0; tries < 100 && !running_; ++tries) {
    running_ = call(programs_ + "/pg_ctl -D " + folder_ + "/data -w -t 60 -l " + folder_ + "/server.log start");
    if (!running_) ::usleep(100'000);
  }
  return running_;
}

PostgresServer::~PostgresServer() {
  if (running_) call(programs_ + "/pg_ctl -D " + folder_ + "/data -w -m immediate stop");
  if (!folder_.empty()) fs::remove_all(folder_);
}

std::string PostgresServer::url(const std::string &schema, const std::string &more) {
  sql("public", "CREATE SCHEMA IF NOT EXISTS " + schema);
  const bool user = more.find("user=") != std::string::npos;
  return "postgresql:///postgres?host=" + folder_ + (user ? "" : "&user=postgres") + "&options=-csearch_path%3D" +
         schema + more;
}

std::string PostgresServer::freshSchema() {
  static std::atomic<int> count{0};
  return "store" + std::to_string(++count) + "_" + std::to_string(::getpid());
}

std::string PostgresServer::sql(const std::string &schema, const std::string &statements) {
  const std::string where = "host=" + folder_ + " user=postgres dbname=postgres options='-csearch_path=" + schema +
                            " -cclient_min_messages=warning'";
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(where.c_str()), &PQfinish);
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection.get(), statements.c_str()), &PQclear);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) return PQerrorMessage(connection.get());
  std::string output;
  for (int row = 0; row < PQntuples(result.get()); ++row)
    for (int column = 0; column < PQnfields(result.get()); ++column)
      output += (column > 0 ? "|" : row > 0 ? "\n" : "") + std::string(PQgetvalue(result.get(), row, column));
  return output;
}

// The postmaster and its children, by their parent: no other server of this machine.
void PostgresServer::signal(const std::string &name) const {
  std::ifstream file(folder_ + "/data/postmaster.pid");
  std::string pid;
  std::getline(file, pid);
  const std::string children = "$(ps -o pid= --ppid " + pid + ")";
  (void)!std::system(("kill -" + name + " " + pid + " " + children + " 2>/dev/null").c_str());
}

void PostgresServer::kill9() {
  signal("KILL");
  running_ = false;
}
void PostgresServer::stopAll() { signal("STOP"); }
void PostgresServer::goOn() { signal("CONT"); }

} // namespace sd::test
