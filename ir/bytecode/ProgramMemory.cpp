#include "ir/bytecode/ProgramMemory.h"

#include <algorithm>

#include "ir/core/OpFamilies.h"
#include "ir/core/ScheduleAttr.h"

namespace sd {

namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
// Measured with one session over TCP on Debian 12 (docs/benchmarks.md).
constexpr std::uint64_t kProcess = 21 * kMiB;
constexpr std::uint64_t kSilentOts = 84'000; // from here on by the silent extension
constexpr std::uint64_t kSilent = 3 * kMiB;  // batches and tables that it has at any size
constexpr std::uint64_t kBytesPerInstruction = 1200, kBytesPerComparison = 6000; // plan, layout and statistics
constexpr std::uint64_t kPolynomialsPerThread = 8;                               // sums, replies and weights on the way
constexpr std::uint64_t kUnread = std::uint64_t{256} << 20;       // of runtime/net: then the peer is held back
constexpr std::uint64_t kWindowElements = std::uint64_t{1} << 21; // of runtime/offline: made at once

// What one element takes at one party, in bits: its material, and what a window holds beside that until it is made.
struct Material {
  std::uint64_t kept = 0, made = 0;
};

// As runtime/offline/Material.h lists the fields, in memory.
std::array<Material, 2> materialOf(const Instruction &it, std::uint64_t word) {
  switch (it.op) {
  case OpKind::ShareInput:
  case OpKind::ShareOutput:
    return {Material{}, Material{word, 0}};
  case OpKind::ShareMul:
    return {Material{3 * word, 0}, Material{4 * word, 0}};
  case OpKind::ShareDot: // of the result; the operands' masks are counted beside it
    return {Material{word, 0}, Material{2 * word, 0}};
  case SD_SHARE_COMPARISONS:
    break;
  case OpKind::ShareConstant: // local, or, of linear layers, counted apart
  case SD_SHARE_PACKED:
  case OpKind::ShareAddW:
  case SD_SHARE_SUMS:
  case SD_SHARE_CONSTANTS:
  case SD_SHARE_LAYOUT:
#include "ir/core/NnCases.def"
    return {};
  }
  const CompareShape shape = compareShape(it.op, it.attrs);
  const CompareTree tree = shape.tree();
  MergeCost merges;
  for (const MergeCost &level : mergeCosts(shape.schedule))
    merges += level;
  const auto bits = [](int count) { return static_cast<std::uint64_t>(count); };
  const std::uint64_t select = shape.selects ? 1 : 0, cut = shape.truncation ? 1 : 0,
                      nodes = bits(merges.wires + merges.products);
  const std::uint64_t shared =
      bits(tree.tablePlanes()) + nodes + bits(shape.results()) + (select + 2 * cut + 2 * std::min(select, cut)) * word;
  const std::uint64_t maximum = it.op == OpKind::ShareMax ? 1 : 0, products = bits(merges.products);
  Material service{shared + bits(tree.bits) + bits(shape.wraps()) + select * word,
                   bits(merges.choices) + 2 * products + nodes};
  Material client{shared + (2 + maximum) * word, 4 * products + nodes};
  return {service, client};
}

// Tables and buffers of one direction of the OT extension (runtime/ot/LpnParameters.h), for so many OTs: a set's
// inputs, with the larger figure of each set also those of its next run.
std::uint64_t extensionBytes(std::uint64_t ots) {
  struct Extension {
    std::uint64_t most, bytes;
  };
  static constexpr Extension kSets[] = {
      {600'000, 3 * kMiB / 2},    {900'000, 3 * kMiB},        {1'500'000, 3 * kMiB},         {2'400'000, 5 * kMiB},
      {3'400'000, 11 * kMiB / 2}, {9'000'000, 19 * kMiB / 2}, {~std::uint64_t{0}, 18 * kMiB}};
  if (ots < kSilentOts) return 16 * ots + (ots ? kMiB / 4 : 0);
  return std::ranges::find_if(kSets, [&](const Extension &set) { return ots < set.most; })->bytes;
}

class Measuring {
public:
  Measuring(const Program &program, const ProgramCost &cost, const MemoryOptions &options)
      : program_(program), cost_(cost), options_(options), word_(static_cast<std::uint64_t>(program.ringBits) / 8) {}

  std::array<PartyMemory, 2> run() {
    for (std::size_t i = 0; i < program_.instructions.size(); ++i)
      add(program_.instructions[i], cost_.instructions[i]);
    linear();
    const std::uint64_t extension = extensionBytes(cost_.offline.ots) + extensionBytes(cost_.offline.reverseOts) +
                                    (cost_.offline.ots >= kSilentOts ? kSilent : 0);
    for (int party : {0, 1}) {
      PartyMemory &own = parties_[party];
      own.process = kProcess;
      own.extension = extension;
      own.window = largestWindow_[party];
    }
    online();
    parties_[0].weights = cost_.weightBytes;
    parties_[1].masks = maskBytes_;
    // Half of the corrections arrive faster than they are used.
    parties_[1].dealt = cost_.weightBytes + std::min(cost_.offline.dealerBytes / 2, kUnread);
    return parties_;
  }

private:
  std::uint64_t elements(SlotId slot) const {
    return static_cast<std::uint64_t>(elementCount(program_.slots[slot].shape));
  }

  void add(const Instruction &it, const InstructionCost &cost) {
    std::uint64_t attributes = 0;
    for (const auto &[attr, value] : it.attrs) {
      if (const auto *list = std::get_if<std::vector<std::int64_t>>(&value)) attributes += 8 * list->size();
      if (const auto *floats = std::get_if<Floats32>(&value)) attributes += 4 * (*floats)->data.size();
    }
    const bool compares = it.op == OpKind::ShareRelu || it.op == OpKind::ShareMax || it.op == OpKind::ShareTruncate;
    for (PartyMemory &party : parties_)
      party.program += kBytesPerInstruction + attributes + (compares ? kBytesPerComparison : 0);
    if (!info(it.op).hasResult()) return;
    const std::uint64_t count = elements(it.result);
    if (program_.slots[it.result].holder == Holder::Share) maskBytes_ += count * word_;
    const std::array<Material, 2> own = materialOf(it, 8 * word_);
    for (int party : {0, 1})
      parties_[party].correlations += count * own[party].kept / 8;
    if (compares || it.op == OpKind::ShareMul) addToWindow(count, own);
    if (it.op == OpKind::ShareDot) {
      parties_[1].fresh += count * word_;
      const std::uint64_t operandBytes = (elements(it.operands[0]) + elements(it.operands[1])) * word_;
      for (PartyMemory &party : parties_)
        party.correlations += operandBytes;
      // One of the batch after another.
      const auto batch = static_cast<std::uint64_t>(program_.slots[it.result].shape[0]);
      dotUploads_ = std::max(dotUploads_, static_cast<std::uint64_t>(cost.packing.uploads) / batch);
      bytesUp_ += static_cast<std::uint64_t>(cost.packing.bytesUp);
      return;
    }
    if (!isPacked(it.op)) {
      if (info(it.op).isInteractive()) parties_[1].fresh += count * word_;
      return;
    }
    parties_[0].correlations += count * word_;
    parties_[0].fresh += count * word_;
    if (cost.transfers) {
      taps_ += cost.transfers.taps * 12;
      return;
    }
    uploads_ = std::max(uploads_, static_cast<std::uint64_t>(cost.packing.uploads));
    kept_ += static_cast<std::uint64_t>(cost.packing.denseWeights);
    bytesUp_ += static_cast<std::uint64_t>(cost.packing.bytesUp);
  }

  void addToWindow(std::uint64_t count, const std::array<Material, 2> &own) {
    if (windowElements_ + count > kWindowElements) windowElements_ = 0, window_ = {};
    windowElements_ += count;
    for (int party : {0, 1}) {
      window_[party] += count * own[party].made / 8;
      largestWindow_[party] = std::max(largestWindow_[party], window_[party]);
    }
  }

  void linear() {
    for (PartyMemory &party : parties_)
      party.linear = taps_;
    // Layers and products of matrices follow each other, and what is there for one is given back before the next.
    const ByParty layers = polynomials(RlweUse::Weights, uploads_, 2),
                  dots = polynomials(RlweUse::Masks, dotUploads_, 3);
    parties_[0].cache = std::min(kept_ * polynomialBytes(rlweSizes(program_.ringBits)), options_.weightCache);
    parties_[0].linear += std::max(layers[0], dots[0]) + std::min(bytesUp_, kUnread);
    parties_[1].linear += std::max(layers[1], dots[1]);
  }

  static std::uint64_t polynomialBytes(const RlweSizes &sizes) {
    return static_cast<std::uint64_t>(sizes.uploadBits / 50) * static_cast<std::uint64_t>(sizes.degree) * 8;
  }

  // `each`: polynomials that the service has for an upload.
  ByParty polynomials(RlweUse use, std::uint64_t uploads, std::uint64_t each) const {
    if (uploads == 0) return {};
    const RlweSizes sizes = rlweSizes(program_.ringBits, use);
    const std::uint64_t polynomial = polynomialBytes(sizes);
    const std::uint64_t atWork = kPolynomialsPerThread * static_cast<std::uint64_t>(options_.threads) * polynomial;
    const std::uint64_t batch = std::min<std::uint64_t>(uploads, kUploadsPerMessage);
    return {each * uploads * polynomial + atWork,
            batch * (polynomial + static_cast<std::uint64_t>(sizes.uploadBytes())) + atWork};
  }

  // Values live to the end of their last user's group. The service has shares, the hospital what is clear; messages of
  // a group are there as a whole.
  void online() {
    constexpr std::size_t kNever = ~std::size_t{0};
    std::vector<std::size_t> lastUse(program_.slots.size(), kNever);
    for (std::size_t g = 0; g < program_.groups.size(); ++g)
      for (auto i = program_.groups[g].begin; i < program_.groups[g].end; ++i) {
        const Instruction &it = program_.instructions[i];
        if (info(it.op).hasResult() && lastUse[it.result] == kNever) lastUse[it.result] = g;
        for (const SlotId slot : it.operands)
          lastUse[slot] = g;
      }
    ByParty alive{};
    std::vector<ByParty> freed(program_.groups.size());
    for (std::size_t g = 0; g < program_.groups.size(); ++g) {
      for (auto i = program_.groups[g].begin; i < program_.groups[g].end; ++i) {
        const Instruction &it = program_.instructions[i];
        if (!info(it.op).hasResult() || it.op == OpKind::ShareConstant) continue;
        const int party = program_.slots[it.result].holder == Holder::Clear ? 1 : 0;
        const std::uint64_t bytes = elements(it.result) * (party ? sizeof(float) : word_);
        alive[party] += bytes;
        freed[lastUse[it.result]][party] += bytes;
      }
      for (const int party : {0, 1}) {
        const std::uint64_t messages = cost_.groups[g].onlineBytes[0] + cost_.groups[g].onlineBytes[1];
        parties_[party].online = std::max(parties_[party].online, alive[party] + messages);
        alive[party] -= freed[g][party];
      }
    }
  }

  const Program &program_;
  const ProgramCost &cost_;
  const MemoryOptions &options_;
  const std::uint64_t word_;
  std::array<PartyMemory, 2> parties_;
  std::uint64_t maskBytes_ = 0, taps_ = 0, uploads_ = 0, dotUploads_ = 0, kept_ = 0, bytesUp_ = 0;
  std::uint64_t windowElements_ = 0;
  std::array<std::uint64_t, 2> window_{}, largestWindow_{};
};

} // namespace

std::uint64_t PartyMemory::session(CorrelationSource source) const {
  const std::uint64_t use = correlations + online;
  if (source == CorrelationSource::Store) return program + use;
  if (source == CorrelationSource::Dealer) return program + std::max(use, correlations + masks + dealt);
  const std::uint64_t keptByAllocator = linear / 2; // between what is in use
  const std::uint64_t making = std::max(fresh + linear, correlations + window + keptByAllocator) + masks + extension;
  return program + std::max(making, use);
}

std::span<const MemoryPart> memoryParts() {
  static constexpr MemoryPart kParts[] = {
      {"process", &PartyMemory::process},
      {"program", &PartyMemory::program},
      {"weights", &PartyMemory::weights},
      {"cache", &PartyMemory::cache},
      {"correlations", &PartyMemory::correlations},
      {"fresh", &PartyMemory::fresh},
      {"masks", &PartyMemory::masks},
      {"linear", &PartyMemory::linear},
      {"extension", &PartyMemory::extension},
      {"window", &PartyMemory::window},
      {"online", &PartyMemory::online},
      {"dealt", &PartyMemory::dealt},
  };
  return kParts;
}

std::array<PartyMemory, 2> memoryOf(const Program &program, const ProgramCost &cost, const MemoryOptions &options) {
  return Measuring(program, cost, options).run();
}

} // namespace sd
