#include "tools/NetworkOptions.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>

namespace sd {

namespace {

// Shares, masks and keys are in this process: a crash leaves none of them on the disk. The limit holds for files alone;
// what is not dumpable is not handed to a crash reporter either, nor to a debugger of the same user.
void forbidCoreDumps() {
  const rlimit none = {};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0);
}

} // namespace

void NetworkOptions::addTo(CLI::App &app, const std::string &tool) {
  tool_ = tool;
  app.set_version_flag("--version", tool + " " SD_VERSION);
  app.add_option("--tls-cert", tls.cert, "this side's certificate, PEM")->type_name("FILE")->check(notEmpty);
  app.add_option("--tls-key", tls.key, "its private key, PEM")->type_name("FILE")->check(notEmpty);
  app.add_option("--tls-ca", tls.ca, "who may have signed the peer's certificate, PEM")
      ->type_name("FILE")
      ->check(notEmpty);
  app.add_option("--tls-crl", tls.crl, "certificates that those have revoked, PEM")->type_name("FILE")->check(notEmpty);
  app.add_flag("--allow-plaintext", allowPlaintext, "plain TCP also beyond this machine: anyone may read it");
  app.add_option("--timeout", timeout, "seconds to wait for a peer, at the start and for each message")
      ->check(CLI::Range(0.1, 1e6))
      ->check([](const std::string &text) { // NaN is in every range
        return std::isnan(std::strtod(text.c_str(), nullptr)) ? "not a number" : std::string();
      })
      ->capture_default_str();
}

std::chrono::milliseconds NetworkOptions::wait() const {
  return std::chrono::milliseconds(static_cast<std::int64_t>(timeout * 1000));
}

Expected<EndpointOptions> NetworkOptions::endpoint(const std::string &to) const {
  EndpointOptions endpoint;
  SD_ASSIGN(endpoint.address, parseAddress(to));
  SD_ASSIGN(endpoint.tls, tlsFilesFromOptions(tls));
  endpoint.allowPlaintext = allowPlaintext;
  endpoint.connection.timeout = wait();
  endpoint.waitForPeer = wait();
  endpoint.handshakeTimeout = std::min(endpoint.handshakeTimeout, wait());
  endpoint.onRefused = [tool = tool_, log = std::make_shared<RareLog>()](std::string_view why) { log->say(tool, why); };
  return endpoint;
}

std::string notEmpty(const std::string &value) {
  return value.empty() ? "its value is empty; leave the option out, or check the variable that it comes from" : "";
}

int runPrivately(std::string_view tool, const std::function<Expected<void>()> &body) {
  forbidCoreDumps();
  return runTool(tool, body);
}

} // namespace sd
