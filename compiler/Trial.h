// One compilation in this process, to see what settings would give: what is proved, how far off it is, what it costs.
// Advice is printed only if such a trial bears it out.
#pragma once

#include "compiler/Comparison.h"
#include "passes/Pass.h"

namespace sd {

// What may be chosen. Everything else is as in the compilation that asks.
struct Settings {
  int scaleBits = 10;
  std::optional<int> weightScaleBits; // none: chosen for each layer
  int ringBits = 32;
  std::optional<int> boundBits;
  double approximationError = 0x1p-8;

  bool operator==(const Settings &) const = default;
};
Settings settingsOf(const Module &imported, const PassOptions &options);
PassOptions withSettings(PassOptions options, const Settings &settings);

// As flags of `sdc compile`, those that differ from `from`: "--scale 4096 --ring 64".
std::string flagsOf(const Settings &settings, const Settings &from);

struct TrialOptions {
  PassOptions passes;              // calibration included
  std::span<const Record> records; // to compare floats with fixed point on; may be empty
  const Tensor<float> *labels = nullptr;
  bool cost = true; // predict it, too: takes the time of writing the program
};

struct TrialResult {
  Settings settings;
  std::string refusal; // why there is no program; empty if there is one
  std::vector<RangeFact> ranges;
  std::vector<Coarseness> coarse;
  std::vector<std::string> warnings;
  std::int64_t recordsMeasured = 0; // by calibration
  double approximationError = 0;    // the largest of the piecewise linear functions; 0 if there are none
  std::size_t proved = 0, measured = 0, unknown = 0; // of the ranges
  std::optional<Comparison> comparison;
  double online = 0, offline = 0; // seconds predicted
  std::uint64_t onlineBytes = 0, offlineBytes = 0;
  double hidingBits = 0; // HidingAdvice.h

  bool compiled() const { return refusal.empty(); }
};

// Whether compiling a model takes too long to do it again and again, by its number of ops.
bool hasManyOps(const Module &imported);

// Compiles `imported` anew with these settings. Nothing is printed and `options` stays as it is.
TrialResult tryOut(const Module &imported, const Settings &settings, const TrialOptions &options);

} // namespace sd
