// Both parties in one process, as threads: to try a program, and for tests.
#pragma once

#include "runtime/vm/Session.h"

namespace sd {

template <RingWord R>
struct LocalOptions {
  const LoadedProgram &program;
  const WeightSet<R> &weights;
  ThreadPool &pool; // of both
  PreprocessMode mode = PreprocessMode::TwoParty;
  Seed serviceSeed, clientSeed; // fresh
  ProviderFactory<ServiceProvider<R>> makeServiceProvider;
  ProviderFactory<ClientProvider<R>> makeClientProvider;
  Connection *serviceDealer = nullptr, *clientDealer = nullptr; // with PreprocessMode::Dealer
  ResultSink results = {};                                      // as in SessionOptions
  ProgressSink progress = {};                                   // the same
};

struct LocalResult {
  std::vector<std::vector<Tensor<float>>> outputs; // as in ClientResult
  SessionStats service, client;
};

// Over a pair of memory connections; `link` may supply others (a loopback TCP pair, a slow link).
using ConnectionPair = std::pair<std::unique_ptr<Connection>, std::unique_ptr<Connection>>;
template <RingWord R>
Expected<LocalResult> runLocal(ConnectionPair link, const LocalOptions<R> &options,
                               std::span<const NamedTensors> records);

} // namespace sd
