// What a model's records and results mean: what its file says, a user's schema over that, and what its ops say.
#pragma once

#include <optional>

#include "compiler/onnx/Import.h"
#include "ir/bytecode/Schema.h"
#include "passes/Pass.h"

namespace sd {

struct Meaning {
  Schema schema;                     // of every input and output
  std::vector<std::string> warnings; // what it leaves open
};

// Of a module at nn level, or lowered. Declared ranges go into its nn.input ops and, where columns have their own, into
// `options.columnRanges`; what findings are decided by into `options.thresholds`. Errors list all that does not fit.
Expected<Meaning> describeModel(Module &module, const ModelFacts &facts, const std::optional<Schema> &given,
                                PassOptions &options);

// Adds what the passes have found to what `lowered`'s program will say: which bounds are not proved; the range of the
// calibration records for inputs without a declared one, if some bound rests on these records; that decisions are
// opened.
void addFacts(Schema &schema, const PassContext &context, Module &lowered);

// Of --private-normalization on columns that have one range for all of them: a line that names a closer way; else
// empty.
std::string describeCommonRange(const Module &imported, const PassOptions &options);

// One line about the public constants of a program that come from training, if there are any: the means and deviations
// of a normalisation that the hospital does. Empty otherwise.
std::string describePublicTraining(const Module &lowered, const PassOptions &options);

// One line about what is opened in the place of a result that the hospital computes from it, by functions other than a
// softmax, sigmoid, argmax or topk. Empty if there are none.
std::string describeClearEnd(const Module &lowered);

} // namespace sd
