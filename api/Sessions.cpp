#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "api/Internal.h"
#include "ir/core/Guard.h"
#include "runtime/kernels/ThreadPool.h"
#include "runtime/net/MemoryChannel.h"
#include "runtime/net/Service.h"
#include "runtime/vm/Local.h"
#include "runtime/vm/Providers.h"

namespace sdc {

Cancel::Cancel() : state(std::make_shared<State>()) {}

void Cancel::request() const {
  const std::lock_guard lock(state->mutex);
  state->requested = true;
  if (state->stop) state->stop();
}

bool Cancel::requested() const { return state->requested; }

CancelScope::CancelScope(const std::optional<Cancel> &cancel, std::function<void()> stop) {
  if (!cancel) return;
  state_ = cancel->state;
  const std::lock_guard lock(state_->mutex);
  if (state_->requested) stop();
  state_->stop = std::move(stop);
}

CancelScope::~CancelScope() {
  if (!state_) return;
  const std::lock_guard lock(state_->mutex);
  state_->stop = nullptr;
}

void CancelScope::check(const sd::Error *failure) const {
  if (state_ && state_->requested) throw Error(ErrorKind::Interrupted, "interrupted");
  if (failure) raise(*failure);
}

namespace {

Phase phaseOf(const sd::PhaseStats &phase, int party) {
  Phase result;
  result.bytes[party] = phase.traffic.bytesSent;
  result.bytes[1 - party] = phase.traffic.bytesReceived;
  result.seconds = phase.seconds;
  return result;
}

Result resultOf(const Program &program, const std::vector<std::vector<sd::Tensor<float>>> &outputs,
                const sd::SessionStats &stats) {
  return {stacked(program.outputs(), outputs), outputs.size(), phaseOf(stats.offline, 1), phaseOf(stats.online, 1)};
}

sd::ResultSink keep(std::vector<std::vector<sd::Tensor<float>>> &outputs, std::size_t all, const RunOptions &options) {
  return [&outputs, all, &options](std::vector<sd::Tensor<float>> next) -> sd::Expected<void> {
    outputs.push_back(std::move(next));
    if (options.progress) options.progress(outputs.size(), all);
    if (options.cancel && options.cancel->requested()) return sd::fail(sd::ErrorKind::Interrupted, "interrupted");
    return {};
  };
}

std::vector<sd::NamedTensors> checkedRecords(const Program &program, const Arrays &arrays) {
  std::vector<sd::NamedTensors> records = recordsOf(*program.impl, arrays);
  if (records.empty()) raise({"there are no records"});
  valueOf(sd::checkRecords(program.impl->loaded.program, records));
  return records;
}

sd::EndpointOptions optionsOf(const Endpoint &endpoint) {
  sd::EndpointOptions options;
  options.address = valueOf(sd::parseAddress(endpoint.address));
  options.tls =
      valueOf(sd::tlsFilesFromOptions({endpoint.tls.cert, endpoint.tls.key, endpoint.tls.ca, endpoint.tls.crl}));
  options.allowPlaintext = endpoint.allowPlaintext;
  options.connection.timeout = endpoint.timeout;
  options.waitForPeer = endpoint.timeout;
  options.handshakeTimeout = std::min(options.handshakeTimeout, endpoint.timeout);
  return options;
}

void needWeights(const Program &program) {
  if (!program.hasWeights())
    raise({"the program has no weights: they are the service's; load it where its .sdw file is", false,
           sd::ErrorKind::Usage});
}

} // namespace

Result Program::runLocal(const Arrays &arrays, const RunOptions &options) const {
  needWeights(*this);
  const std::vector<sd::NamedTensors> records = checkedRecords(*this, arrays);
  sd::ThreadPool pool(options.threads);
  std::vector<std::vector<sd::Tensor<float>>> outputs;
  auto link = sd::makeMemoryConnections();
  sd::Connection *hospital = link.second.get();
  const CancelScope scope(options.cancel, [hospital] { hospital->close("the run was interrupted"); });
  const auto result = sd::guarded([&] {
    return sd::withRing(impl->loaded.program.ringBits, [&]<class R>() -> sd::Expected<sd::LocalResult> {
      SD_ASSIGN(const sd::Seed serviceSeed, sd::Seed::fresh());
      SD_ASSIGN(const sd::Seed clientSeed, sd::Seed::fresh());
      sd::LocalOptions<R> local{impl->loaded,
                                std::get<sd::WeightSet<R>>(*impl->weights),
                                pool,
                                sd::PreprocessMode::TwoParty,
                                serviceSeed,
                                clientSeed,
                                sd::twoPartyService<R>(),
                                sd::twoPartyClient<R>()};
      local.results = keep(outputs, records.size(), options);
      return sd::runLocal(std::move(link), local, records);
    });
  });
  scope.check(result ? nullptr : &result.error());
  return resultOf(*this, outputs, result->client);
}

Client::Client(Program program, Endpoint service) : program_(std::move(program)), service_(std::move(service)) {
  optionsOf(service_); // throws where they contradict each other
}

Result Client::predict(const Arrays &arrays, const RunOptions &options) const {
  const std::vector<sd::NamedTensors> records = checkedRecords(program_, arrays);
  sd::ThreadPool pool(options.threads);
  std::vector<std::vector<sd::Tensor<float>>> outputs;
  const std::unique_ptr<sd::Connection> peer = valueOf(sd::connect(optionsOf(service_)));
  const CancelScope scope(options.cancel, [&peer] { peer->close("the hospital's run was interrupted"); });
  const auto result = sd::guarded([&] {
    return sd::withRing(program_.ringBits(), [&]<class R>() -> sd::Expected<sd::ClientResult> {
      SD_ASSIGN(const sd::Seed seed, sd::Seed::fresh());
      sd::SessionOptions session{program_.impl->loaded, pool, sd::PreprocessMode::TwoParty, seed};
      session.results = keep(outputs, records.size(), options);
      return sd::runClient<R>(*peer, session, records, sd::twoPartyClient<R>());
    });
  });
  std::optional<sd::Error> failure;
  if (!result) failure = sd::asSessionError(result.error());
  if (result && result->failure) failure = sd::asSessionError(*result->failure);
  scope.check(failure ? &*failure : nullptr);
  return resultOf(program_, outputs, result->stats);
}

struct Service::Impl {
  Program program;
  sd::ThreadPool pool;
  std::optional<sd::Listener> listener;
  std::string address; // which is asked for after the end, too
  std::atomic<std::uint64_t> sessions{0}, records{0};
  std::function<sd::Expected<sd::SessionStats>(sd::Connection &)> serve;
  std::thread thread;
  std::once_flag stopped;
};

Service::Service(Program program, const Endpoint &endpoint, unsigned sessions) : impl_(std::make_unique<Impl>()) {
  needWeights(program);
  if (sessions < 1 || sessions > 65535) raise({"sessions are from 1 to 65535", false, sd::ErrorKind::Usage});
  impl_->program = std::move(program);
  sd::EndpointOptions options = optionsOf(endpoint);
  options.waitForPeer = std::chrono::milliseconds(0);
  impl_->listener = valueOf(sd::listen(options));
  impl_->address = sd::toString(impl_->listener->address());
  sd::withRing(impl_->program.ringBits(), [&]<class R>() {
    impl_->serve = [impl = impl_.get(),
                    provider = sd::twoPartyService<R>()](sd::Connection &peer) -> sd::Expected<sd::SessionStats> {
      SD_ASSIGN(const sd::Seed seed, sd::Seed::fresh());
      sd::SessionOptions session{impl->program.impl->loaded, impl->pool, sd::PreprocessMode::TwoParty, seed};
      return sd::runService(peer, session, std::get<sd::WeightSet<R>>(*impl->program.impl->weights), provider);
    };
  });
  impl_->thread = std::thread([impl = impl_.get(), sessions] {
    sd::ServiceOptions service{.places = sessions, .serve = {}, .log = [](std::string_view) {}};
    service.serve = [impl](std::unique_ptr<sd::Connection> peer) {
      const auto served = sd::guarded([&] { return impl->serve(*peer); });
      if (!served) return;
      ++impl->sessions;
      impl->records += served->records;
    };
    sd::serveInTurn(*impl->listener, service);
  });
}

Service::Service(Service &&) noexcept = default;

Service::~Service() {
  if (impl_) stop();
}

std::string Service::address() const { return impl_->address; }
std::uint64_t Service::sessions() const { return impl_->sessions; }
std::uint64_t Service::recordsServed() const { return impl_->records; }

void Service::stop() {
  std::call_once(impl_->stopped, [this] {
    impl_->listener->stop();
    impl_->thread.join();
  });
}

} // namespace sdc
