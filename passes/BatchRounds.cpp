// Interactive ops that don't depend on each other get one number and stand together: they share their messages.
// Round 0 is that of the inputs; an op's is one more than the latest it depends on.
#include <algorithm>
#include <map>

#include "passes/Pass.h"
#include "passes/Rewrite.h"

namespace sd {

namespace {

// Where an op goes: clear preparation, inputs, then by turns local ops and a round, outputs, clear finish.
struct Position {
  int phase = 0, round = 0;
  bool local = false; // depends on the round's messages
  auto operator<=>(const Position &) const = default;
};

constexpr int kPrepare = 0, kEnter = 1, kCompute = 2, kOpen = 3, kFinish = 4;

Position positionOf(const Op &op, const std::vector<Position> &operands) {
  Position latest;
  for (auto &position : operands)
    latest = std::max(latest, position);
  const OpInfo &about = info(op.kind);
  if (op.kind == OpKind::ShareInput) return {kEnter};
  if (op.kind == OpKind::ShareOutput) return {kOpen};
  if (about.level == Level::Nn) return {latest.phase >= kOpen || op.kind == OpKind::Return ? kFinish : kPrepare};
  if (op.kind == OpKind::ShareConstant) return {kPrepare};
  const int round = latest.phase == kCompute ? latest.round : 0; // of the last messages it depends on
  return about.isInteractive() ? Position{kCompute, round + 1, false} : Position{kCompute, round, true};
}

} // namespace

Expected<Module> batchRounds(const Module &module, PassContext &) {
  std::vector<Position> positions(module.types.size()); // by value
  struct Entry {
    Position position;
    std::size_t op;
  };
  std::vector<Entry> entries;
  for (std::size_t i = 0; i < module.ops.size(); ++i) {
    const Op &op = module.ops[i];
    std::vector<Position> operands;
    for (auto operand : op.operands)
      operands.push_back(positions[operand]);
    const Position position = positionOf(op, operands);
    if (op.result != kNoValue) positions[op.result] = position;
    entries.push_back({position, i});
  }
  std::ranges::stable_sort(entries, {}, &Entry::position);

  Rewriter rewriter(module);
  for (auto &[position, index] : entries) {
    const Op &op = module.ops[index];
    Attrs attrs = op.attrs;
    const auto optional = info(op.kind).optional;
    if (std::ranges::find(optional, Attr::Round) != optional.end())
      attrs.set(Attr::Round, std::int64_t{position.round});
    rewriter.clone(op, std::move(attrs));
  }
  return rewriter.finish();
}

} // namespace sd
