#include "WholePath.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "compiler/Compile.h"
#include "compiler/Pipeline.h"
#include "compiler/RoundingAdvice.h"
#include "compiler/codegen/Codegen.h"
#include "ir/bytecode/ProgramCost.h"
#include "ir/bytecode/ProgramView.h"
#include "ir/bytecode/Writer.h"
#include "runtime/net/MemoryChannel.h"
#include "runtime/vm/Local.h"
#include "runtime/vm/Providers.h"

namespace sd::testing {

namespace {

// What is tried, in order: at a scale of fewer bits Q would let anything pass.
struct Arithmetic {
  int scaleBits, ringBits;
};
constexpr Arithmetic kArithmetics[] = {{10, 32}, {8, 32}, {10, 64}};
constexpr double kUnits = 8; // of 2^-s, what fixed point may add relative to the largest output

std::string firstLine(const std::string &text) { return text.substr(0, text.find('\n')); }

Outcome refused(const std::string &why) { return {Verdict::Refused, firstLine(why)}; }
Outcome wrong(std::string_view stage, const std::string &why) {
  return {Verdict::Wrong, fmt::format("{}: {}", stage, firstLine(why))};
}

std::string summary(const std::vector<ImportProblem> &problems, const std::string &message) {
  if (problems.empty()) return message;
  const std::string first = firstLine(toString(problems[0]));
  return problems.size() == 1 ? first : fmt::format("{} (and {} more)", first, problems.size() - 1);
}

struct Built {
  Module imported;
  Arithmetic arithmetic{};
  double layers = 0; // products of values by weights or with each other
  LoadedProgram program;
  AnyWeightSet weights;
  std::vector<NamedTensors> records;
};

Expected<std::vector<NamedTensors>> recordsOf(const Module &module, const std::vector<Example> &examples) {
  std::vector<NamedTensors> records;
  for (const Example &example : examples) {
    NamedTensors &record = records.emplace_back();
    std::size_t next = 0;
    for (const Op &op : module.ops) {
      if (op.kind != OpKind::Input) continue;
      if (next == example.inputs.size()) return fail("the module has more inputs than the record");
      Tensor<float> input = example.inputs[next++];
      if (input.size() != elementCount(module.type(op.result).shape))
        return fail("a recorded input is {}, the module's {}", sd::toString(input.shape),
                    sd::toString(module.type(op.result).shape));
      input.shape = module.type(op.result).shape;
      record[op.attrs.str(Attr::Name)] = std::move(input);
    }
  }
  return records;
}

// The recorded batch, where the model leaves it open.
Expected<Module> import(const Trial &trial, std::vector<ImportProblem> &problems) {
  SD_ASSIGN(Module module, trial.import({}, problems));
  if (trial.examples.empty() || trial.examples[0].inputs.empty()) return module;
  const Shape &given = trial.examples[0].inputs[0].shape, &shape = module.type(module.ops[0].result).shape;
  if (given.size() != shape.size() || given.empty() || given[0] == shape[0]) return module;
  ImportOptions options;
  options.batch = given[0];
  return trial.import(options, problems);
}

Expected<Compiled> compileFor(const Arithmetic &arithmetic, const Built &built, bool &coarse) {
  PassContext context;
  context.options.scaleBits = arithmetic.scaleBits;
  if (arithmetic.ringBits == kBitsOf<Ring64>) context.options.boundBits = kBoundBitsOf<Ring64>;
  context.options.ranges = RangePolicy::Measured;
  context.options.minRecords = 1;
  context.options.calibration = built.records;
  Module module = built.imported;
  module.ringBits = arithmetic.ringBits;
  SD_ASSIGN(const Module lowered, lower(module, {.passes = defaultPipeline(), .manager = {}}, context));
  coarse = !describeRounding(context.coarse).empty();
  return generate(lowered);
}

// In the first arithmetic that the records' values leave room for, and of whose weights the compiler does not warn;
// where it warns of all, in the first with room.
Expected<Compiled> compile(Built &built) {
  Expected<Compiled> compiled = fail("");
  Arithmetic taken = kArithmetics[0];
  for (const Arithmetic &arithmetic : kArithmetics) {
    built.arithmetic = arithmetic;
    bool coarse = false;
    Expected<Compiled> next = compileFor(arithmetic, built, coarse);
    if (compiled && (!next || coarse)) continue;
    compiled = std::move(next);
    if (!compiled) continue; // the last of several errors remains
    taken = arithmetic;
    if (!coarse) break;
  }
  if (!compiled) return compiled;
  built.arithmetic = taken;
  for (const Instruction &instruction : compiled->program.instructions)
    built.layers += instruction.op == OpKind::ShareConv || instruction.op == OpKind::ShareMatMul ||
                    instruction.op == OpKind::ShareScale || instruction.op == OpKind::ShareMul ||
                    instruction.op == OpKind::ShareDot;
  return compiled;
}

// Both files written and read again.
Expected<void> reload(const Compiled &compiled, Built &built) {
  SD_ASSIGN(const auto program, writeProgram(compiled.program));
  SD_ASSIGN(const auto weights, writeWeights(compiled.weights, compiled.program));
  SD_ASSIGN(built.program.program, readProgram(program));
  built.program.digest = digestOf(program);
  return withRing(built.program.program.ringBits, [&]<RingWord R>() -> Expected<void> {
    SD_ASSIGN(built.weights, readWeights<R>(weights, built.program.program, built.program.digest));
    return {};
  });
}

double largestOf(const Tensor<float> &x) {
  double largest = 0;
  for (float v : x.data)
    largest = std::max(largest, std::abs(static_cast<double>(v)));
  return largest;
}

double quantisationError(const Built &built, const Tensor<float> &expected) {
  return std::ldexp(kUnits * std::sqrt(std::max(1.0, built.layers)), -built.arithmetic.scaleBits) *
         std::max(1.0, largestOf(expected));
}

// The first element that is further away than it may be; `allowed` by element.
template <class Allowed>
Expected<void> compare(const Tensor<float> &got, const Tensor<float> &expected, Allowed allowed) {
  if (got.shape != expected.shape)
    return fail("shape {}, not {}", sd::toString(got.shape), sd::toString(expected.shape));
  for (std::size_t i = 0; i < got.data.size(); ++i) {
    const double distance = std::abs(static_cast<double>(got.data[i]) - static_cast<double>(expected.data[i]));
    const bool bothNone = std::isnan(got.data[i]) && std::isnan(expected.data[i]);
    if (!(distance <= allowed(i)) && !bothNone)
      return fail("element {} is {}, not {} (within {:.3g})", i, got.data[i], expected.data[i], allowed(i));
  }
  return {};
}

template <class Check>
Expected<void> eachOutput(const std::vector<Tensor<float>> &got, const Example &example, Check check) {
  if (got.size() != example.outputs.size()) return fail("{} outputs, not {}", got.size(), example.outputs.size());
  for (std::size_t o = 0; o < got.size(); ++o)
    if (auto same = check(o); !same) return fail("output {}: {}", o, same.error().message);
  return {};
}

Expected<void> checkFloats(const Built &built, const Trial &trial) {
  for (const Example &example : trial.examples) {
    SD_ASSIGN(const auto outputs, evaluate(built.imported, example.inputs));
    SD_TRY(eachOutput(outputs, example, [&](std::size_t o) {
      const Tensor<float> &expected = example.outputs[o];
      return compare(outputs[o], expected, [&](std::size_t i) {
        return trial.precision * std::max(1.0, std::abs(static_cast<double>(expected.data[i])));
      });
    }));
  }
  return {};
}

Expected<std::vector<RunResult>> runFixed(const Built &built) {
  SD_ASSIGN(const Interpreter interpreter,
            Interpreter::create(std::visit([&](const auto &weights) { return viewOf(built.program.program, weights); },
                                           built.weights)));
  std::vector<RunResult> results;
  for (const NamedTensors &record : built.records) {
    SD_ASSIGN(RunResult result, interpreter.run(record));
    results.push_back(std::move(result));
  }
  return results;
}

Expected<void> checkFixed(const Built &built, const std::vector<RunResult> &fixed, const Trial &trial) {
  for (std::size_t r = 0; r < fixed.size(); ++r)
    SD_TRY(eachOutput(fixed[r].outputs, trial.examples[r], [&](std::size_t o) {
      const Tensor<float> &expected = trial.examples[r].outputs[o];
      const double allowed = quantisationError(built, expected) + trial.precision * std::max(1.0, largestOf(expected));
      return compare(fixed[r].outputs[o], expected, [&](std::size_t) { return allowed; });
    }));
  return {};
}

Expected<void> checkSecure(const Built &built, const std::vector<RunResult> &fixed, const Trial &trial) {
  ThreadPool pool(1);
  const auto seed = [](std::uint8_t fill) {
    std::array<std::uint8_t, Seed::kBytes> bytes;
    bytes.fill(fill);
    return Seed(bytes);
  };
  const auto run = [&]<RingWord R>(const WeightSet<R> &weights) {
    const LocalOptions<R> options{
        built.program,      weights, pool, PreprocessMode::TwoParty, seed(1), seed(2), twoPartyService<R>(),
        twoPartyClient<R>()};
    return runLocal(makeMemoryConnections(), options, built.records);
  };
  SD_ASSIGN(const LocalResult result, std::visit(run, built.weights));
  for (std::size_t r = 0; r < fixed.size(); ++r)
    SD_TRY(eachOutput(result.outputs[r], trial.examples[r], [&](std::size_t o) {
      const auto bits = [](float v) { return std::bit_cast<std::uint32_t>(v); };
      if (std::ranges::equal(result.outputs[r][o].data, fixed[r].outputs[o].data, {}, bits, bits))
        return Expected<void>{};
      return compare(result.outputs[r][o], fixed[r].outputs[o], [](std::size_t) { return 0.0; });
    }));
  return {};
}

bool isFinite(const std::vector<Example> &examples) {
  for (const Example &example : examples)
    for (const Tensor<float> &input : example.inputs)
      if (!std::ranges::all_of(input.data, [](float v) { return std::isfinite(v); })) return false;
  return true;
}

Outcome passed(const Built &built, const Trial &trial) {
  std::string note = trial.note;
  const auto add = [&note](const std::string &text) { note += (note.empty() ? "" : ", ") + text; };
  if (built.arithmetic.scaleBits != kArithmetics[0].scaleBits)
    add(fmt::format("scale {}", std::int64_t{1} << built.arithmetic.scaleBits));
  if (built.arithmetic.ringBits != kArithmetics[0].ringBits) add(fmt::format("ring {}", built.arithmetic.ringBits));
  return {Verdict::Passed, std::move(note)};
}

} // namespace

std::string_view toString(Verdict verdict) {
  return verdict == Verdict::Passed ? "passed" : verdict == Verdict::Refused ? "refused" : "wrong";
}

Outcome runTrial(const Trial &trial, const PathOptions &options) {
  std::vector<ImportProblem> problems;
  auto module = import(trial, problems);
  if (!module) {
    const std::string why = summary(problems, module.error().message);
    return why.empty() ? wrong("import", "refused without a reason") : refused(why);
  }
  if (trial.examples.empty()) return wrong("import", "accepted, though it holds more than tensors");
  if (!isFinite(trial.examples)) return refused("the record holds NaN or an infinity, which no fixed point can hold");
  Built built;
  built.imported = *std::move(module);
  auto records = recordsOf(built.imported, trial.examples);
  if (!records) return wrong("records", records.error().message);
  built.records = *std::move(records);
  const auto compiled = compile(built);
  if (!compiled) return refused(compiled.error().message);
  if (auto done = reload(*compiled, built); !done) return wrong("bytecode", done.error().message);
  if (auto done = checkRecords(built.program.program, built.records); !done) return refused(done.error().message);

  if (auto done = checkFloats(built, trial); !done) return wrong("floats", done.error().message);
  const auto cost = costOf(built.program.program);
  if (!cost) return wrong("cost", cost.error().message);
  const auto fixed = runFixed(built);
  if (!fixed) return wrong("fixed point", fixed.error().message);
  if (auto done = checkFixed(built, *fixed, trial); !done) return wrong("fixed point", done.error().message);
  if (cost->multiplyAdds > options.mostMultiplyAdds) return passed(built, trial);
  if (auto done = checkSecure(built, *fixed, trial); !done) return wrong("two parties", done.error().message);
  return passed(built, trial);
}

Outcome runCase(const Case &each, const PathOptions &options) {
  const auto trials = each.load();
  if (!trials) return wrong("load", trials.error().message);
  std::optional<Outcome> best;
  for (const Trial &trial : *trials) {
    Outcome outcome = runTrial(trial, options);
    if (outcome.verdict == Verdict::Wrong && !trial.note.empty()) outcome.reason += " (" + trial.note + ")";
    if (outcome.verdict == Verdict::Wrong) return outcome;
    if (!best || outcome.verdict == Verdict::Passed) best = std::move(outcome);
  }
  return *best;
}

} // namespace sd::testing
