#include "ir/core/LinearEstimate.h"

#include <algorithm>

namespace sd {

namespace {

constexpr std::int64_t kBalances[] = {150, 500, 5000}; // beside the default
constexpr double kWorthIt = 0.98;                      // estimates are not finer than that

PackingCost packedCost(const std::vector<LinearGeometry> &layers) {
  const std::vector<TransferCost> transfers = chooseTransfers(layers);
  PackingCost sum;
  for (std::size_t i = 0; i < layers.size(); ++i)
    if (!transfers[i]) sum += packingCost(layers[i], choosePacking(layers[i]));
  return sum;
}

} // namespace

double linearWork(const PackingCost &cost, int ringBits, const MachineProfile &machine) {
  const auto of = [](double each, std::int64_t count) { return each * static_cast<double>(count); };
  const std::int64_t transformed = std::max<std::int64_t>(cost.denseWeights - keptWeights(ringBits), 0);
  return polynomialWork(ringBits) *
         (of(machine.encrypt + machine.accept, cost.uploads) + of(machine.weights, transformed) +
          of(machine.sparseWeights, cost.otherWeights) + of(machine.product, cost.products) +
          of(machine.reply + machine.decrypt, cost.replies));
}

double estimateSeconds(const PackingCost &cost, int ringBits, const NetworkProfile &network,
                       const MachineProfile &machine) {
  const double link = 8 * static_cast<double>(std::max(cost.bytesUp, cost.bytesDown)) / network.bitsPerSecond;
  return std::max(link, 1e-9 * linearWork(cost, ringBits, machine) / machine.cores);
}

std::int64_t bestBalance(std::vector<LinearGeometry> layers, const NetworkProfile &network) {
  if (layers.empty()) return kDefaultBalance;
  const auto secondsAt = [&](std::int64_t balance) {
    for (LinearGeometry &layer : layers)
      layer.balance = balance;
    return estimateSeconds(packedCost(layers), layers.front().ringBits, network);
  };
  std::int64_t best = kDefaultBalance;
  double least = kWorthIt * secondsAt(kDefaultBalance);
  for (const std::int64_t balance : kBalances) {
    const double seconds = secondsAt(balance);
    if (seconds >= least) continue;
    least = seconds;
    best = balance;
  }
  return best;
}

} // namespace sd
