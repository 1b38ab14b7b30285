// A session between the parties: handshake, then for each record the offline and the online phase.
//
//   P0 <-> P1   hello (Handshake.h)
//   P0 <-> P1   ready, if there is a dealer: each has reached it
//   for each record:
//     the offline phase, on the provider's streams
//     P0 <-> P1   ready
//     the online phase, on stream 1
//   P0 <-> P1   done
//
// With stores the two phases are sessions of their own: one that prepares inferences (offline phases alone, what they
// make goes to disk), and one whose records use them (store/Agreement.h in the place of the offline phase).
#pragma once

#include "ir/bytecode/Reader.h"
#include "runtime/offline/Provider.h"
#include "runtime/store/Agreement.h"
#include "runtime/store/Store.h"
#include "runtime/vm/Handshake.h"
#include "runtime/vm/Records.h"
#include "runtime/vm/Stats.h"

namespace sd {

// Makes a party's side of the offline phase for a session that has begun. The connection outlives the provider; the
// seed is this party's, for this session's provider alone.
struct ProviderContext {
  Connection &peer;
  SessionId session;
  Seed seed;
  Connection *dealer = nullptr; // in PreprocessMode::Dealer
};
template <class Provider>
using ProviderFactory = std::function<Expected<std::unique_ptr<Provider>>(const ProviderContext &context)>;

// This party's store, and what for. Unless Purpose::Fresh there must be one; it outlives the session.
struct StoreUse {
  Purpose purpose = Purpose::Fresh;
  const Store *store = nullptr;
  std::uint64_t inferences = 0;                     // Purpose::Prepare: how many at most; both sides may lower it
  std::uint64_t keep = 0;                           // Purpose::Prepare: so many with this peer are enough; 0: no limit
  bool *tooFew = nullptr;                           // P1's: set if no record is run for want of prepared inferences
  std::function<void(std::string_view)> log = {};   // told of what was discarded, and why
  std::function<void(std::string_view)> trace = {}; // told of each stored inference: that it was made; before its use
};

// Takes the outputs of the next record, in order, as soon as they are open. An error ends the session.
using ResultSink = std::function<Expected<void>(std::vector<Tensor<float>> outputs)>;

// How far P1's record is: what is made for it ahead of time, by op, then the steps of the network.
struct RecordProgress {
  bool isOnline = false;
  std::size_t done = 0, all = 0;
};
using ProgressSink = std::function<void(const RecordProgress &)>;

// All references outlive the session.
struct SessionOptions {
  const LoadedProgram &program;
  ThreadPool &pool;
  PreprocessMode mode = PreprocessMode::TwoParty;
  Seed seed; // fresh for each session
  // In PreprocessMode::Dealer: this party's connection to its dealer, asked for once the parties have agreed, so that
  // one that waits for its turn does not keep a dealer waiting. Its traffic counts as the offline phase's.
  std::function<Expected<Connection *>()> dealer = {};
  StoreUse store = {};
  ResultSink results = {};    // P1's; without it, ClientResult::outputs has them all at the end
  ProgressSink progress = {}; // P1's; from the thread of its session
  // P0's, of a service that limits what is asked of it.
  std::uint64_t mostRecords = kMaxRecords;            // HandshakeOptions
  std::vector<std::uint8_t> heard = {};               // HandshakeOptions
  std::function<Expected<void>()> beforeOffline = {}; // each offline phase; an error ends the session
};

// P0: serves one session; R is the program's ring. An error has been told to the peer, as far as it can still be
// reached.
template <RingWord R>
Expected<SessionStats> runService(Connection &peer, const SessionOptions &options, const WeightSet<R> &weights,
                                  const ProviderFactory<ServiceProvider<R>> &makeProvider);

struct ClientResult {
  std::vector<std::vector<Tensor<float>>> outputs; // by record, then by output of the program; none if there is a sink
  std::uint64_t finished = 0;                      // records that have outputs
  std::uint64_t ready = 0;                         // StoreUse::keep: inferences that were there before
  std::optional<Error> failure;                    // why only the first ones have
  SessionStats stats;
};

// Whether the records can go in: shapes, ranges, and integers small enough. Errors tell which record and element.
Expected<void> checkRecords(const Program &program, std::span<const NamedTensors> records);

// P1: runs the records one after another. All of them are checked before anything is sent. With Purpose::Prepare there
// are no records. Once a record's result is open, a failure does not take it away.
template <RingWord R>
Expected<ClientResult> runClient(Connection &peer, const SessionOptions &options, std::span<const NamedTensors> records,
                                 const ProviderFactory<ClientProvider<R>> &makeProvider);

// What went wrong between the parties and is no fault of this side's files is the link's or the peer's.
Error asSessionError(Error error);

} // namespace sd
