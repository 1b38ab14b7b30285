// The dealer: a third machine that both parties trust not to collude with the other one.
#include <CLI/CLI.hpp>

#include "runtime/kernels/ThreadPool.h"
#include "runtime/vm/Providers.h"
#include "tools/NetworkOptions.h"
#include "tools/Serve.h"

namespace sd {

namespace {

constexpr unsigned kMaxConnections = 256; // at one time

void serveParty(Dealer &dealer, std::unique_ptr<Connection> party) {
  const std::string name = party->peerName();
  if (auto served = dealer.serve(std::move(party)); !served)
    sayWithoutWaiting("sd-deal", fmt::format("{}: {}", name, served.error().message));
}

Expected<void> deal(const NetworkOptions &network, unsigned threads, std::uint64_t sessionMegabytes) {
  SD_ASSIGN(EndpointOptions endpoint, network.endpoint(network.address));
  endpoint.waitForPeer = std::chrono::milliseconds(0);
  SD_ASSIGN(Listener listener, listen(endpoint));
  say("sd-deal", fmt::format("listening on {}", toString(listener.address())));
  ThreadPool pool(threads);
  DealerOptions options = dealerOptions(network.wait());
  options.sessionBytes = sessionMegabytes * 1'000'000;
  Dealer dealer(std::move(options), pool);
  serveSessions("sd-deal", listener,
                {.places = kMaxConnections,
                 .serve = [&](std::unique_ptr<Connection> party) { serveParty(dealer, std::move(party)); },
                 .log = {}});
  return {};
}

} // namespace
} // namespace sd

int main(int argc, char **argv) {
  sd::prepareStreams();
  CLI::App app{"Deals correlations to the two parties of sd-run. It must collude with neither: it sees the program and "
               "all masks, but neither the weights nor a record.",
               "sd-deal"};
  sd::NetworkOptions network;
  unsigned threads = 0;
  std::uint64_t sessionMemory = sd::DealerOptions{}.sessionBytes / 1'000'000;
  app.add_option("--address", network.address, "where to listen")
      ->type_name("HOST:PORT")
      ->default_val("127.0.0.1:7767");
  app.add_option("--threads", threads, "threads; default: one a core")->check(CLI::Range(1, 1024));
  app.add_option("--session-memory", sessionMemory, "memory that the program of one session may need")
      ->type_name("MB")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  network.addTo(app, "sd-deal");
  if (const auto code = sd::parseArguments(app, argc, argv)) return *code;
  return sd::runPrivately("sd-deal", [&] { return sd::deal(network, threads, sessionMemory); });
}
