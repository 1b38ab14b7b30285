#include "runtime/vm/Session.h"

#include <cassert>

#include "ir/bytecode/ProgramCost.h"
#include "ir/core/Guard.h"
#include "runtime/net/ChannelBinding.h"
#include "runtime/vm/MaskWalk.h"
#include "runtime/vm/Meter.h"
#include "runtime/vm/OnlineRun.h"

namespace sd {

namespace {

// Of the OT extension and the sessions' own messages.
constexpr std::size_t kUnreadBeside = std::size_t{64} << 20;

void tellPeer(Connection &peer, const Error &error) {
  peer.close(error.here ? "the other side has a problem with its own files" : error.message);
}

// What both parties do alike.
template <RingWord R>
class Session {
public:
  Session(Connection &peer, const SessionOptions &options, Plan plan)
      : peer_(peer), options_(options), program_(options.program.program), plan_(std::move(plan)),
        index_(program_, plan_), meter_(peer) {
    for (PhaseStats *phase : {&stats_.setup, &stats_.offline, &stats_.online})
      phase->ops.resize(program_.instructions.size());
  }

  Expected<SessionStats> serve(const WeightSet<R> &weights, const ProviderFactory<ServiceProvider<R>> &makeProvider);
  Expected<ClientResult> consult(std::span<const NamedTensors> records,
                                 const ProviderFactory<ClientProvider<R>> &makeProvider);

private:
  Expected<HandshakeResult> begin(int party, std::uint64_t records);
  Expected<std::uint64_t> lacking(const HandshakeResult &agreed);
  Expected<void> agreeOnCount(HandshakeResult &agreed);
  Expected<void> finish();
  // Before any was used.
  tl::unexpected<Error> withoutInferences(const Error &error) {
    const bool said = error.kind == ErrorKind::Refused || error.kind == ErrorKind::Input;
    if (options_.store.tooFew && said) *options_.store.tooFew = true;
    return tl::unexpected(error);
  }
  Expected<void> mayPrepare() { return options_.beforeOffline ? options_.beforeOffline() : Expected<void>(); }
  Expected<void> serveFresh(ServiceProvider<R> &provider, const WeightSet<R> &weights);
  Expected<void> serveStored(const StoreId &peer, const WeightSet<R> &weights);
  Expected<void> prepareAsService(const HandshakeResult &agreed, ServiceProvider<R> &provider,
                                  const WeightSet<R> &weights);
  Expected<void> consultFresh(std::span<const NamedTensors> records, ClientProvider<R> &provider, ClientResult &result);
  Expected<void> consultStored(std::span<const NamedTensors> records, const StoreId &peer, ClientResult &result);
  Expected<void> prepareAsClient(const HandshakeResult &agreed, ClientProvider<R> &provider);
  Expected<void> consultOnline(ClearPart &clear, ClientBundle<R> &bundle, ClientResult &result);

  OfflineJob job(std::uint64_t record) const {
    return {program_, plan_, options_.seed.derive(fmt::format("offline phase of record {}", record)), &options_.pool};
  }
  Expected<ProviderContext> providerContext(const SessionId &session) {
    ProviderContext context{peer_, session, options_.seed.derive("offline provider")};
    if (options_.mode == PreprocessMode::Dealer) {
      SD_ASSIGN(context.dealer, options_.dealer());
      meter_.alsoCount(*context.dealer);
      SD_TRY(meet(control(), kReadyTag)); // or hears that the other one has no dealer
    }
    return context;
  }
  OnlineContext online() const { return {program_, plan_, index_, options_.pool, onStep_}; }
  void tellOffline(std::size_t done) const {
    if (options_.progress) options_.progress({false, done, plan_.entries.size()});
  }
  Channel &control() { return peer_.stream(kSessionStream); }
  EntryBinding binding(const StoreId &peer) const { return {madeFor_, stats_.party, peer}; }

  // Gives each piece of material to `put` and its cost to its op.
  template <class Material, class Put>
  Sink<Material> metered(OpMeter &ops, const Put &put) {
    return [&](std::size_t entry, Material material) -> Expected<void> {
      SD_TRY(put(entry, std::move(material)));
      ops.add(plan_.entries[entry].instruction);
      return {};
    };
  }

  // What is said of stored inferences, and noted of them.
  StoreReport report() {
    return {[this](std::string_view text) {
              if (options_.store.log) options_.store.log(text);
            },
            [this](const EntryId &id) { note("using", id); }};
  }
  void note(std::string_view what, const EntryId &id) {
    stats_.stored.push_back(toString(id));
    if (options_.store.trace) options_.store.trace(fmt::format("{} stored inference {}", what, toString(id)));
  }

  Connection &peer_;
  const SessionOptions &options_;
  const Program &program_;
  const Plan plan_;
  const ProgramIndex index_;
  const std::function<void(std::size_t, std::size_t)> onStep_ =
      options_.progress ? [this](std::size_t done, std::size_t all) { options_.progress({true, done, all}); }
                        : std::function<void(std::size_t, std::size_t)>();
  Meter meter_;
  SessionStats stats_;
  std::uint64_t ready_ = 0;                  // ClientResult
  Digest madeFor_ = options_.program.digest; // EntryBinding::program
};

template <RingWord R>
Expected<HandshakeResult> Session<R>::begin(int party, std::uint64_t records) {
  stats_.party = party;
  const StoreUse &use = options_.store;
  Prg nonce(options_.seed.derive("handshake nonce"));
  SD_ASSIGN(std::vector<std::uint8_t> binding, channelBinding(peer_));
  SD_ASSIGN(HandshakeResult agreed, shakeHands(control(),
                                               {.party = party,
                                                .program = options_.program.digest,
                                                .mode = options_.mode,
                                                .records = use.purpose == Purpose::Prepare ? use.inferences : records,
                                                .purpose = use.purpose,
                                                .store = use.store ? use.store->id() : StoreId{},
                                                .channelBinding = std::move(binding),
                                                .mostRecords = options_.mostRecords,
                                                .heard = options_.heard},
                                               nonce));
  stats_.records = agreed.records;
  if (options_.mode == PreprocessMode::TwoParty) {
    SD_ASSIGN(const ProgramCost cost, costOf(program_));
    // The parties meet() after each inference, so a peer is ahead by one at most.
    const int sender = 1 - party;
    peer_.limitUnread(kUnreadBeside + 2 * (cost.offline.bytes[sender] + cost.onlineBytes[sender]));
  }
  return agreed;
}

// How many this side would prepare.
template <RingWord R>
Expected<std::uint64_t> Session<R>::lacking(const HandshakeResult &agreed) {
  const StoreUse &use = options_.store;
  if (use.keep == 0) return agreed.records;
  SD_ASSIGN(const Pool pool, use.store->pool(binding(agreed.peerStore)));
  SD_ASSIGN(const Pool::Contents contents, pool.contents());
  ready_ = contents.ready.size();
  return ready_ >= use.keep ? 0 : std::min(agreed.records, use.keep - ready_);
}

// P1 -> P0 how many it would prepare, P0 -> P1 how many it will be.
template <RingWord R>
Expected<void> Session<R>::agreeOnCount(HandshakeResult &agreed) {
  SD_ASSIGN(std::uint64_t count, lacking(agreed));
  const auto send = [&] {
    ByteWriter writer;
    writer.put(count);
    return control().send(kCountTag, writer.take());
  };
  if (stats_.party == 1) SD_TRY(send());
  std::array<std::uint8_t, 8> bytes{};
  SD_TRY(control().receive(kCountTag, bytes));
  SD_ASSIGN(const std::uint64_t theirs, ByteReader(bytes).get<std::uint64_t>("the number to prepare"));
  if (theirs > (stats_.party == 1 ? count : agreed.records))
    return fail("the peer wants to prepare {} inferences, more than were agreed on", theirs);
  count = std::min(count, theirs);
  if (stats_.party == 0) SD_TRY(send());
  agreed.records = stats_.records = count;
  return {};
}

template <RingWord R>
Expected<void> Session<R>::finish() {
  SD_TRY(meet(control(), kDoneTag));
  meter_.add(stats_.setup);
  return {};
}

template <RingWord R>
Expected<SessionStats> Session<R>::serve(const WeightSet<R> &weights,
                                         const ProviderFactory<ServiceProvider<R>> &makeProvider) {
  if (options_.store.purpose != Purpose::Fresh) madeFor_ = digestOf(weights);
  SD_ASSIGN(HandshakeResult agreed, begin(0, 0));
  if (options_.store.purpose == Purpose::Stored) {
    SD_TRY(serveStored(agreed.peerStore, weights));
    return std::move(stats_);
  }
  if (options_.store.purpose == Purpose::Prepare) {
    SD_TRY(agreeOnCount(agreed));
    if (agreed.records == 0) {
      SD_TRY(finish());
      return std::move(stats_);
    }
  }
  SD_ASSIGN(const ProviderContext context, providerContext(agreed.session));
  SD_ASSIGN(const std::unique_ptr<ServiceProvider<R>> provider, makeProvider(context));
  meter_.add(stats_.setup);
  SD_TRY(options_.store.purpose == Purpose::Prepare ? prepareAsService(agreed, *provider, weights)
                                                    : serveFresh(*provider, weights));
  return std::move(stats_);
}

template <RingWord R>
Expected<void> Session<R>::serveFresh(ServiceProvider<R> &provider, const WeightSet<R> &weights) {
  for (std::uint64_t record = 0; record < stats_.records; ++record) {
    SD_TRY(mayPrepare());
    ServiceBundle<R> bundle(plan_);
    OpMeter ops(meter_, stats_.offline.ops);
    const auto put = [&](std::size_t entry, ServiceMaterial<R> material) {
      return bundle.put(entry, std::move(material));
    };
    SD_TRY(provider.prepare(job(record), weights, metered<ServiceMaterial<R>>(ops, put)));
    SD_TRY(meet(control(), kReadyTag));
    meter_.addRecord(stats_.offline);
    SD_TRY(runServiceOnline(online(), weights, bundle, peer_.stream(kOnlineStream), stats_.online.ops));
    meter_.addRecord(stats_.online);
  }
  return finish();
}

template <RingWord R>
Expected<void> Session<R>::serveStored(const StoreId &peer, const WeightSet<R> &weights) {
  const StoreReport told = report();
  SD_ASSIGN(Pool pool, options_.store.store->existingPool(binding(peer)));
  StoredBundles<ServiceMaterial<R>> stored(std::move(pool), plan_, control(), told);
  SD_TRY(stored.compare(stats_.records));
  meter_.add(stats_.setup);
  for (std::uint64_t record = 0; record < stats_.records; ++record) {
    SD_ASSIGN(ServiceBundle<R> bundle, stored.next());
    meter_.addRecord(stats_.offline);
    SD_TRY(runServiceOnline(online(), weights, bundle, peer_.stream(kOnlineStream), stats_.online.ops));
    meter_.addRecord(stats_.online);
  }
  return finish();
}

template <RingWord R>
Expected<void> Session<R>::prepareAsService(const HandshakeResult &agreed, ServiceProvider<R> &provider,
                                            const WeightSet<R> &weights) {
  SD_ASSIGN(const Pool pool, options_.store.store->pool(binding(agreed.peerStore)));
  std::optional<EntryWriter> previous;
  for (std::uint32_t index = 0; index < agreed.records; ++index) {
    SD_TRY(mayPrepare());
    const EntryId id{agreed.session, index};
    OpMeter ops(meter_, stats_.offline.ops);
    SD_ASSIGN(EntryWriter writer, pool.create(id, plan_));
    const auto put = [&](std::size_t entry, const ServiceMaterial<R> &material) { return writer.put(entry, material); };
    SD_TRY(provider.prepare(job(index), weights, metered<ServiceMaterial<R>>(ops, put)));
    SD_TRY(writer.finish());
    SD_TRY(commitService(control(), std::move(writer), previous));
    note("made", id);
    meter_.addRecord(stats_.offline);
  }
  return finish(); // P1 has made its last one usable, too
}

template <RingWord R>
Expected<ClientResult> Session<R>::consult(std::span<const NamedTensors> records,
                                           const ProviderFactory<ClientProvider<R>> &makeProvider) {
  SD_ASSIGN(HandshakeResult agreed, begin(1, records.size()));
  ClientResult result;
  const auto all = [&]() -> Expected<void> {
    if (options_.store.purpose == Purpose::Stored) return consultStored(records, agreed.peerStore, result);
    if (options_.store.purpose == Purpose::Prepare) {
      SD_TRY(agreeOnCount(agreed));
      result.ready = ready_;
      if (agreed.records == 0) return finish();
    }
    SD_ASSIGN(const ProviderContext context, providerContext(agreed.session));
    SD_ASSIGN(const std::unique_ptr<ClientProvider<R>> provider, makeProvider(context));
    meter_.add(stats_.setup);
    return options_.store.purpose == Purpose::Prepare ? prepareAsClient(agreed, *provider)
                                                      : consultFresh(records, *provider, result);
  };
  if (const auto done = guarded(all); !done) {
    if (result.finished == 0) return tl::unexpected(done.error());
    // What has been opened is the hospital's. If that is all, it misses nothing.
    if (result.finished < records.size()) result.failure = done.error();
    stats_.records = result.finished;
    tellPeer(peer_, done.error());
  }
  result.stats = std::move(stats_);
  return result;
}

template <RingWord R>
Expected<void> Session<R>::consultOnline(ClearPart &clear, ClientBundle<R> &bundle, ClientResult &result) {
  SD_TRY(runClientOnline(online(), clear, bundle, peer_.stream(kOnlineStream), stats_.online.ops));
  meter_.addRecord(stats_.online);
  SD_ASSIGN(std::vector<Tensor<float>> outputs, clear.finish());
  if (options_.results) {
    SD_TRY(options_.results(std::move(outputs)));
  } else {
    result.outputs.push_back(std::move(outputs));
  }
  ++result.finished;
  return {};
}

template <RingWord R>
Expected<void> Session<R>::consultFresh(std::span<const NamedTensors> records, ClientProvider<R> &provider,
                                        ClientResult &result) {
  for (std::uint64_t record = 0; record < records.size(); ++record) {
    SD_ASSIGN(ClearPart clear, ClearPart::prepare(program_, records[record]));
    ClientBundle<R> bundle(plan_);
    {
      ProgramMaskWalk<R> walk(program_, plan_, options_.pool);
      OpMeter ops(meter_, stats_.offline.ops);
      std::size_t done = 0;
      const auto put = [&](std::size_t entry, ClientMaterial<R> material) {
        tellOffline(++done);
        return bundle.put(entry, std::move(material));
      };
      tellOffline(0);
      SD_TRY(provider.prepare(job(record), walk, metered<ClientMaterial<R>>(ops, put)));
    }
    SD_TRY(meet(control(), kReadyTag));
    meter_.addRecord(stats_.offline);
    SD_TRY(consultOnline(clear, bundle, result));
  }
  return finish();
}

template <RingWord R>
Expected<void> Session<R>::consultStored(std::span<const NamedTensors> records, const StoreId &peer,
                                         ClientResult &result) {
  const StoreReport told = report();
  auto pool = options_.store.store->existingPool(binding(peer));
  if (!pool) return withoutInferences(pool.error());
  StoredBundles<ClientMaterial<R>> stored(*std::move(pool), plan_, control(), told);
  if (const auto compared = stored.compare(records.size()); !compared) return withoutInferences(compared.error());
  meter_.add(stats_.setup);
  for (const NamedTensors &record : records) {
    SD_ASSIGN(ClearPart clear, ClearPart::prepare(program_, record));
    SD_ASSIGN(ClientBundle<R> bundle, stored.next());
    meter_.addRecord(stats_.offline);
    SD_TRY(consultOnline(clear, bundle, result));
  }
  return finish();
}

template <RingWord R>
Expected<void> Session<R>::prepareAsClient(const HandshakeResult &agreed, ClientProvider<R> &provider) {
  SD_ASSIGN(const Pool pool, options_.store.store->pool(binding(agreed.peerStore)));
  for (std::uint32_t index = 0; index < agreed.records; ++index) {
    const EntryId id{agreed.session, index};
    OpMeter ops(meter_, stats_.offline.ops);
    SD_ASSIGN(EntryWriter writer, pool.create(id, plan_));
    {
      ProgramMaskWalk<R> walk(program_, plan_, options_.pool);
      const auto put = [&](std::size_t entry, const ClientMaterial<R> &material) {
        return writer.put(entry, material);
      };
      SD_TRY(provider.prepare(job(index), walk, metered<ClientMaterial<R>>(ops, put)));
    }
    SD_TRY(writer.finish());
    SD_TRY(commitClient(control(), std::move(writer)));
    note("made", id);
    meter_.addRecord(stats_.offline);
  }
  return finish();
}

// Runs `body` on a new session; no exception leaves, and the peer learns of an error.
template <RingWord R, class T, class Body>
Expected<T> inSession(Connection &peer, const SessionOptions &options, const Body &body) {
  Expected<T> result = guarded([&]() -> Expected<T> {
    assert(options.program.program.ringBits == kBitsOf<R>);
    SD_ASSIGN(Plan plan, makePlan(options.program.program));
    Session<R> session(peer, options, std::move(plan));
    return body(session);
  });
  if (!result) tellPeer(peer, result.error());
  return result;
}

} // namespace

Expected<void> checkRecords(const Program &program, std::span<const NamedTensors> records) {
  return checkEach(records, [&](const NamedTensors &record) -> Expected<void> {
    if (auto part = ClearPart::prepare(program, record); !part) return tl::unexpected(part.error());
    return {};
  });
}

template <RingWord R>
Expected<SessionStats> runService(Connection &peer, const SessionOptions &options, const WeightSet<R> &weights,
                                  const ProviderFactory<ServiceProvider<R>> &makeProvider) {
  return inSession<R, SessionStats>(peer, options,
                                    [&](Session<R> &session) { return session.serve(weights, makeProvider); });
}

template <RingWord R>
Expected<ClientResult> runClient(Connection &peer, const SessionOptions &options, std::span<const NamedTensors> records,
                                 const ProviderFactory<ClientProvider<R>> &makeProvider) {
  if (auto checked = checkRecords(options.program.program, records); !checked) {
    peer.close("the other side's input was refused"); // why is not the peer's business
    return tl::unexpected(checked.error());
  }
  return inSession<R, ClientResult>(peer, options,
                                    [&](Session<R> &session) { return session.consult(records, makeProvider); });
}

Error asSessionError(Error error) {
  if (error.kind == ErrorKind::Input && !error.here) error.kind = ErrorKind::Network;
  return error;
}

#define SD_SESSION(R)                                                                                                  \
  template Expected<SessionStats> runService(Connection &, const SessionOptions &, const WeightSet<R> &,               \
                                             const ProviderFactory<ServiceProvider<R>> &);                             \
  template Expected<ClientResult> runClient(Connection &, const SessionOptions &, std::span<const NamedTensors>,       \
                                            const ProviderFactory<ClientProvider<R>> &);
SD_SESSION(Ring32)
SD_SESSION(Ring64)
#undef SD_SESSION

} // namespace sd
