#include "runtime/vm/OnlineRun.h"

#include <algorithm>

#include "ir/core/LinearPacking.h"
#include "runtime/kernels/Elementwise.h"
#include "runtime/protocol/MakeOp.h"
#include "runtime/protocol/RoundGroup.h"
#include "runtime/vm/LocalOps.h"

namespace sd {

namespace {

// Shares a group's time out among its ops by their bytes, and adds the bytes to who sent them.
void account(const Group &group, std::span<InteractiveOp *const> ops, Party party, TimeSpan spent,
             std::vector<OpStats> &stats) {
  double begin = spent.begin;
  std::uint64_t total = 0;
  for (const InteractiveOp *op : ops)
    for (int k = 0; k < op->messages(); ++k)
      total += op->messageBytes(k);
  for (std::size_t i = 0; i < ops.size(); ++i) {
    OpStats &op = stats[group.begin + i];
    std::uint64_t bytes = 0;
    for (int k = 0; k < ops[i]->messages(); ++k) {
      (speakerOf(k) == party ? op.bytesSent : op.bytesReceived) += ops[i]->messageBytes(k);
      bytes += ops[i]->messageBytes(k);
    }
    const double share = static_cast<double>(bytes) / static_cast<double>(std::max<std::uint64_t>(total, 1));
    op.last = {begin, spent.length * share};
    begin += op.last.length;
    op.seconds += op.last.length;
  }
}

template <class Op>
std::vector<InteractiveOp *> pointers(const std::vector<std::unique_ptr<Op>> &ops) {
  std::vector<InteractiveOp *> result;
  for (const auto &op : ops)
    result.push_back(op.get());
  return result;
}

// P0's values of one record.
template <RingWord R>
class ServiceWalk {
public:
  ServiceWalk(const OnlineContext &context, const WeightSet<R> &weights, ServiceBundle<R> &bundle, Channel &channel)
      : context_(context), program_(context.program), weights_(weights), bundle_(bundle), channel_(channel),
        values_(program_.slots.size()) {}

  Expected<void> run(std::vector<OpStats> &stats) {
    for (std::uint32_t g = 0; g < program_.groups.size(); ++g) {
      const Group &group = program_.groups[g];
      SD_TRY(group.interactive ? runInteractive(group, stats) : runLocal(group, stats));
      for (SlotId slot : context_.index.lastUsedIn[g])
        values_[slot] = MaskedTensor<R>();
    }
    return {};
  }

private:
  std::span<const R> operand(SlotId slot) const {
    const std::uint32_t weight = context_.index.weightOf[slot];
    if (weight == ProgramIndex::kNone) return values_[slot].span();
    const auto &data = weights_.tensors[weight].data;
    return {reinterpret_cast<const R *>(data.data()), data.size()};
  }

  Expected<void> runLocal(const Group &group, std::vector<OpStats> &stats) {
    Stopwatch watch;
    for (std::uint32_t i = group.begin; i < group.end; ++i) {
      const Instruction &instruction = program_.instructions[i];
      if (!isLocal(instruction.op)) continue;
      MaskedTensor<R> result(static_cast<std::size_t>(elementCount(program_.slots[instruction.result].shape)));
      LocalOp<R> op{program_, instruction, {}, result.span()};
      for (SlotId slot : instruction.operands)
        op.operands.push_back(operand(slot));
      runOnValue(context_.pool, op);
      if (isPacked(instruction.op)) {
        SD_ASSIGN(const LinearMaterial<R> material,
                  bundle_.template take<LinearMaterial<R>>(context_.index.entryOf[i]));
        add<R>(result.span(), material.u.span(), result.span());
      }
      values_[instruction.result] = std::move(result);
      stats[i].last = watch.interval();
      stats[i].seconds += stats[i].last.length;
    }
    return {};
  }

  // The weight of a ReLU with turned channels, for each element; else empty.
  SecretVector<R> turnedElements(const Instruction &instruction) const {
    if (instruction.op != OpKind::ShareRelu || instruction.operands.size() < 2) return {};
    const Shape &shape = program_.slots[instruction.result].shape;
    const SlotId turned = instruction.operands[1];
    SecretVector<R> elements(static_cast<std::size_t>(elementCount(shape))), zeros(elements.size());
    std::fill_n(zeros.data(), zeros.size(), 0);
    addBroadcast<R>(shape, std::as_const(zeros).span(), program_.slots[turned].shape, operand(turned), elements.span());
    return elements;
  }

  Expected<void> runInteractive(const Group &group, std::vector<OpStats> &stats) {
    Stopwatch watch;
    std::vector<SecretVector<R>> turned; // outlive the ops
    std::vector<std::unique_ptr<ServiceOp<R>>> ops;
    for (std::uint32_t i = group.begin; i < group.end; ++i) {
      const std::uint32_t entry = context_.index.entryOf[i];
      std::vector<const MaskedTensor<R> *> operands;
      for (int k = 0; k < context_.plan.entries[entry].operands(); ++k)
        operands.push_back(&values_[program_.instructions[i].operands[static_cast<std::size_t>(k)]]);
      turned.push_back(turnedElements(program_.instructions[i]));
      SD_ASSIGN(auto op,
                makeServiceOp<R>(context_.plan, entry, bundle_, operands, &context_.pool, turned.back().span()));
      ops.push_back(std::move(op));
    }
    const auto all = pointers(ops);
    SD_TRY(runRoundGroup(channel_, Party::Service, all));
    for (std::uint32_t i = group.begin; i < group.end; ++i)
      values_[program_.instructions[i].result] = ops[i - group.begin]->takeResult();
    account(group, all, Party::Service, watch.interval(), stats);
    return {};
  }

  const OnlineContext &context_;
  const Program &program_;
  const WeightSet<R> &weights_;
  ServiceBundle<R> &bundle_;
  Channel &channel_;
  std::vector<MaskedTensor<R>> values_; // by slot
};

} // namespace

template <RingWord R>
Expected<void> runServiceOnline(const OnlineContext &context, const WeightSet<R> &weights, ServiceBundle<R> &bundle,
                                Channel &channel, std::vector<OpStats> &stats) {
  return ServiceWalk<R>(context, weights, bundle, channel).run(stats);
}

template <RingWord R>
Expected<void> runClientOnline(const OnlineContext &context, ClearPart &clear, ClientBundle<R> &bundle,
                               Channel &channel, std::vector<OpStats> &stats) {
  const std::size_t interactive =
      static_cast<std::size_t>(std::ranges::count(context.program.groups, true, &Group::interactive));
  for (std::size_t done = 0; const Group &group : context.program.groups) {
    if (!group.interactive) continue;
    if (context.progress) context.progress(done++, interactive);
    Stopwatch watch;
    std::vector<std::unique_ptr<ClientOp<R>>> ops;
    for (std::uint32_t i = group.begin; i < group.end; ++i) {
      SecretVector<R> input;
      const Instruction &instruction = context.program.instructions[i];
      if (instruction.op == OpKind::ShareInput) {
        SD_ASSIGN(input, clear.quantized<R>(instruction));
      }
      SD_ASSIGN(auto op, makeClientOp<R>(context.plan, context.index.entryOf[i], bundle, input.span(), &context.pool));
      ops.push_back(std::move(op));
    }
    const auto all = pointers(ops);
    SD_TRY(runRoundGroup(channel, Party::Client, all));
    for (std::uint32_t i = group.begin; i < group.end; ++i)
      if (context.program.instructions[i].op == OpKind::ShareOutput)
        clear.setOpened(context.program.instructions[i], ops[i - group.begin]->takeOpened());
    account(group, all, Party::Client, watch.interval(), stats);
  }
  return {};
}

#define SD_ONLINE_RUN(R)                                                                                               \
  template Expected<void> runServiceOnline(const OnlineContext &, const WeightSet<R> &, ServiceBundle<R> &, Channel &, \
                                           std::vector<OpStats> &);                                                    \
  template Expected<void> runClientOnline<R>(const OnlineContext &, ClearPart &, ClientBundle<R> &, Channel &,         \
                                             std::vector<OpStats> &);
SD_ONLINE_RUN(Ring32)
SD_ONLINE_RUN(Ring64)
#undef SD_ONLINE_RUN

} // namespace sd
