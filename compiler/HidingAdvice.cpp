#include "compiler/HidingAdvice.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "ir/core/LinearHiding.h"
#include "ir/core/LinearTransfer.h"
#include "passes/Linear.h"

namespace sd {

namespace {
// Bits that are tried beyond those that are missing: some layers' weights may be coarser than the scale as they are.
constexpr std::array kCoarser{0, 1, 2, 4};

bool hasConstants(const Module &imported) {
  return std::ranges::all_of(imported.ops,
                             [](const Op &op) { return op.kind != OpKind::Constant || op.attrs.has(Attr::Value); });
}
} // namespace

Hiding hidingOf(const Module &lowered) {
  std::vector<const Op *> ops, makerOf(lowered.types.size());
  std::vector<LinearGeometry> layers;
  for (const Op &op : lowered.ops) {
    if (op.result != kNoValue) makerOf[op.result] = &op;
    if (!isPacked(op.kind)) continue;
    std::vector<Type> operands;
    std::int64_t elements = elementCount(lowered.type(op.result).shape);
    for (const ValueId operand : op.operands) {
      operands.push_back(lowered.type(operand));
      elements = std::max(elements, elementCount(operands.back().shape));
    }
    if (elements > kMostPackedElements) continue;
    ops.push_back(&op);
    layers.push_back(linearGeometry(op.kind, operands, op.attrs, lowered.type(op.result), lowered.ringBits));
  }
  const std::vector<TransferCost> transfers = chooseTransfers(layers);
  double sum = 0, largest = 0;
  Hiding hiding;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (transfers[i]) continue;
    const Integers &weights = makerOf[ops[i]->operands[1]]->attrs.integers(Attr::Weights);
    const double squares = weights.visit([&]<class T>(const Tensor<T> &tensor) {
      return replySquares<T>(layers[i], choosePacking(layers[i]), tensor.data);
    });
    sum += squares;
    if (squares <= largest) continue;
    largest = squares;
    hiding.most = info(ops[i]->kind).mnemonic;
    if (!ops[i]->source.empty()) hiding.most += " " + ops[i]->source;
  }
  hiding.bits = hidingBits(sum, lowered.ringBits);
  return hiding;
}

std::string adviseOnHiding(const Compilation &now, const Module &lowered) {
  const Hiding hiding = hidingOf(lowered);
  if (hiding.bits >= kHidingBits) return {};
  const Settings settings = settingsOf(now.imported, now.context.options);
  const int missing =
      static_cast<int>(std::ceil(kHidingBits - hiding.bits)); // twice as large weights tell twice as much
  const int scale = settings.weightScaleBits.value_or(settings.scaleBits) - missing;
  std::vector<Settings> candidates(kCoarser.size() + 1, settings);
  for (std::size_t i = 0; i < kCoarser.size(); ++i)
    candidates[i].weightScaleBits = scale - kCoarser[i];
  candidates.back().ringBits = kBitsOf<Ring64>;
  candidates.back().boundBits.reset();
  std::string tried = "tried: neither a smaller --weight-scale nor --ring 64 helps";
  if (!hasConstants(now.imported) || hasManyOps(now.imported)) // constants went, since the model is large
    tried = fmt::format("not tried, since the model is large: {}", flagsOf(candidates[0], settings)),
    candidates.clear();
  for (const Settings &each : candidates) {
    if (each == settings || each.weightScaleBits.value_or(1) < 1) continue;
    const TrialResult trial = tryOut(now.imported, each, {.passes = now.context.options, .records = {}});
    if (!trial.compiled() || trial.hidingBits < kHidingBits) continue;
    tried = fmt::format("tried: with {} it is 2^-{:.2f}", flagsOf(each, settings), trial.hidingBits);
    break;
  }
  return fmt::format(
      "sd-run will refuse these weights, for the linear protocol would not hide them: an inference tells of "
      "them up to 2^-{:.2f}, and 2^-{} is the most (the most of it by {}); {}; or let a dealer make the "
      "correlations (sd-run --preprocess), which tells nothing",
      hiding.bits, kHidingBits, hiding.most, tried);
}

} // namespace sd
