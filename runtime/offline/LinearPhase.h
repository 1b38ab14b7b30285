// The linear entries of a plan between two parties alone, from RLWE (runtime/he/LinearCorrelation.h).
//
// P1 uploads each entry's r as soon as it is known, and on another thread collects the replies and announces their v,
// so that entries which read free masks take one round trip together, whatever their number.
#pragma once

#include "runtime/he/LinearCorrelation.h"
#include "runtime/offline/Provider.h"

namespace sd {

// The layers of a plan's linear entries, in order.
std::vector<LinearLayer> linearLayers(const Program &program, const Plan &plan);

// P0's side of one session: set up once, then run for each inference of the same program.
class ServiceLinear {
public:
  static Expected<ServiceLinear> setUp(Channel &channel, const Seed &seed);
  Expected<void> run(const OfflineJob &job, const WeightSet &weights, const Sink<ServiceMaterial> &sink);

private:
  explicit ServiceLinear(LinearService service) : service_(std::move(service)) {}
  LinearService service_;
  std::vector<LinearLayer> layers_;
};

// P1's side.
class ClientLinear {
public:
  static Expected<ClientLinear> setUp(Channel &channel, const Seed &seed);
  // All free masks must be announced. Announces the mask of every linear entry's result.
  Expected<void> run(const OfflineJob &job, MaskWalk &walk);

private:
  explicit ClientLinear(LinearHospital hospital) : hospital_(std::move(hospital)) {}
  LinearHospital hospital_;
  std::vector<LinearLayer> layers_;
};

} // namespace sd
