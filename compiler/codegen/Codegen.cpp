#include "compiler/codegen/Codegen.h"

#include <algorithm>
#include <map>
#include <set>

#include "ir/bytecode/File.h"
#include "ir/bytecode/Format.h"
#include "ir/bytecode/Writer.h"
#include "ir/core/ScheduleAttr.h"

namespace sd {

namespace {

class Generator {
public:
  Generator(Module module, Schema schema) : module_(std::move(module)), users_(usersOf(module_)) {
    out_.program.schema = std::move(schema);
  }

  Expected<Compiled> run() {
    SD_TRY(requireLowered());
    splitClearOps();
    done_.assign(module_.ops.size(), false);
    waiting_.assign(module_.ops.size(), 0);
    for (const auto &users : users_)
      for (std::size_t user : users)
        ++waiting_[user];
    slots_.assign(module_.types.size(), ~SlotId{0});
    out_.program.ringBits = module_.ringBits;
    out_.program.name = plainText(module_.name, format::kMaxStringBytes);

    emitAll(before_, false);
    emitAll(ofKind(OpKind::ShareInput), true);
    SD_TRY(body());
    emitAll(ofKind(OpKind::ShareOutput), true);
    emitAll(after_, false);

    SD_ASSIGN(const auto bytes, writeProgram(out_.program));
    withRing(module_.ringBits, [&]<RingWord R>() { out_.weights = weights<R>(digestOf(bytes)); });
    return std::move(out_);
  }

private:
  Expected<void> requireLowered() const {
    for (const Op &op : module_.ops) {
      const OpInfo &kind = info(op.kind);
      if (kind.opcode == 0)
        return fail("{}: {} is not part of a lowered module; run the default pipeline first", where(op), kind.mnemonic);
      if (compares(op.kind) && !op.attrs.has(Attr::Schedule))
        return fail("{}: {} has no schedule; run the pass choose-schedules first", where(op), kind.mnemonic);
      if (op.kind == OpKind::ShareConstant && !op.attrs.has(Attr::Weights))
        return fail("{}: {} has no weights", where(op), kind.mnemonic);
    }
    return {};
  }

  static std::string where(const Op &op) { return op.source.empty() ? "an op without a name" : op.source; }

  // Clear ops are the hospital's: those that wait for an opened value come last, the others first.
  void splitClearOps() {
    std::vector<bool> opened(module_.types.size());
    for (std::size_t i = 0; i < module_.ops.size(); ++i) {
      const Op &op = module_.ops[i];
      const bool clear = info(op.kind).level == Level::Nn;
      const bool late = op.kind == OpKind::ShareOutput || op.kind == OpKind::Return ||
                        (clear && std::ranges::any_of(op.operands, [&](ValueId v) { return opened[v]; }));
      if (op.result != kNoValue) opened[op.result] = late;
      if (op.kind == OpKind::ShareConstant || (clear && !late)) before_.push_back(i);
      if (clear && late) after_.push_back(i);
    }
  }

  std::vector<std::size_t> ofKind(OpKind kind) const {
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < module_.ops.size(); ++i) {
      if (module_.ops[i].kind == kind) found.push_back(i);
    }
    return found;
  }

  bool ready(std::size_t index) const { return waiting_[index] == 0; }

  // The secure part between inputs and outputs.
  Expected<void> body() {
    std::vector<std::vector<std::size_t>> rounds; // by first appearance
    std::map<std::int64_t, std::size_t> numbered;
    for (std::size_t i = 0; i < module_.ops.size(); ++i) {
      const Op &op = module_.ops[i];
      if (done_[i] || !info(op.kind).isInteractive() || op.kind == OpKind::ShareOutput) continue;
      if (op.attrs.has(Attr::Round)) {
        const auto [it, isNew] = numbered.emplace(op.attrs.i(Attr::Round), rounds.size());
        if (isNew) rounds.emplace_back();
        rounds[it->second].push_back(i);
      } else {
        rounds.push_back({i});
      }
    }
    for (auto first = rounds.begin();;) { // the first that is not done: the rounds' order is mostly theirs already
      emitAll(takeRunnable(), false);
      while (first != rounds.end() && done_[first->front()])
        ++first;
      if (first == rounds.end()) break;
      const auto next = std::find_if(first, rounds.end(), [&](const auto &round) {
        return !done_[round.front()] && std::ranges::all_of(round, [&](std::size_t i) { return ready(i); });
      });
      if (next == rounds.end()) return unorderable(rounds);
      emitAll(*next, true);
    }
    return {};
  }

  // The secure part's local ops that can run. The module's order is one in which they can.
  std::vector<std::size_t> takeRunnable() {
    std::vector<std::size_t> taken;
    while (!runnable_.empty()) {
      taken.push_back(runnable_.extract(runnable_.begin()).value());
      finish(taken.back());
    }
    return taken;
  }

  void finish(std::size_t index) {
    if (done_[index]) return;
    done_[index] = true;
    if (module_.ops[index].result == kNoValue) return;
    for (std::size_t user : users_[module_.ops[index].result]) {
      --waiting_[user];
      const OpInfo &kind = info(module_.ops[user].kind);
      if (kind.level == Level::Share && !kind.isInteractive() && ready(user)) runnable_.insert(user);
    }
  }

  tl::unexpected<Error> unorderable(const std::vector<std::vector<std::size_t>> &rounds) const {
    for (const auto &round : rounds) {
      for (std::size_t i : round) {
        if (!done_[i] && !ready(i))
          return fail("{}: round {} depends on itself or on another that depends on it; run the pass batch-rounds",
                      where(module_.ops[i]), module_.ops[i].attrs.i(Attr::Round, 0));
      }
    }
    return fail("the rounds of the module can't be ordered; run the pass batch-rounds");
  }

  void emitAll(const std::vector<std::size_t> &list, bool interactive) {
    if (list.empty()) return;
    auto &program = out_.program;
    const auto begin = static_cast<std::uint32_t>(program.instructions.size());
    for (std::size_t i : list)
      emit(i);
    for (std::size_t i : list)
      finish(i);
    program.groups.push_back({begin, static_cast<std::uint32_t>(program.instructions.size()), interactive});
  }

  void emit(std::size_t index) {
    const Op &op = module_.ops[index];
    Instruction it{op.kind, {}, ~SlotId{0}, op.attrs, plainText(op.source, format::kMaxStringBytes)};
    for (ValueId v : op.operands)
      it.operands.push_back(slots_[v]);
    if (op.result != kNoValue) {
      it.result = slots_[op.result] = static_cast<SlotId>(out_.program.slots.size());
      out_.program.slots.push_back(module_.type(op.result));
    }
    it.attrs.erase(Attr::Round);
    if (op.kind == OpKind::ShareConstant) {
      weights_.push_back(index);
      it.attrs.erase(Attr::Weights);
    }
    if (op.kind == OpKind::Input)
      it.attrs.set(Attr::Name, plainText(op.attrs.str(Attr::Name), format::kMaxStringBytes));
    if (op.kind == OpKind::Return) {
      auto names = op.attrs.strings(Attr::Names);
      for (auto &name : names)
        name = plainText(name, format::kMaxStringBytes);
      it.attrs.set(Attr::Names, std::move(names));
    }
    out_.program.instructions.push_back(std::move(it));
  }

  // What the program's share.constants stand for; the rule of share.constant says that it fits. The module's own go one
  // by one: they are most of what a compilation holds.
  template <RingWord R>
  WeightSet<R> weights(const Digest &program) {
    WeightSet<R> set{program, {}};
    for (const std::size_t index : weights_) {
      Attrs &attrs = module_.ops[index].attrs;
      attrs.integers(Attr::Weights).visit([&](const auto &tensor) {
        set.tensors.push_back({tensor.shape, {tensor.data.begin(), tensor.data.end()}});
      });
      attrs.erase(Attr::Weights);
    }
    return set;
  }

  Module module_;
  std::vector<std::size_t> weights_;            // share.constants in the program's order
  std::vector<std::vector<std::size_t>> users_; // ops that use each value
  std::vector<std::size_t> before_, after_;
  std::vector<bool> done_;           // by op
  std::vector<std::size_t> waiting_; // by op: its operands that are not done
  std::set<std::size_t> runnable_;   // local ops whose operands are done, and they are not
  std::vector<SlotId> slots_;        // by value
  Compiled out_;
};

} // namespace

Expected<Compiled> generate(Module lowered, Schema schema) {
  return Generator(std::move(lowered), std::move(schema)).run();
}

Expected<void> writeCompiled(const Compiled &compiled, const std::string &programPath, const std::string &weightsPath) {
  SD_ASSIGN(const auto program, writeProgram(compiled.program));
  SD_ASSIGN(const auto weights, writeWeights(compiled.weights, compiled.program));
  SD_TRY(writeFileAtomically(weightsPath, weights, FileMode::Private));
  return writeFileAtomically(programPath, program, FileMode::Public);
}

} // namespace sd
