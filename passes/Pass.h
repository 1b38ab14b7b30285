// What a pass is: a named function from a module to a module.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/Module.h"
#include "ir/core/ProtocolCost.h"
#include "ir/core/Ring.h"

namespace sd {

// What a range must be, or the module is refused: nothing (what is neither proved nor measured well is warned about);
// proved, or measured on enough records; proved.
enum class RangePolicy : std::uint8_t { Warn, Measured, Require };

struct PassOptions {
  int scaleBits = 10;                 // s: activations hold round(v 2^s)
  std::optional<int> weightScaleBits; // w: weights of linear layers hold round(v 2^w); none: weightScaleOf()
  std::optional<int> boundBits;       // k where no bound is known: of truncations, comparisons and inputs
  bool privateNormalization = false;  // a leading normalisation of an input is the service's secret
  bool roundOutputs = false;          // to the scale before they are opened
  bool revealClass = false;           // open which class has the largest score, not the scores
  RangePolicy ranges = RangePolicy::Warn;
  std::int64_t minRecords = 100; // that a measured range needs
  NetworkProfile network = NetworkProfile::lan();
  double approximationError = 0x1p-8;                                // of smooth activations, over all real numbers
  std::span<const std::map<std::string, Tensor<float>>> calibration; // records to measure ranges on: inputs by name
  // Of each element of an input's record, by the input's name, where they differ; nn.input's range holds them all.
  std::map<std::string, std::vector<std::pair<double, double>>> columnRanges; // ColumnRanges of Intervals.h
  // By output that holds findings, or a single score of two classes: present, or the second class, if its value is
  // above the threshold; one for each element, or one for all. What --reveal class opens there is that decision.
  std::map<std::string, std::vector<double>> thresholds;
  std::function<void(std::size_t done, std::size_t all)> progress; // of calibration records, while they are measured
};

// The source of constants that come from the declared ranges of the input, and from nothing else.
inline constexpr std::string_view kDeclaredRanges = "declared ranges";

// How the promise of a truncation, a comparison or an output was checked.
struct RangeFact {
  enum class Basis : std::uint8_t { Proved, Measured, Unknown };
  std::string where;   // "Conv_0 (share.relu)"
  double limit = 0;    // largest |y| that the op takes, in units of the integers
  double proved = 0;   // largest |y| by interval analysis
  double measured = 0; // largest |y| over the calibration records
  bool wasMeasured = false;
  int scale = 0; // y / 2^scale is the real
  Basis basis = Basis::Unknown;

  // Bits between the largest |y| that was measured, or else proved, and the limit; negative beyond it.
  double margin() const { return std::log2(limit / std::max(wasMeasured ? measured : proved, 1.0)); }
};

// A smooth function that became a piecewise linear one.
struct Approximation {
  std::string where; // "Tanh_0 (nn.tanh)"
  std::size_t knots = 0;
  double error = 0;      // the largest, over all real numbers, but for slopeError |x| far from 0
  double slopeError = 0; // where the outer slopes could not be written exactly
};

// How far the rounded weights of a linear layer are from the model's, relative to their size, by output channel.
struct Coarseness {
  std::string where;
  std::size_t channels = 0, coarse = 0; // those that are off by more than 2 %
  double worst = 0;
  int scale = 0; // of the weights; the finest, if they have several
};

struct PassContext {
  PassOptions options;
  std::vector<std::string> warnings;
  std::vector<RangeFact> ranges;             // of the last run of analyse-ranges
  std::int64_t recordsMeasured = 0;          // by it: runs times the batch
  std::vector<Approximation> approximations; // of the last run of approximate
  std::vector<Coarseness> coarse;            // of the last run of quantize, a layer each
  bool vanished = false;                     // the last run of quantize refused constants that all round to zero
};

// k if none is asked for: all that 32 bits have; of 64 bits as many as leave comparisons narrow.
constexpr int defaultBoundBits(int ringBits) { return ringBits == kBitsOf<Ring32> ? kBoundBitsOf<Ring32> : 46; }
inline int boundBitsOf(const Module &module, const PassOptions &options) {
  return options.boundBits.value_or(defaultBoundBits(module.ringBits));
}

// t of a truncation: so many bits of k are left.
inline constexpr int kLeastRoundedBits = 6;
inline int maxTruncationOf(const Module &module, const PassOptions &options) {
  return std::min(maxTruncation(module.ringBits), boundBitsOf(module, options) - kLeastRoundedBits);
}

// Whether a truncation leaves fewer bits than one that rounds may: what it gives is a sign, of nn.atmost.
inline bool isDecision(const Op &truncate) {
  return truncate.attrs.i(Attr::Bound) - truncate.attrs.i(Attr::Bits) < kLeastRoundedBits;
}

// Values carried at a scale finer than they need are to leave room for |y| < 64 below the bound.
inline constexpr int kRoomBits = 6;

// What a halved scale gives a product back: bits by which a value may be carried finer than it needs, to save a
// truncation, without a smaller scale ever leaving less room than a larger one that truncates.
inline constexpr int kSpareBits = 2;

// log2 of the largest summand in front of a ReLU with turned channels (carry-batch-norm): a quarter of what a truncated
// product may reach.
inline int turnedSummandBits(int boundBits, int scaleBits) { return boundBits - 2 - 2 * scaleBits; }

using PassFunction = Expected<Module> (*)(const Module &, PassContext &);

struct Pass {
  std::string_view name, summary;
  PassFunction run;
};

std::span<const Pass> allPasses();
const Pass *findPass(std::string_view name); // null if there is none

#define SD_PASS(function, name, summary) Expected<Module> function(const Module &, PassContext &);
#include "passes/Passes.def"
#undef SD_PASS

} // namespace sd
