// An offline phase: makes the correlations of one whole inference. The dealer's and the two-party one stand behind the
// same interface. It is asked for a whole plan, so that it can batch: all linear entries whose masks are known, then
// all bit correlations, in a number of round trips that does not grow with the network.
#pragma once

#include <functional>

#include "runtime/kernels/ThreadPool.h"
#include "runtime/offline/Bundle.h"

namespace sd {

// P1's masks (and the dealer's copy of them) on their way through the local ops. Announce the new mask of each entry's
// result in any order; ask for the mask of an entry's operand once all masks that it depends on are announced.
//
// Which masks are free: of Input, Truncate, Compare, Maximum and Product entries P1 draws the result's mask itself, so
// a provider draws and announces all of them at the start. What remains is Linear: its v follows from its r, and is
// needed by what reads its result before the next free mask. Where every linear entry reads free masks through local
// ops alone (networks without two linear ops in a row), all linear entries are ready at once.
template <RingWord R>
class MaskWalk {
public:
  virtual ~MaskWalk() = default;

  // The result of entry `entry` has this mask. Error if it has one already or the size is wrong. The mask is copied.
  virtual Expected<void> announce(std::size_t entry, std::span<const R> mask) = 0;

  // Whether operand(entry, 0 .. operands - 1) can be answered.
  virtual bool ready(std::size_t entry) const = 0;

  // The mask of an entry's operand, after all local ops between. Error if not ready().
  virtual Expected<SecretVector<R>> operand(std::size_t entry, int which) = 0;
};

// The linear maps of a program, without bias, over the ring: y = W x for the geometry of Linear entry `entry`.
template <RingWord R>
class LinearMaps {
public:
  virtual ~LinearMaps() = default;
  // Sizes of the matrix as stored, of x and of y.
  struct Sizes {
    std::uint64_t weights = 0, x = 0, y = 0;
  };
  virtual Sizes sizes(std::size_t entry) const = 0;
  virtual void apply(std::size_t entry, std::span<const R> weights, std::span<const R> x, std::span<R> y) = 0;
};

// What both sides' jobs have in common. All references outlive prepare().
struct OfflineJob {
  const Program &program;
  const Plan &plan;
  Seed seed;                  // of this party, for this inference alone: fresh, never used before
  ThreadPool *pool = nullptr; // null: one thread
};

// Called once for each entry that has material, in any order. An error ends prepare() with it.
template <class Material>
using Sink = std::function<Expected<void>(std::size_t entry, Material material)>;

// P0's side.
template <RingWord R>
class ServiceProvider {
public:
  virtual ~ServiceProvider() = default;
  // `weights` are those of the program; the same object for all inferences of a session.
  virtual Expected<void> prepare(const OfflineJob &job, const WeightSet<R> &weights,
                                 const Sink<ServiceMaterial<R>> &sink) = 0;
};

// P1's side. `walk` is new: nothing has been announced.
template <RingWord R>
class ClientProvider {
public:
  virtual ~ClientProvider() = default;
  virtual Expected<void> prepare(const OfflineJob &job, MaskWalk<R> &walk, const Sink<ClientMaterial<R>> &sink) = 0;
};

// prepare() into a bundle that has one material for each entry that needs one.
template <RingWord R>
Expected<ServiceBundle<R>> prepareService(ServiceProvider<R> &provider, const OfflineJob &job,
                                          const WeightSet<R> &weights);
template <RingWord R>
Expected<ClientBundle<R>> prepareClient(ClientProvider<R> &provider, const OfflineJob &job, MaskWalk<R> &walk);

} // namespace sd
