#include "runtime/service/Desk.h"

#include "ir/core/Guard.h"
#include "runtime/net/ChannelBinding.h"
#include "runtime/vm/Fetch.h"

namespace sd::service {
namespace {

std::string_view nameOf(Purpose purpose) {
  switch (purpose) {
  case Purpose::Fresh:
    return "fresh";
  case Purpose::Prepare:
    return "prepare";
  case Purpose::Stored:
    return "stored";
  case Purpose::Fetch:
    break;
  }
  return "fetch";
}

std::string nameOf(ErrorKind kind) {
  switch (kind) {
  case ErrorKind::Resources:
    return "resources";
  case ErrorKind::Network:
    return "network";
  case ErrorKind::Refused:
    return "refused";
  default:
    return "other";
  }
}

} // namespace

// What is known of a connection so far.
struct Desk::Visit {
  std::string session;
  std::unique_ptr<Connection> peer;
  std::shared_ptr<const Roster> roster;
  std::optional<PeerCertificate> certificate;
  const HospitalSettings *hospital = nullptr;
  std::shared_ptr<const Model> model;
  std::vector<std::uint8_t> heard;
  Purpose purpose = Purpose::Fresh;
  std::uint64_t announced = 0;
  bool begun = false; // not refused
  std::atomic<std::uint64_t> offline = 0;
  SessionStats stats;
  Stopwatch watch;

  std::uint64_t offlineAnnounced() const {
    return purpose == Purpose::Stored || purpose == Purpose::Fetch ? 0 : announced;
  }
};

Desk::Desk(const DeskTools &tools, std::shared_ptr<const Roster> roster)
    : tools_(tools),
      name_(fmt::format("{:x}", std::chrono::system_clock::now().time_since_epoch() / std::chrono::milliseconds(1))),
      roster_(std::move(roster)) {}

void Desk::useRoster(std::shared_ptr<const Roster> roster) {
  const std::lock_guard lock(mutex_);
  roster_.swap(roster);
}

std::shared_ptr<const Roster> Desk::roster() const {
  const std::lock_guard lock(mutex_);
  return roster_;
}

void Desk::serve(std::unique_ptr<Connection> peer) {
  Visit visit;
  visit.session = fmt::format("{}-{}", name_, ++count_);
  visit.peer = std::move(peer);
  visit.roster = roster();
  const Expected<void> done = guarded([&] { return attend(visit); });
  if (!done) visit.peer->close(done.error().here ? "the service has a problem of its own" : done.error().message);
  conclude(visit, done);
}

Expected<void> Desk::identify(Visit &visit) {
  visit.certificate = peerCertificate(*visit.peer);
  visit.hospital = visit.roster->hospital(visit.certificate);
  if (visit.hospital) return {};
  if (!visit.certificate) return fail(ErrorKind::Refused, "the service knows nobody without a certificate");
  return fail(ErrorKind::Refused, "the service does not know your certificate ({}); ask its operator to add it",
              visit.certificate->subject);
}

Expected<void> Desk::attend(Visit &visit) {
  SD_TRY(identify(visit));
  SD_ASSIGN(visit.heard, receiveHello(visit.peer->stream(kSessionStream)));
  SD_ASSIGN(const std::vector<std::uint8_t> binding, channelBinding(*visit.peer));
  SD_ASSIGN(const Hello hello, decodeHello(visit.heard, binding));
  if (hello.party != 1 || hello.purpose > static_cast<std::uint8_t>(Purpose::Fetch))
    return fail(ErrorKind::Refused,
                "the service does not know what is asked for; install the same release on both sides");
  visit.purpose = static_cast<Purpose>(hello.purpose);
  visit.announced = hello.records;
  if (visit.purpose == Purpose::Fetch) {
    SD_ASSIGN(const Quotas::Visit one, tools_.quotas.visit(*visit.hospital, 0));
    return give(visit, hello.program);
  }
  visit.model = visit.roster->model(*visit.hospital, hello.program);
  if (!visit.model)
    return fail(
        ErrorKind::Refused,
        "the service has no program of digest {:.16}... for this hospital; it may have a newer one: fetch it with "
        "--model into a new file",
        toHex(hello.program));
  const ModelSettings &model = visit.model->settings();
  if (visit.purpose != Purpose::Fresh && !visit.model->store())
    return fail(ErrorKind::Refused, "the service prepares nothing for model '{}'; run without --store", model.name);
  if (visit.purpose == Purpose::Fresh && !model.fresh)
    return fail(ErrorKind::Refused,
                "the service serves model '{}' from prepared inferences alone; prepare some, and run with --store",
                model.name);
  const std::uint64_t most = visit.roster->settings().records;
  if (visit.purpose == Purpose::Prepare)
    visit.announced = std::min(visit.announced, model.prepare);
  else if (visit.announced > most)
    return fail(ErrorKind::Refused,
                "the service takes at most {} records in a session of this model, and {} were "
                "announced",
                most, visit.announced);
  // What is prepared may be less than the hospital asks for.
  const bool isPreparing = visit.purpose == Purpose::Prepare;
  SD_ASSIGN(Quotas::Visit quota, tools_.quotas.visit(*visit.hospital, isPreparing ? 1 : visit.offlineAnnounced()));
  if (isPreparing) visit.announced = std::min(visit.announced, quota.left());
  const CorrelationSource source =
      visit.purpose == Purpose::Stored ? CorrelationSource::Store : CorrelationSource::TwoParty;
  SD_ASSIGN(const Admission::Room room,
            tools_.admission.enter({model.name, model.sessions, visit.model->sessionBytes(source)},
                                   visit.roster->settings().patience));
  return runSession(visit, quota);
}

Expected<void> Desk::give(Visit &visit, const Digest &name) {
  visit.model = visit.roster->modelNamed(*visit.hospital, name);
  if (!visit.model) return fail(ErrorKind::Refused, "the service has no model of that name for this hospital");
  SD_TRY(audit(visit, "begin", ""));
  visit.begun = true;
  return giveProgram(*visit.peer, visit.model->file());
}

Expected<void> Desk::runSession(Visit &visit, Quotas::Visit &quota) {
  SD_ASSIGN(const Seed seed, Seed::fresh());
  SD_TRY(audit(visit, "begin", ""));
  visit.begun = true;
  SessionOptions options{visit.model->program(), tools_.pool, PreprocessMode::TwoParty, seed};
  options.store = {visit.purpose, visit.purpose == Purpose::Fresh ? nullptr : visit.model->store(), visit.announced,
                   visit.model->settings().keep};
  options.store.log = [&](std::string_view text) {
    tools_.log.write(Level::Warning, "store", {{"session", visit.session}, {"text", text}});
  };
  options.heard = visit.heard;
  options.beforeOffline = [&]() -> Expected<void> {
    SD_TRY(quota.take());
    ++visit.offline;
    tools_.metrics.add("sdc_offline_phases_total",
                       {{"hospital", visit.hospital->name}, {"model", visit.model->settings().name}});
    return {};
  };
  SD_ASSIGN(visit.stats, visit.model->serve(*visit.peer, options));
  return {};
}

Expected<void> Desk::audit(const Visit &visit, std::string_view event, std::string_view outcome) {
  if (tools_.audit == nullptr) return {};
  Fields line = {{"time", toRfc3339(std::chrono::system_clock::now())},
                 {"event", event},
                 {"session", visit.session},
                 {"hospital", visit.hospital ? visit.hospital->name : ""},
                 {"certificate", visit.certificate ? visit.certificate->fingerprint : "none"},
                 {"peer", visit.peer->peerName()},
                 {"model", visit.model ? visit.model->settings().name : ""},
                 {"purpose", nameOf(visit.purpose)},
                 {"announced", visit.announced}};
  if (visit.model) {
    line["program"] = toHex(visit.model->program().digest);
    line["weights"] = toHex(visit.model->weights());
  }
  line["offline"] = event == "begin" ? visit.offlineAnnounced() : visit.offline.load();
  if (!outcome.empty()) {
    line["records"] = visit.stats.records;
    line["outcome"] = outcome;
  }
  auto written = tools_.audit->append(line);
  if (!written) tools_.log.write(Level::Error, "audit", {{"error", written.error().message}});
  return written;
}

void Desk::conclude(const Visit &visit, const Expected<void> &done) {
  const std::string outcome = done ? "served" : visit.begun ? "failed" : "refused";
  const std::string hospital = visit.hospital ? visit.hospital->name : "unknown";
  const std::string model = visit.model ? visit.model->settings().name : "none";
  const double seconds = Stopwatch(visit.watch).lap();
  Fields fields = {{"session", visit.session}, {"peer", visit.peer->peerName()}, {"hospital", hospital}};
  if (visit.certificate) fields["subject"] = visit.certificate->subject;
  fields["model"] = model;
  if (visit.model) fields["program"] = toHex(visit.model->program().digest).substr(0, 16);
  fields.update({{"purpose", nameOf(visit.purpose)}, {"outcome", outcome}, {"records", visit.stats.records}});
  fields["offline"] = visit.offline.load();
  fields["seconds"] = std::round(seconds * 1e6) / 1e6;
  if (!done) fields["error"] = done.error().message;
  // Strangers are many.
  if (visit.hospital)
    tools_.log.write(done ? Level::Info : Level::Warning, "session", fields);
  else
    tools_.log.writeRarely("session", fields);
  if (visit.begun) static_cast<void>(audit(visit, "end", outcome));

  Metrics &metrics = tools_.metrics;
  metrics.add("sdc_sessions_total", {{"hospital", hospital}, {"model", model}, {"outcome", outcome}});
  if (!done) metrics.add("sdc_errors_total", {{"kind", nameOf(done.error().kind)}});
  const Traffic traffic = visit.peer->traffic();
  metrics.add("sdc_bytes_total", {{"direction", "sent"}}, static_cast<double>(traffic.bytesSent));
  metrics.add("sdc_bytes_total", {{"direction", "received"}}, static_cast<double>(traffic.bytesReceived));
  if (!done || visit.purpose == Purpose::Fetch) return;
  metrics.add("sdc_records_total", {{"hospital", hospital}, {"model", model}},
              static_cast<double>(visit.stats.records));
  metrics.observe("sdc_session_seconds", {{"model", model}, {"phase", "whole"}}, seconds);
  metrics.observe("sdc_session_seconds", {{"model", model}, {"phase", "offline"}}, visit.stats.offline.seconds);
  metrics.observe("sdc_session_seconds", {{"model", model}, {"phase", "online"}}, visit.stats.online.seconds);
}

void QuotaHistory::read(const Fields &line) {
  const std::string event = line.value("event", ""), session = line.value("session", "");
  const std::string hospital = line.value("hospital", ""), day = line.value("time", "").substr(0, 10);
  const std::uint64_t offline = line.value("offline", std::uint64_t{0});
  if (event == "begin") {
    open_[session] = {hospital, day, offline};
    return;
  }
  if (event != "end") return;
  open_.erase(session);
  quotas_.restore(hospital, day, offline);
}

void QuotaHistory::finish() {
  for (const auto &[session, one] : open_)
    quotas_.restore(one.hospital, one.day, one.announced);
  open_.clear();
}

} // namespace sd::service
