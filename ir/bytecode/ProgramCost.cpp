#include "ir/bytecode/ProgramCost.h"

#include <algorithm>

#include "ir/core/OpFamilies.h"
#include "ir/core/ScheduleAttr.h"

namespace sd {

namespace {

constexpr std::uint64_t kFrameBytes = 8; // of each message: length, stream, tag
constexpr std::int64_t kMaxLinearElements = std::int64_t{1} << 27;

DotShape dotShapeOf(const Program &program, const Instruction &it) {
  return dotShape(program.slots[it.operands[0]], program.slots[it.operands[1]], program.ringBits);
}

class Costing {
public:
  explicit Costing(const Program &program) : program_(program) {}

  Expected<ProgramCost> run() {
    std::vector<LinearGeometry> layers;
    for (const Instruction &it : program_.instructions) {
      if (!isPacked(it.op)) continue;
      SD_ASSIGN(LinearGeometry layer, geometry(it));
      layers.push_back(std::move(layer));
    }
    const std::vector<TransferCost> transfers = chooseTransfers(layers);
    std::size_t layer = 0;
    for (const Instruction &it : program_.instructions) {
      InstructionCost cost;
      if (info(it.op).isInteractive()) cost = interactive(it);
      if (isPacked(it.op)) {
        cost = linear(it, layers[layer], transfers[layer]);
        ++layer;
      }
      cost_.offline += cost.offline;
      cost_.multiplyAdds += cost.multiplyAdds;
      cost_.instructions.push_back(cost);
    }
    for (const Group &group : program_.groups)
      cost_.groups.push_back(group.interactive ? messagesOf(group) : GroupCost{});
    for (const GroupCost &group : cost_.groups) {
      for (int party : {0, 1}) {
        cost_.messages[party] += group.messages[party];
        cost_.onlineBytes[party] += group.onlineBytes[party];
      }
    }
    cost_.roundTrips = (cost_.messages[0] + cost_.messages[1] + 1) / 2;
    for (const Instruction &it : program_.instructions)
      if (it.op == OpKind::ShareConstant) cost_.weightBytes += wordBytes() * elements(it.result);
    return std::move(cost_);
  }

private:
  std::uint64_t elements(SlotId slot) const {
    return static_cast<std::uint64_t>(elementCount(program_.slots[slot].shape));
  }

  std::uint64_t wordBytes() const { return static_cast<std::uint64_t>(program_.ringBits) / 8; }

  InstructionCost interactive(const Instruction &it) {
    const ProtocolCost unit = protocolOf(program_, it);
    const std::uint64_t count = elements(it.result);
    InstructionCost cost;
    for (int party : {0, 1})
      cost.onlineBytes[party] = unit.onlineBytes(party, count);
    const auto bytes = [&](std::uint64_t bits) { return (bits * count + 7) / 8; };
    cost.offline.bytes = {bytes(unit.offlineBitsToP1), bytes(unit.offlineBitsToP0)};
    cost.offline.ots = unit.ots * count;
    cost.offline.reverseOts = unit.reverseOts * count;
    cost.offline.dealerBytes = bytes(unit.dealerBits);
    if (it.op == OpKind::ShareRelu || it.op == OpKind::ShareMax) cost_.comparisons += count;
    if (it.op == OpKind::ShareDot) {
      const DotShape shape = dotShapeOf(program_, it);
      setPacking(cost, dotPackingCost(chooseDotPacking(shape)));
      cost.multiplyAdds = static_cast<std::uint64_t>(shape.multiplyAdds());
    }
    return cost;
  }

  static void setPacking(InstructionCost &cost, const PackingCost &packed) {
    cost.offline.bytes = {static_cast<std::uint64_t>(packed.bytesDown), static_cast<std::uint64_t>(packed.bytesUp)};
    cost.offline.linearProducts = static_cast<std::uint64_t>(packed.products);
    cost.packing = packed;
  }

  Expected<LinearGeometry> geometry(const Instruction &it) const {
    std::vector<Type> operands;
    for (SlotId slot : it.operands)
      operands.push_back(program_.slots[slot]);
    const Type &result = program_.slots[it.result];
    for (const Type &type : operands) {
      if (elementCount(type.shape) > kMaxLinearElements || elementCount(result.shape) > kMaxLinearElements)
        return fail("{}: a linear layer from {} to {} is too large; at most 2^27 elements each are supported",
                    it.source.empty() ? info(it.op).mnemonic : it.source, toString(type), toString(result));
    }
    return linearGeometry(it.op, operands, it.attrs, result, program_.ringBits);
  }

  InstructionCost linear(const Instruction &it, const LinearGeometry &geometry, const TransferCost &transfers) const {
    InstructionCost cost;
    if (transfers) {
      cost.offline.bytes = {transfers.bytesDown(), transfers.bytesUp()};
      cost.offline.reverseOts = transfers.ots();
      cost.transfers = transfers;
    } else {
      setPacking(cost, packingCost(geometry, choosePacking(geometry)));
    }
    cost.offline.dealerBytes = wordBytes() * elements(it.result);
    std::uint64_t taps = 1; // products of one output
    if (it.op == OpKind::ShareMatMul) taps = static_cast<std::uint64_t>(program_.slots[it.operands[1]].shape.front());
    if (it.op == OpKind::ShareConv)
      taps = elements(it.operands[1]) / static_cast<std::uint64_t>(program_.slots[it.operands[1]].shape[0]);
    cost.multiplyAdds = elements(it.result) * taps;
    return cost;
  }

  // All parts of message k of a group travel in one frame; an op's part is padded to whole bytes.
  GroupCost messagesOf(const Group &group) const {
    std::vector<std::uint64_t> payloads;
    for (auto i = group.begin; i < group.end; ++i) {
      const Instruction &it = program_.instructions[i];
      const ProtocolCost unit = protocolOf(program_, it);
      payloads.resize(std::max<std::size_t>(payloads.size(), unit.messageBits.size()));
      for (int k = 0; k < unit.messages(); ++k)
        payloads[k] += unit.messageBytes(k, elements(it.result));
    }
    GroupCost cost;
    for (std::size_t k = 0; k < payloads.size(); ++k) {
      if (payloads[k] == 0) continue;
      cost.messages[k % 2] += 1;
      cost.onlineBytes[k % 2] += payloads[k] + kFrameBytes;
    }
    return cost;
  }

  const Program &program_;
  ProgramCost cost_;
};

} // namespace

OfflineCost &OfflineCost::operator+=(const OfflineCost &other) {
  for (int party : {0, 1})
    bytes[party] += other.bytes[party];
  ots += other.ots;
  reverseOts += other.reverseOts;
  linearProducts += other.linearProducts;
  dealerBytes += other.dealerBytes;
  return *this;
}

ProtocolCost protocolOf(const Program &program, const Instruction &it) {
  const int ringBits = program.ringBits;
  switch (it.op) {
  case OpKind::ShareInput:
    return inputCost(ringBits);
  case OpKind::ShareOutput:
    return outputCost(ringBits);
  case SD_SHARE_COMPARISONS:
    return compareCost(ringBits, compareShape(it.op, it.attrs));
  case OpKind::ShareMul:
    return productCost(ringBits);
  case OpKind::ShareDot:
    return dotCost(dotShapeOf(program, it));
  case OpKind::ShareConstant: // local
  case SD_SHARE_PACKED:
  case OpKind::ShareAddW:
  case SD_SHARE_SUMS:
  case SD_SHARE_CONSTANTS:
  case SD_SHARE_LAYOUT:
#include "ir/core/NnCases.def"
    break;
  }
  return {};
}

Expected<ProgramCost> costOf(const Program &program) { return Costing(program).run(); }

} // namespace sd
