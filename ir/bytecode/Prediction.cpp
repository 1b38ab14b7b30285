#include "ir/bytecode/Prediction.h"

#include <algorithm>
#include <numeric>

#include "ir/core/LinearEstimate.h"

namespace sd {

namespace {

constexpr double kNano = 1e-9;

double asDouble(auto value) { return static_cast<double>(value); }

constexpr double kSoftSpokenBytes = 15.0 / 8; // an OT of the non-silent extension

// Pieces that pass through stages one after another, none overtaking: when each stage is free again.
template <std::size_t N>
class Stages {
public:
  // A piece from stage `first` on; gives when it leaves the last one.
  double pass(std::size_t first, std::initializer_list<double> seconds) {
    double ready = 0;
    for (const double each : seconds) {
      ready = free_[first] = std::max(ready, free_[first]) + each;
      ++first;
    }
    return ready;
  }
  void waitFor(std::size_t stage, double time) { free_[stage] = std::max(free_[stage], time); }
  double end() const { return *std::ranges::max_element(free_); }

private:
  std::array<double, N> free_{};
};

class Predictor {
public:
  Predictor(const Program &program, const ProgramCost &cost, const NetworkProfile &network,
            const MachineProfile &machine)
      : program_(program), cost_(cost), network_(network), machine_(machine) {
    out_.instructions.resize(program.instructions.size());
  }

  Prediction run() {
    online();
    linearPhase();
    bitPhase();
    setUp();
    for (const Seconds &each : out_.instructions) {
      out_.online += each.online;
      out_.offline += each.offline;
    }
    out_.offline += out_.sharedOffline;
    return std::move(out_);
  }

private:
  double link(double bytes) const { return 8 * bytes / network_.bitsPerSecond; }
  double alone(double nanoseconds) const { return nanoseconds * kNano; }
  double onAllCores(double nanoseconds) const { return nanoseconds * kNano / machine_.cores; }
  double elements(SlotId slot) const { return asDouble(elementCount(program_.slots[slot].shape)); }

  // Two clocks and the link's two directions. An instruction takes what it moves the later clock by.
  void online() {
    for (std::size_t g = 0; g < program_.groups.size(); ++g) {
      const Group &group = program_.groups[g];
      if (group.interactive) {
        interactive(group);
        continue;
      }
      for (auto i = group.begin; i < group.end; ++i) {
        const Instruction &it = program_.instructions[i];
        if (info(it.op).level != Level::Share || it.op == OpKind::ShareConstant) continue;
        const double before = now();
        clock_[0] += onAllCores(machine_.multiplyAdd * asDouble(cost_.instructions[i].multiplyAdds) +
                                machine_.localElement * elements(it.result));
        out_.instructions[i].online = now() - before;
      }
    }
  }

  double now() const { return std::max(clock_[0], clock_[1]); }

  void interactive(const Group &group) {
    const double before = now();
    std::vector<double> messages; // bytes
    std::vector<double> weights;  // of each op, to share the time out by
    double count = 0;
    for (auto i = group.begin; i < group.end; ++i) {
      const Instruction &it = program_.instructions[i];
      const ProtocolCost unit = protocolOf(program_, it);
      const double own = elements(it.result);
      messages.resize(std::max<std::size_t>(messages.size(), unit.messageBits.size()));
      for (int k = 0; k < unit.messages(); ++k)
        messages[k] += asDouble(unit.messageBytes(k, static_cast<std::uint64_t>(own)));
      weights.push_back(asDouble(unit.onlineBytes(static_cast<std::uint64_t>(own))));
      count += own;
      for (const int party : {0, 1}) // of a product of matrices: one by the service, two by the hospital
        clock_[party] += onAllCores(machine_.multiplyAdd * asDouble(cost_.instructions[i].multiplyAdds) * (1 + party));
    }
    for (const int party : {0, 1})
      clock_[party] += onAllCores(machine_.element * count);
    for (std::size_t k = 0; k < messages.size(); ++k)
      if (messages[k] > 0) send(static_cast<int>(k % 2), messages[k]);
    const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
    for (std::size_t i = 0; i < weights.size(); ++i)
      out_.instructions[group.begin + i].online = (now() - before) * weights[i] / total;
  }

  void send(int sender, double bytes) {
    const double work = alone(machine_.message) + onAllCores(machine_.messageByte * bytes);
    clock_[sender] += work;
    linkFree_[sender] = std::max(clock_[sender], linkFree_[sender]) + link(bytes + kFrameBytes);
    const double arrival = linkFree_[sender] + network_.roundTripSeconds / 2;
    clock_[1 - sender] = std::max(clock_[1 - sender], arrival) + work;
  }

  // P1 encrypts, the link carries, P0 multiplies once it has a layer's uploads, the link carries, P1 decrypts.
  void linearPhase() {
    Stages<5> stages;
    double work = 0, end = 0; // of all cores together
    bool transfers = false;
    const std::vector<int> depths = linearDepths();
    int depth = dotDepth_;
    for (std::size_t i = 0; i < program_.instructions.size(); ++i) {
      const InstructionCost &cost = cost_.instructions[i];
      if (cost.packing.replies == 0 && !cost.transfers) continue;
      depth = std::max(depth, depths[program_.instructions[i].result]);
      double layerEnd = end;
      if (cost.transfers) {
        transfers = true;
        const double own = transferWork(cost.transfers);
        work += 2 * own;
        const double up = asDouble(cost.transfers.bytesUp()) + kSoftSpokenBytes * asDouble(cost.transfers.ots());
        layerEnd = stages.pass(
            0, {alone(own) / 2, link(up), alone(own), link(asDouble(cost.transfers.bytesDown())), alone(own) / 2});
      } else {
        const bool dot = program_.instructions[i].op == OpKind::ShareDot;
        layerEnd = rlweLayer(stages, cost.packing, dot ? RlweUse::Masks : RlweUse::Weights, work);
      }
      out_.instructions[i].offline = std::max(layerEnd - end, 0.0);
      end = std::max(end, layerEnd);
    }
    // Stages that overlap share the cores.
    if (const double least = onAllCores(work); end > 0 && least > end)
      for (Seconds &each : out_.instructions)
        each.offline *= least / end;
    out_.sharedOffline += depth * network_.roundTripSeconds;
    if (!transfers) besideSetUp_ = end + depth * network_.roundTripSeconds;
  }

  double rlweLayer(Stages<5> &stages, const PackingCost &packing, RlweUse use, double &work) {
    const std::int64_t kept = use == RlweUse::Weights ? std::min(packing.denseWeights, keptWeights_) : 0;
    keptWeights_ -= kept;
    const double each = polynomialWork(program_.ringBits, use);
    out_.setUp += onAllCores(each * machine_.weights * asDouble(kept));
    const double uploads = each * asDouble(packing.uploads), replies = each * asDouble(packing.replies);
    const double up = asDouble(packing.messagesUp), down = asDouble(packing.messagesDown);
    const double multiply = each * machine_.weights * asDouble(packing.denseWeights - kept) +
                            each * machine_.sparseWeights * asDouble(packing.otherWeights) +
                            each * machine_.product * asDouble(packing.products) + machine_.reply * replies;
    work += (machine_.encrypt + machine_.accept) * uploads + multiply + machine_.decrypt * replies;
    for (std::int64_t k = 0; k < packing.messagesUp; ++k)
      stages.pass(0, {onAllCores(machine_.encrypt * uploads / up), link(asDouble(packing.bytesUp) / up),
                      alone(machine_.accept * uploads / up)});
    double end = 0;
    for (std::int64_t k = 0; k < packing.messagesDown; ++k)
      end = stages.pass(2, {onAllCores(multiply / down), link(asDouble(packing.bytesDown) / down),
                            onAllCores(machine_.decrypt * replies / down)});
    return end;
  }

  double transferWork(const TransferCost &transfers) const { // of one party
    return machine_.transferTap * asDouble(transfers.taps) + machine_.softSpokenOt * asDouble(transfers.ots());
  }

  // How many linear layers stand one behind the other without an interactive op between: each waits a round trip for
  // the mask of the one before it.
  std::vector<int> linearDepths() {
    std::vector<int> depths(program_.slots.size());
    for (const Instruction &it : program_.instructions) {
      if (!info(it.op).hasResult() || info(it.op).isInteractive()) {
        // A product of matrices has a free mask, but waits for those of its operands.
        if (it.op == OpKind::ShareDot)
          for (const SlotId slot : it.operands)
            dotDepth_ = std::max(dotDepth_, depths[slot] + 1);
        continue;
      }
      for (const SlotId slot : it.operands)
        depths[it.result] = std::max(depths[it.result], depths[slot]);
      if (isPacked(it.op)) ++depths[it.result];
    }
    return depths;
  }

  // P1 makes OTs and corrections and sends them, P0 applies them; then the answers go back and forth. Measured, P1's
  // work and its link hardly overlap.
  void bitPhase() {
    if (cost_.offline.ots == 0) return;
    const ExtensionCost extension = extensionCost(cost_.offline.ots);
    const double perOt = extension.silent ? machine_.silentOt : machine_.softSpokenOt;
    Stages<2> stages;
    double end = 0, total = 0;
    int messages = 1;
    for (std::size_t i = 0; i < program_.instructions.size(); ++i) {
      const Instruction &it = program_.instructions[i];
      const OfflineCost &offline = cost_.instructions[i].offline;
      if (!info(it.op).isInteractive() || offline.ots == 0) continue;
      messages = std::max(messages, protocolOf(program_, it).offlineMessages);
      const double count = elements(it.result), pieces = std::ceil(count / kBatchElements);
      const double ots = asDouble(offline.ots), reverse = asDouble(offline.reverseOts),
                   bytes = asDouble(offline.bytes[1]);
      const double work = (perOt * ots + machine_.softSpokenOt * reverse + machine_.correctionBit * 8 * bytes) / pieces;
      const double carried = bytes + ots * extension.bitsFromSender / 8 + reverse * kSoftSpokenBytes;
      for (double piece = 0; piece < pieces; ++piece)
        stages.pass(0, {alone(work) + link(carried / pieces), alone(work)});
      out_.instructions[i].offline += stages.end() - end;
      end = stages.end();
      total += count;
    }
    const double windows = std::ceil(total / kWindowElements);
    out_.sharedOffline += (windows * messages + 1) / 2 * network_.roundTripSeconds; // then P0 says that it is ready
  }

  bool usesRlwe(RlweUse use) const {
    for (std::size_t i = 0; i < program_.instructions.size(); ++i) {
      const bool dot = program_.instructions[i].op == OpKind::ShareDot;
      if (cost_.instructions[i].packing.replies > 0 && dot == (use == RlweUse::Masks)) return true;
    }
    return false;
  }

  void setUp() {
    const bool ots = cost_.offline.ots + cost_.offline.reverseOts > 0;
    for (const RlweUse use : {RlweUse::Weights, RlweUse::Masks})
      if (usesRlwe(use)) out_.setUp += link(asDouble(rlweKeyBytes(program_.ringBits, use)));
    if (ots) out_.setUp += alone(machine_.setUp) + std::max(2 * network_.roundTripSeconds - besideSetUp_, 0.0);
  }

  static constexpr double kFrameBytes = 8;
  static constexpr double kBatchElements = 8192, kWindowElements = 1 << 21; // of a message, and of what is kept at once

  const Program &program_;
  const ProgramCost &cost_;
  const NetworkProfile &network_;
  MachineProfile machine_; // of the program's ring
  Prediction out_;
  std::int64_t keptWeights_ = keptWeights(program_.ringBits); // that are left
  int dotDepth_ = 0;
  double besideSetUp_ = 0; // what of the linear phase the transfers' set-up hides its round trips in
  std::array<double, 2> clock_{}, linkFree_{};
};

} // namespace

ExtensionCost extensionCost(std::uint64_t ots) {
  if (ots < 94'000) return {kSoftSpokenBytes * 8, 0, false};
  if (ots < 230'000) return {0, 2.52, true};
  if (ots < 850'000) return {0, 1.38, true};
  if (ots < 4'300'000) return {0, 0.75, true};
  return {0, 0.41, true};
}

Prediction predict(const Program &program, const ProgramCost &cost, const NetworkProfile &network,
                   const MachineProfile &machine) {
  return Predictor(program, cost, network, machine).run();
}

} // namespace sd
