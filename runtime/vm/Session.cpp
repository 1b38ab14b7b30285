#include "runtime/vm/Session.h"

#include <new>
#include <stdexcept>

#include "runtime/vm/MaskWalk.h"
#include "runtime/vm/OnlineRun.h"

namespace sd {

namespace {

// Traffic of the connections and time, from one mark to the next.
class Meter {
public:
  Meter(const Connection &peer, const Connection *dealer) : peer_(peer), dealer_(dealer), last_(now()) {}

  void add(PhaseStats &phase) {
    phase.seconds += watch_.lap();
    const Traffic traffic = now();
    phase.traffic += traffic - last_;
    last_ = traffic;
  }
  void addRecord(PhaseStats &phase) {
    const double before = std::exchange(phase.seconds, 0);
    add(phase);
    phase.recordSeconds.push_back(phase.seconds);
    phase.seconds += before;
  }
  Traffic now() const {
    Traffic traffic = peer_.traffic();
    if (dealer_) traffic += dealer_->traffic();
    return traffic;
  }

private:
  const Connection &peer_;
  const Connection *dealer_;
  Traffic last_;
  Stopwatch watch_;
};

// What was spent since the op before is the op's.
class OpMeter {
public:
  OpMeter(const Meter &meter, std::vector<OpStats> &ops) : meter_(meter), ops_(ops), last_(meter.now()) {}

  void add(std::uint32_t instruction) {
    const Traffic traffic = meter_.now(), spent = traffic - last_;
    ops_[instruction].seconds += watch_.lap();
    ops_[instruction].bytesSent += spent.bytesSent;
    ops_[instruction].bytesReceived += spent.bytesReceived;
    last_ = traffic;
  }

private:
  const Meter &meter_;
  std::vector<OpStats> &ops_;
  Traffic last_;
  Stopwatch watch_;
};

// What both parties do alike.
class Session {
public:
  Session(Connection &peer, const SessionOptions &options, Plan plan)
      : peer_(peer), options_(options), program_(options.program.program), plan_(std::move(plan)),
        index_(program_, plan_), meter_(peer, options.dealer) {
    for (PhaseStats *phase : {&stats_.setup, &stats_.offline, &stats_.online})
      phase->ops.resize(program_.instructions.size());
  }

  Expected<SessionStats> serve(const WeightSet &weights, const ProviderFactory<ServiceProvider> &makeProvider);
  Expected<ClientResult> consult(std::span<const NamedTensors> records,
                                 const ProviderFactory<ClientProvider> &makeProvider);

private:
  Expected<HandshakeResult> begin(int party, std::uint64_t records);
  Expected<void> finish();
  OfflineJob job(std::uint64_t record) const {
    return {program_, plan_, options_.seed.derive(fmt::format("offline phase of record {}", record)), &options_.pool};
  }
  ProviderContext providerContext(const SessionId &session) {
    return {peer_, session, options_.seed.derive("offline provider")};
  }
  OnlineContext online() const { return {program_, plan_, index_, options_.pool}; }
  Channel &control() { return peer_.stream(kSessionStream); }

  Connection &peer_;
  const SessionOptions &options_;
  const Program &program_;
  const Plan plan_;
  const ProgramIndex index_;
  Meter meter_;
  SessionStats stats_;
};

Expected<HandshakeResult> Session::begin(int party, std::uint64_t records) {
  stats_.party = party, stats_.records = records;
  Prg nonce(options_.seed.derive("handshake nonce"));
  return shakeHands(control(),
                    {.party = party, .program = options_.program.digest, .mode = options_.mode, .records = records},
                    nonce);
}

Expected<void> Session::finish() {
  SD_TRY(meet(control(), kDoneTag));
  meter_.add(stats_.setup);
  return {};
}

Expected<SessionStats> Session::serve(const WeightSet &weights, const ProviderFactory<ServiceProvider> &makeProvider) {
  SD_ASSIGN(const HandshakeResult agreed, begin(0, 0));
  stats_.records = agreed.records;
  SD_ASSIGN(const std::unique_ptr<ServiceProvider> provider, makeProvider(providerContext(agreed.session)));
  meter_.add(stats_.setup);
  for (std::uint64_t record = 0; record < agreed.records; ++record) {
    ServiceBundle bundle(plan_);
    OpMeter ops(meter_, stats_.offline.ops);
    const auto keep = [&](std::size_t entry, ServiceMaterial material) -> Expected<void> {
      SD_TRY(bundle.put(entry, std::move(material)));
      ops.add(plan_.entries[entry].instruction);
      return {};
    };
    SD_TRY(provider->prepare(job(record), weights, keep));
    SD_TRY(meet(control(), kReadyTag));
    meter_.addRecord(stats_.offline);
    SD_TRY(runServiceOnline(online(), weights, bundle, peer_.stream(kOnlineStream), stats_.online.ops));
    meter_.addRecord(stats_.online);
  }
  SD_TRY(finish());
  return std::move(stats_);
}

Expected<ClientResult> Session::consult(std::span<const NamedTensors> records,
                                        const ProviderFactory<ClientProvider> &makeProvider) {
  SD_ASSIGN(const HandshakeResult agreed, begin(1, records.size()));
  SD_ASSIGN(const std::unique_ptr<ClientProvider> provider, makeProvider(providerContext(agreed.session)));
  meter_.add(stats_.setup);
  ClientResult result;
  for (std::uint64_t record = 0; record < records.size(); ++record) {
    SD_ASSIGN(ClearPart clear, ClearPart::prepare(program_, records[record]));
    ClientBundle bundle(plan_);
    {
      ProgramMaskWalk walk(program_, plan_, options_.pool);
      OpMeter ops(meter_, stats_.offline.ops);
      const auto keep = [&](std::size_t entry, ClientMaterial material) -> Expected<void> {
        SD_TRY(bundle.put(entry, std::move(material)));
        ops.add(plan_.entries[entry].instruction);
        return {};
      };
      SD_TRY(provider->prepare(job(record), walk, keep));
    }
    SD_TRY(meet(control(), kReadyTag));
    meter_.addRecord(stats_.offline);
    SD_TRY(runClientOnline(online(), clear, bundle, peer_.stream(kOnlineStream), stats_.online.ops));
    meter_.addRecord(stats_.online);
    SD_ASSIGN(std::vector<Tensor<float>> outputs, clear.finish());
    result.outputs.push_back(std::move(outputs));
  }
  SD_TRY(finish());
  result.stats = std::move(stats_);
  return result;
}

// Runs `body` on a new session; no exception leaves, and the peer learns of an error.
template <class T, class Body>
Expected<T> guarded(Connection &peer, const SessionOptions &options, const Body &body) {
  Expected<T> result = [&]() -> Expected<T> {
    try {
      SD_ASSIGN(Plan plan, makePlan(options.program.program));
      Session session(peer, options, std::move(plan));
      return body(session);
    } catch (const std::bad_alloc &) {
      return fail("there is not enough memory for this program");
    } catch (const std::length_error &) {
      return fail("there is not enough memory for this program");
    }
  }();
  if (!result) peer.close(result.error().message);
  return result;
}

} // namespace

Expected<void> checkRecords(const Program &program, std::span<const NamedTensors> records) {
  for (std::size_t i = 0; i < records.size(); ++i)
    if (auto checked = ClearPart::prepare(program, records[i]); !checked)
      return records.size() == 1 ? fail("{}", checked.error().message)
                                 : fail("record {}: {}", i + 1, checked.error().message);
  return {};
}

Expected<SessionStats> runService(Connection &peer, const SessionOptions &options, const WeightSet &weights,
                                  const ProviderFactory<ServiceProvider> &makeProvider) {
  return guarded<SessionStats>(peer, options, [&](Session &session) { return session.serve(weights, makeProvider); });
}

Expected<ClientResult> runClient(Connection &peer, const SessionOptions &options, std::span<const NamedTensors> records,
                                 const ProviderFactory<ClientProvider> &makeProvider) {
  if (auto checked = checkRecords(options.program.program, records); !checked) {
    peer.close("the other side's input was refused"); // why is not the peer's business
    return tl::unexpected(checked.error());
  }
  return guarded<ClientResult>(peer, options, [&](Session &session) { return session.consult(records, makeProvider); });
}

} // namespace sd
