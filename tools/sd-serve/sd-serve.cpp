// A service of several models for several hospitals, as a file says.
#include <CLI/CLI.hpp>

#include <fstream>
#include <unistd.h>

#include "ir/core/Guard.h"
#include "runtime/kernels/ThreadPool.h"
#include "runtime/net/Service.h"
#include "runtime/service/Desk.h"
#include "tools/Console.h"
#include "tools/MemoryLimit.h"
#include "tools/NetworkOptions.h"
#include "tools/sd-serve/Control.h"
#include "tools/sd-serve/ReadSettings.h"
#include "tools/sd-serve/Status.h"

namespace sd::service {
namespace {

constexpr std::string_view kTool = "sd-serve";

Expected<Settings> settingsOf(const std::string &path) {
  SD_ASSIGN(Settings settings, readSettings(path));
  const std::uint64_t most = memoryOfMachine();
  settings.memory = settings.memory == 0 ? most : std::min(settings.memory, most);
  return settings;
}

std::vector<std::string> filesOf(const Settings &settings, const std::string &path) {
  std::vector<std::string> files = {path, settings.tls.cert, settings.tls.key, settings.tls.ca, settings.tls.crl};
  for (const ModelSettings &model : settings.models)
    files.insert(files.end(), {model.program, model.weights});
  std::erase(files, "");
  return files;
}

double residentBytes() {
  std::ifstream file("/proc/self/statm");
  double whole = 0, resident = 0;
  file >> whole >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

Expected<EndpointOptions> endpointOf(const Settings &settings) {
  EndpointOptions endpoint;
  SD_ASSIGN(endpoint.address, parseAddress(settings.address));
  if (!settings.tls.cert.empty())
    endpoint.tls = settings.tls;
  else if (!isLoopback(endpoint.address))
    return fail(
        "address = \"{}\": without [tls] the network could read and alter everything; only this machine's loopback "
        "addresses do without",
        settings.address);
  endpoint.proxies = settings.proxies;
  endpoint.connection.timeout = settings.timeout;
  endpoint.connection.longest = settings.longest;
  endpoint.waitForPeer = std::chrono::milliseconds(0);
  endpoint.handshakeTimeout = std::min(endpoint.handshakeTimeout, settings.timeout);
  SD_ASSIGN(WakeUp cut, WakeUp::make());
  endpoint.connection.cut = std::make_shared<const WakeUp>(std::move(cut));
  return endpoint;
}

// The service while it runs.
class Server {
public:
  Server(std::string path, const Settings &settings, std::shared_ptr<const Roster> roster)
      : path_(std::move(path)), settings_(settings), log_([](std::string_view line) { sayLine(line); }, settings.json),
        pool_(settings.threads), admission_(roster->sessionBudget()), roster_(std::move(roster)) {}

  Expected<void> run(Control &control);

private:
  Expected<void> openAudit();
  Expected<std::unique_ptr<Status>> startStatus();
  std::string metrics();
  void reload(Listener &listener);
  Expected<void> tryReload(Listener &listener);
  void warn(std::string_view text) { log_.write(Level::Warning, "settings", {{"text", text}}); }

  const std::string path_;
  const Settings settings_; // as it was started; of later ones see the desk's roster
  EventLog log_;
  Metrics metrics_;
  Quotas quotas_;
  ThreadPool pool_;
  Admission admission_;
  std::unique_ptr<Audit> audit_;
  std::shared_ptr<const Roster> roster_; // until the desk has it
  std::unique_ptr<Desk> desk_;
  std::atomic<bool> ready_ = false;
  std::atomic<std::int64_t> expires_ = 0;
};

Expected<void> Server::openAudit() {
  if (settings_.audit.empty()) return {};
  QuotaHistory history(quotas_);
  SD_ASSIGN(audit_, Audit::open(settings_.audit, [&](const Fields &line) { history.read(line); }));
  history.finish();
  return {};
}

std::string Server::metrics() {
  metrics_.set("sdc_ready", {}, ready_ ? 1 : 0);
  metrics_.set("sdc_resident_bytes", {}, residentBytes());
  metrics_.set("sdc_admitted_bytes", {}, static_cast<double>(admission_.bytes()));
  if (expires_ != 0) metrics_.set("sdc_certificate_expiry_seconds", {}, static_cast<double>(expires_));
  for (const auto &[model, sessions] : admission_.sessions())
    metrics_.set("sdc_active_sessions", {{"model", model}}, sessions);
  return metrics_.text();
}

Expected<std::unique_ptr<Status>> Server::startStatus() {
  if (settings_.status.empty()) return nullptr;
  SD_ASSIGN(const Address address, parseAddress(settings_.status));
  SD_ASSIGN(std::unique_ptr<Status> status,
            Status::start({address, [this] { return metrics(); }, [this] { return ready_.load(); }}));
  log_.write(Level::Info, "status", {{"address", toString(status->address())}});
  return status;
}

Expected<void> Server::tryReload(Listener &listener) {
  SD_ASSIGN(const Settings settings, settingsOf(path_));
  SD_ASSIGN(std::shared_ptr<const Roster> roster,
            Roster::load(settings, desk_->roster().get(), [this](std::string_view text) { warn(text); }));
  if (settings.tls.cert.empty() != settings_.tls.cert.empty())
    return fail("TLS can't be turned on or off in a running service; restart it");
  if (!settings.tls.cert.empty()) {
    SD_ASSIGN(TlsContext tls, TlsContext::load(settings.tls));
    expires_ = tls.expires();
    listener.useTls(std::move(tls));
  }
  const auto fixed = [](const Settings &one) {
    return std::tuple(one.address, one.status, one.sessions, one.threads, one.timeout, one.longest, one.drain, one.json,
                      one.audit);
  };
  if (fixed(settings) != fixed(settings_))
    warn("address, status, [log], and of [limits] sessions, threads, timeout, session and drain change with a restart");
  admission_.setBudget(roster->sessionBudget());
  desk_->useRoster(std::move(roster));
  return {};
}

void Server::reload(Listener &listener) {
  const Expected<void> done = guarded([&] { return tryReload(listener); });
  metrics_.add("sdc_reloads_total", {{"outcome", done ? "done" : "refused"}});
  if (done)
    log_.write(Level::Info, "reload", {{"outcome", "done"}});
  else
    log_.write(Level::Error, "reload",
               {{"outcome", "refused, the settings before it remain"}, {"error", done.error().message}});
}

Expected<void> Server::run(Control &control) {
  SD_TRY(openAudit());
  SD_ASSIGN(EndpointOptions endpoint, endpointOf(settings_));
  endpoint.onRefused = [this](std::string_view why) {
    metrics_.add("sdc_refused_connections_total", {});
    log_.writeRarely("connection", {{"outcome", "refused"}, {"error", why}});
  };
  if (endpoint.tls) {
    SD_ASSIGN(const TlsContext tls, TlsContext::load(*endpoint.tls));
    expires_ = tls.expires();
  }
  const std::uint64_t descriptors = raiseDescriptorLimit();
  SD_ASSIGN(Listener listener, listen(endpoint));
  desk_ =
      std::make_unique<Desk>(DeskTools{pool_, log_, metrics_, quotas_, admission_, audit_.get()}, std::move(roster_));
  SD_ASSIGN(const std::unique_ptr<Status> status, startStatus());
  log_.write(Level::Info, "listening", {{"address", toString(listener.address())}, {"descriptors", descriptors}});
  control.obey({.stop =
                    [&] {
                      ready_ = false;
                      listener.stop();
                    },
                .reload = [&] { reload(listener); },
                .files = [&] { return filesOf(desk_->roster()->settings(), path_); }});
  ready_ = true;
  serveInTurn(listener, {.places = settings_.sessions,
                         .serve = [&](std::unique_ptr<Connection> peer) { desk_->serve(std::move(peer)); },
                         .log =
                             [&](std::string_view text) {
                               log_.write(Level::Info, "service", {{"text", text}});
                             },
                         .drain = settings_.drain,
                         .cut = endpoint.connection.cut});
  control.end();
  ready_ = false;
  log_.write(Level::Info, "stopped", {});
  return {};
}

Expected<void> run(const std::string &path, bool checkOnly) {
  SD_ASSIGN(const std::unique_ptr<Control> control, Control::start());
  SD_ASSIGN(const Settings settings, settingsOf(path));
  SD_ASSIGN(std::shared_ptr<const Roster> roster,
            Roster::load(settings, nullptr, [](std::string_view text) { say(kTool, text); }));
  if (checkOnly) {
    SD_ASSIGN(const EndpointOptions endpoint, endpointOf(settings));
    if (endpoint.tls) SD_TRY(TlsContext::load(*endpoint.tls));
    for (const auto &model : roster->models())
      writeOut(fmt::format("{}  {}\n", toHex(model->program().digest), model->settings().name));
    return {};
  }
  const auto server = std::make_unique<Server>(path, settings, std::move(roster));
  return server->run(*control);
}

} // namespace
} // namespace sd::service

int main(int argc, char **argv) {
  sd::prepareStreams();
  CLI::App app{"Serves several models to several hospitals, as a file in TOML says (docs/operating.md). SIGHUP or a "
               "changed file: reload; SIGTERM: drain and end.",
               "sd-serve"};
  std::string path;
  bool check = false;
  app.add_option("settings", path, "the file")->type_name("SERVICE.toml")->required();
  app.add_flag("--check", check, "only check the file and load the models; prints their digests");
  app.set_version_flag("--version", std::string("sd-serve ") + SD_VERSION);
  if (const auto code = sd::parseArguments(app, argc, argv)) return *code;
  return sd::runPrivately("sd-serve", [&] { return sd::service::run(path, check); });
}
