// The dealer: makes correlations for pairs of parties that ask for it, many sessions at a time.

#include <CLI/CLI.hpp>
#include <thread>

#include "runtime/net/Connect.h"
#include "runtime/offline/Dealer.h"
#include "runtime/vm/MaskWalk.h"

namespace sd {
namespace {

struct Options {
  std::string address = "127.0.0.1:7767";
  TlsFiles tls;
  bool allowPlaintext = false;
  double timeout = 300;
  unsigned threads = 0;
};

std::variant<Options, int> parse(int argc, char **argv) {
  Options options;
  CLI::App app{"A third machine that prepares runs between a service and a hospital (sd-run --preprocess "
               "dealer=HOST:PORT). It learns neither the model nor the record, as long as it works with neither side.",
               "sd-deal"};
  app.add_option("--address", options.address, "where to listen")->type_name("HOST:PORT")->capture_default_str();
  app.add_option("--tls-cert", options.tls.cert, "this side's certificate, PEM")->type_name("FILE");
  app.add_option("--tls-key", options.tls.key, "its private key, PEM")->type_name("FILE");
  app.add_option("--tls-ca", options.tls.ca, "who may have signed the parties' certificates, PEM")->type_name("FILE");
  app.add_flag("--allow-plaintext", options.allowPlaintext, "plain TCP also beyond this machine: anyone may read it");
  app.add_option("--timeout", options.timeout, "seconds that a party may be silent, or wait for the other party")
      ->check(CLI::Range(0.1, 1e6))
      ->capture_default_str();
  app.add_option("--threads", options.threads, "threads; default: one a core")->check(CLI::Range(1, 1024));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  return options;
}

// What the threads of the connections share.
struct Server {
  ThreadPool pool;
  Dealer dealer;
  Server(const Options &options, std::chrono::milliseconds timeout)
      : pool(options.threads), dealer(dealerOptions(timeout), pool) {}

  static DealerOptions dealerOptions(std::chrono::milliseconds timeout) {
    DealerOptions options;
    options.makeWalk = [](const Program &program, const Plan &plan, ThreadPool &pool) -> std::unique_ptr<MaskWalk> {
      return std::make_unique<ProgramMaskWalk>(program, plan, pool);
    };
    options.makeMaps = [](const Program &program, const Plan &plan, ThreadPool &pool) -> std::unique_ptr<LinearMaps> {
      return std::make_unique<ProgramLinearMaps>(program, plan, pool);
    };
    options.waitForPartner = timeout;
    return options;
  }
};

Expected<void> run(const Options &options) {
  const std::chrono::milliseconds timeout(static_cast<std::int64_t>(options.timeout * 1000));
  EndpointOptions endpoint;
  SD_ASSIGN(endpoint.address, parseAddress(options.address));
  SD_ASSIGN(endpoint.tls, tlsFilesFromOptions(options.tls));
  endpoint.allowPlaintext = options.allowPlaintext;
  endpoint.connection.timeout = timeout;
  endpoint.waitForPeer = std::chrono::milliseconds(0);
  endpoint.onRefused = [](std::string_view why) { fmt::print(stderr, "sd-deal: {}\n", why); };
  SD_ASSIGN(Listener listener, listen(endpoint));
  fmt::print(stderr, "sd-deal: listening on {}\n", toString(listener.address()));
  const auto server = std::make_shared<Server>(options, timeout);
  for (;;) {
    SD_ASSIGN(std::unique_ptr<Connection> party, listener.accept());
    std::thread([server, party = std::move(party)]() mutable {
      const std::string name = party->peerName();
      if (auto served = server->dealer.serve(std::move(party)); !served)
        fmt::print(stderr, "sd-deal: {}: {}\n", name, served.error().message);
    }).detach();
  }
}

} // namespace
} // namespace sd

int main(int argc, char **argv) {
  const auto options = sd::parse(argc, argv);
  if (const int *code = std::get_if<int>(&options)) return *code;
  if (auto ran = sd::run(std::get<sd::Options>(options)); !ran) {
    fmt::print(stderr, "sd-deal: {}\n", ran.error().message);
    return 1;
  }
  return 0;
}
