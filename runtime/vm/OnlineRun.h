// The online phase of one record: each party's walk over the round groups.
//
// P0 computes local ops on X; P1's part of them was done offline, on the masks. In an interactive group both parties
// build the same ops in the same order and run them as one.
#pragma once

#include <functional>

#include "runtime/offline/Bundle.h"
#include "runtime/vm/ClearPart.h"
#include "runtime/vm/ProgramIndex.h"
#include "runtime/vm/Stats.h"

namespace sd {

class ThreadPool;

// What both walks need; all of it outlives them.
struct OnlineContext {
  const Program &program;
  const Plan &plan;
  const ProgramIndex &index;
  ThreadPool &pool;
  const std::function<void(std::size_t done, std::size_t all)> &progress; // P1's; of interactive groups; may be empty
};

// P0's side. Adds the record's seconds and payload bytes an op to `stats`.
template <RingWord R>
Expected<void> runServiceOnline(const OnlineContext &context, const WeightSet<R> &weights, ServiceBundle<R> &bundle,
                                Channel &channel, std::vector<OpStats> &stats);

// P1's side: takes the inputs from `clear` and puts the opened outputs there.
template <RingWord R>
Expected<void> runClientOnline(const OnlineContext &context, ClearPart &clear, ClientBundle<R> &bundle,
                               Channel &channel, std::vector<OpStats> &stats);

} // namespace sd
