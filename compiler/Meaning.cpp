#include "compiler/Meaning.h"

#include <algorithm>
#include <cmath>

#include "compiler/NameLists.h"
#include "ir/Run.h"
#include "ir/bytecode/ByteIo.h"
#include "ir/bytecode/Format.h"
#include "ir/bytecode/ResultKinds.h"

namespace sd {

namespace {

constexpr std::int64_t kMostNamed = 1024; // findings that get names where there are none

std::vector<const Op *> inputsOf(const Module &module) {
  std::vector<const Op *> inputs;
  for (const Op &op : module.ops)
    if (op.kind == OpKind::Input) inputs.push_back(&op);
  return inputs;
}

std::string plain(std::string_view text) { return plainText(text, format::kMaxStringBytes); }

std::vector<ResultItem> itemsOf(const std::vector<std::string> &names) {
  std::vector<ResultItem> items;
  for (const std::string &name : names)
    items.push_back({plain(name), {}, {}});
  return items;
}

// Names that differ and say something: others are none.
bool areNames(const std::vector<std::string> &names) {
  std::vector<std::string> sorted;
  for (const std::string &name : names)
    sorted.push_back(plain(name));
  std::ranges::sort(sorted);
  return !sorted.empty() && !sorted[0].empty() && std::ranges::adjacent_find(sorted) == sorted.end();
}

class Describer {
public:
  Describer(Module &module, const ModelFacts &facts, const std::optional<Schema> &given, PassOptions &options)
      : module_(module), facts_(facts), given_(given ? &*given : nullptr), options_(options),
        derived_(deriveOutputs(viewOf(module))), columnNames_(metadata({"feature_names", "columns", "input_columns"})),
        resultNames_(metadata({"class_names", "classes", "labels", "names", "output_names"})) {}

  Expected<Meaning> run() {
    std::vector<NamedShape> inputs, outputs;
    for (const Op *op : inputsOf(module_))
      inputs.push_back({plain(op->attrs.str(Attr::Name)), module_.type(op->result).shape});
    for (std::size_t i = 0; i < derived_.size(); ++i)
      outputs.push_back({plain(derived_[i].meaning.name), module_.type(module_.ops.back().operands[i]).shape});
    if (given_) SD_TRY(checkSchema(*given_, inputs, outputs));

    Schema &schema = meaning_.schema;
    schema.modelName = plain(facts_.name);
    schema.modelVersion = plain(facts_.version);
    schema.description = plain(facts_.description);
    if (given_) {
      for (const auto &[own, to] :
           {std::pair(&given_->modelName, &schema.modelName), std::pair(&given_->modelVersion, &schema.modelVersion),
            std::pair(&given_->description, &schema.description)})
        if (!own->empty()) *to = *own;
    }
    for (Op &op : module_.ops)
      if (op.kind == OpKind::Input) describeInput(op);
    for (std::size_t i = 0; i < outputs.size(); ++i)
      describeOutput(derived_[i], outputs[i].shape);
    if (!problems_.empty()) return fail("{}", fmt::join(problems_, "\n"));
    SD_TRY(checkSchema(schema, inputs, outputs));
    return std::move(meaning_);
  }

private:
  template <class... Args>
  void problem(fmt::format_string<Args...> format, Args &&...args) {
    problems_.push_back(fmt::format(format, std::forward<Args>(args)...));
  }

  std::vector<std::string> metadata(std::initializer_list<std::string_view> keys) const {
    for (const std::string_view key : keys)
      if (const auto found = facts_.metadata.find(key); found != facts_.metadata.end())
        if (auto names = parseNames(found->second); areNames(names)) return names;
    return {};
  }

  void describeInput(Op &op) {
    const std::string name = plain(op.attrs.str(Attr::Name));
    const Shape &shape = module_.type(op.result).shape;
    InputMeaning input;
    const auto columns = static_cast<std::size_t>(elementsOfRecord(shape));
    if (shape.size() <= 2 && columnNames_.size() == columns && areNames(columnNames_))
      for (const std::string &column : columnNames_)
        input.columns.push_back({plain(column), {}, {}, {}});
    if (const InputMeaning *own = given_ ? given_->input(name) : nullptr) {
      std::vector<Column> found = std::move(input.columns);
      input = *own;
      if (input.columns.empty() && !input.image) input.columns = std::move(found);
    }
    input.name = name;
    setRange(op, input);
    meaning_.schema.inputs.push_back(std::move(input));
  }

  static void widen(ValueRange &range, const ValueRange &by) {
    range.low = std::min(range.low, by.low);
    range.high = std::max(range.high, by.high);
  }

  void setRange(Op &op, InputMeaning &input) {
    std::optional<ValueRange> whole = std::exchange(input.range, std::nullopt); // nn.input is to say it
    if (!whole && input.image) whole = input.image->range();
    if (op.attrs.has(Attr::Low)) {
      const ValueRange flag{op.attrs.f(Attr::Low), op.attrs.f(Attr::High)};
      if (whole && *whole != flag)
        problem("input '{}': the schema's range is {} to {}, and --input-range says {} to {}; leave out one",
                input.name, whole->low, whole->high, flag.low, flag.high);
      whole = flag;
    }
    std::vector<std::pair<double, double>> each;
    std::vector<std::string> open;
    std::optional<ValueRange> hull;
    for (const Column &column : input.columns) {
      const std::optional<ValueRange> &range = column.range ? column.range : whole;
      if (!range) {
        open.push_back(fmt::format("'{}'", column.name));
        continue;
      }
      each.emplace_back(range->low, range->high);
      if (!hull) hull = range;
      widen(*hull, *range);
    }
    if (open.empty() && hull) {
      whole = hull;
      if (std::ranges::any_of(each, [&](auto &range) { return range != each[0]; }))
        options_.columnRanges[op.attrs.str(Attr::Name)] = std::move(each);
    } else if (hull) {
      if (open.size() > 5) open.resize(5), open.emplace_back("...");
      meaning_.warnings.push_back(fmt::format(
          "input '{}': columns {} have no range, so that nothing can be proved of their values; give each one, or the "
          "input a range for the others",
          input.name, fmt::join(open, ", ")));
    }
    if (!whole) return;
    op.attrs.set(Attr::Low, whole->low);
    op.attrs.set(Attr::High, whole->high);
  }

  void describeOutput(const DerivedOutput &derived, const Shape &shape) {
    OutputMeaning output = derived.meaning;
    output.name = plain(derived.meaning.name);
    const OutputMeaning *own = given_ ? given_->output(output.name) : nullptr;
    name(output, derived, shape);
    if (own) {
      override(output, *own, derived, shape);
    } else if (options_.revealClass && output.kind == ResultKind::Values && elementsOfRecord(shape) > 1 &&
               derived.tail != OpKind::TopK) {
      output.kind = ResultKind::Classes; // the flag says so
    }
    if (output.kind == ResultKind::Findings) {
      std::vector<double> &thresholds = options_.thresholds[derived.meaning.name];
      if (output.items.empty()) thresholds = {0.5};
      for (const ResultItem &item : output.items)
        thresholds.push_back(item.threshold.value_or(0.5));
    } else if (output.threshold) {
      options_.thresholds[derived.meaning.name] = {*output.threshold};
    }
    meaning_.schema.outputs.push_back(std::move(output));
  }

  // Names from the model's file, as far as they fit.
  void name(OutputMeaning &output, const DerivedOutput &derived, const Shape &shape) {
    const std::int64_t elements = elementsOfRecord(shape);
    const auto fits = [&](const std::vector<std::string> &names, std::int64_t count) {
      return static_cast<std::int64_t>(names.size()) == count && areNames(names);
    };
    const bool classes = output.kind == ResultKind::Classes;
    if (const auto labels = facts_.classNames.find(derived.meaning.name); labels != facts_.classNames.end()) {
      const bool ofScores = !output.numbers && fits(labels->second, elements) && elements > 1;
      if (ofScores || (output.numbers && fits(labels->second, derived.classes))) {
        output.kind = ResultKind::Classes;
        output.items = itemsOf(labels->second);
        return;
      }
    }
    if (fits(resultNames_, classes ? derived.classes : elements)) output.items = itemsOf(resultNames_);
    if (classes && output.items.empty() && output.numbers && *output.numbers != ClassNumbers{} &&
        derived.classes <= kMostNamed)
      for (std::int64_t i = 0; i < derived.classes; ++i)
        output.items.push_back(
            {fmt::format("{}", output.numbers->first + output.numbers->step * static_cast<double>(i)), {}, {}});
    if (output.kind != ResultKind::Findings || elements > kMostNamed) return;
    if (output.items.empty())
      for (std::int64_t i = 0; i < elements; ++i)
        output.items.push_back({elements == 1 ? output.name : fmt::format("{} {}", output.name, i), {}, {}});
    for (ResultItem &item : output.items)
      item.threshold = 0.5;
  }

  void override(OutputMeaning &output, const OutputMeaning &own, const DerivedOutput &derived, const Shape &shape) {
    const std::int64_t elements = elementsOfRecord(shape);
    const bool sigmoid = derived.tail == OpKind::Sigmoid;
    const std::string what = fmt::format("output '{}'", own.name);
    const std::optional<ClassNumbers> numbers = output.numbers;
    const bool keepsNames = own.items.empty() && own.kind == output.kind;
    const std::vector<ResultItem> found = std::move(output.items);
    output = own;
    output.numbers = numbers;
    if (keepsNames) output.items = found;
    if (numbers && own.kind != ResultKind::Classes)
      return problem("{}: it holds the number of a class (an {} makes it); say its classes", what,
                     info(derived.tail).mnemonic);
    if (derived.classes > 1 && own.kind == ResultKind::Findings)
      return problem("{}: findings are independent, and a softmax makes its values exclude each other; say classes, or "
                     "values",
                     what);
    if (derived.tail == OpKind::TopK && own.kind != ResultKind::Values)
      return problem("{}: it holds the largest scores in falling order; say values", what);
    if (options_.revealClass && own.kind == ResultKind::Values)
      return problem("{}: --reveal class opens decisions, and the schema says that it holds values", what);
    switch (own.kind) {
    case ResultKind::Values:
      break;
    case ResultKind::Findings:
      for (ResultItem &item : output.items)
        if (!item.threshold && sigmoid) item.threshold = 0.5;
      for (const ResultItem &item : output.items)
        expectThreshold(item.threshold, sigmoid, fmt::format("{}, finding '{}'", what, item.name));
      break;
    case ResultKind::Classes: {
      const auto count = static_cast<std::int64_t>(output.items.size());
      if (elements == 1 && derived.classes < 2) {
        if (count != 2)
          return problem("{}: a single score has two classes; name both, the one of low scores first", what);
        if (!output.threshold && sigmoid) output.threshold = 0.5;
        return expectThreshold(output.threshold, sigmoid, what);
      }
      if (output.threshold) problem("{}: a threshold is for a single score with two classes", what);
      const std::int64_t wanted = derived.classes > 1 ? derived.classes : elements;
      if (count != 0 && count != wanted)
        problem("{}: {} classes are named, and the model tells {} apart", what, count, wanted);
    }
    }
  }

  void expectThreshold(const std::optional<double> &threshold, bool sigmoid, const std::string &what) {
    if (!threshold)
      problem("{}: its threshold is missing, since no sigmoid makes it a probability", what);
    else if (sigmoid && !(*threshold > 0 && *threshold < 1))
      problem("{}: a threshold of {}, where a sigmoid gives values between 0 and 1", what, *threshold);
  }

  Module &module_;
  const ModelFacts &facts_;
  const Schema *given_;
  PassOptions &options_;
  std::vector<DerivedOutput> derived_;
  std::vector<std::string> columnNames_, resultNames_; // in the model's metadata
  Meaning meaning_;
  std::vector<std::string> problems_;
};

} // namespace

Expected<Meaning> describeModel(Module &module, const ModelFacts &facts, const std::optional<Schema> &given,
                                PassOptions &options) {
  return Describer(module, facts, given, options).run();
}

void addFacts(Schema &schema, const PassContext &context, Module &lowered) {
  CompiledFacts facts;
  const std::int64_t records = context.recordsMeasured;
  for (const RangeFact &fact : context.ranges) {
    if (fact.basis == RangeFact::Basis::Proved) {
      ++facts.provedBounds;
      continue;
    }
    const OpenBound open{plain(fact.where), std::ldexp(fact.limit, -fact.scale),
                         fact.basis == RangeFact::Basis::Measured ? records : 0};
    const auto known = std::ranges::find(facts.openBounds, open.where, &OpenBound::where);
    if (known == facts.openBounds.end())
      facts.openBounds.push_back(open);
    else if (open.records == 0 || (known->records == open.records && open.limit < known->limit))
      *known = open; // the worst of those that one op of the model became
  }
  if (!facts.openBounds.empty() && records > 0)
    for (Op &op : lowered.ops) {
      if (op.kind != OpKind::Input || op.attrs.has(Attr::Low)) continue;
      ValueRange range{HUGE_VAL, -HUGE_VAL};
      for (const auto &record : context.options.calibration)
        for (const float v : record.at(op.attrs.str(Attr::Name)).data)
          range = {std::min<double>(range.low, v), std::max<double>(range.high, v)};
      op.attrs.set(Attr::Low, range.low);
      op.attrs.set(Attr::High, range.high);
      InputMeaning &input = schema.inputOrNew(plain(op.attrs.str(Attr::Name)));
      input.measuredOn = records;
      for (const Column &column : input.columns) // columns with a range of their own
        if (column.range) {
          op.attrs.set(Attr::Low, std::min(op.attrs.f(Attr::Low), column.range->low));
          op.attrs.set(Attr::High, std::max(op.attrs.f(Attr::High), column.range->high));
        }
    }
  if (context.options.revealClass)
    for (OutputMeaning &output : schema.outputs)
      output.decided = !output.numbers;
  schema.compiled = std::move(facts);
}

namespace {

// Numbers that scale integers of some bits to reals, such as 255, 1/256 or 127.5: nobody's training gave them.
bool isConventional(const Tensor<float> &value) {
  if (value.size() != 1) return false;
  const double v = std::abs(value.data[0]);
  if (v == 0) return true;
  for (const double n : {v, 2 * v, 1 / v, 2 / v}) {
    const double whole = std::round(n);
    if (whole < 1 || whole > 65536 || std::abs(n - whole) > 1e-5 * n) continue;
    for (const double power : {whole, whole + 1})
      if (std::exp2(std::round(std::log2(power))) == power) return true;
  }
  return false;
}

} // namespace

std::string describePublicTraining(const Module &lowered, const PassOptions &options) {
  std::vector<bool> opened(lowered.types.size()), prepares(lowered.types.size()); // values; those that prepare a record
  for (const Op &op : lowered.ops) {
    const bool late =
        op.kind == OpKind::ShareOutput || std::ranges::any_of(op.operands, [&](ValueId v) { return opened[v]; });
    if (op.result != kNoValue) opened[op.result] = late;
    if (late || info(op.kind).level != Level::Nn) continue;
    for (const ValueId operand : op.operands)
      prepares[operand] = true;
  }
  std::vector<std::string> sources;
  std::int64_t numbers = 0;
  for (const Op &op : lowered.ops) {
    if (op.kind != OpKind::Constant || !prepares[op.result] || op.source == kDeclaredRanges) continue;
    if (isConventional(op.attrs.floats(Attr::Value))) continue;
    numbers += op.attrs.floats(Attr::Value).size();
    const std::string name = op.source.empty() ? "a constant" : fmt::format("'{}'", op.source);
    if (std::ranges::find(sources, name) == sources.end()) sources.push_back(name);
  }
  if (numbers == 0) return {};
  if (sources.size() > 5) sources.resize(5), sources.emplace_back("...");
  return fmt::format("{} number{} of the model's input normalisation ({}) {} public, since the hospital computes with "
                     "{}: means and deviations come from the training data; {}",
                     numbers, numbers == 1 ? "" : "s", fmt::join(sources, ", "), numbers == 1 ? "is" : "are",
                     numbers == 1 ? "it" : "them",
                     options.privateNormalization ? "these can't be kept private"
                                                  : "--private-normalization keeps them with the service");
}

std::string describeCommonRange(const Module &imported, const PassOptions &options) {
  if (!options.privateNormalization) return {};
  std::vector<std::string> inputs;
  for (const Op &op : imported.ops) {
    if (op.kind != OpKind::Input || !op.attrs.has(Attr::High)) continue;
    const Shape &shape = imported.type(op.result).shape;
    if (shape.size() == 2 && shape[1] > 1 && !options.columnRanges.contains(op.attrs.str(Attr::Name)))
      inputs.push_back(fmt::format("the {} columns of '{}' have one range, {:g} to {:g}", shape[1],
                                   op.attrs.str(Attr::Name), op.attrs.f(Attr::Low), op.attrs.f(Attr::High)));
  }
  if (inputs.empty()) return {};
  return fmt::format("{}, and --private-normalization enters them all in steps that suit it; if they differ in size, "
                     "ranges of their own, in a --schema, are closer (docs/ranges.md has an example)",
                     fmt::join(inputs, "; "));
}

std::string describeClearEnd(const Module &lowered) {
  std::vector<std::string> opened, functions;
  const auto note = [](std::vector<std::string> &list, std::string text) {
    if (std::ranges::find(list, text) == list.end()) list.push_back(std::move(text));
  };
  for (const Op &op : lowered.ops) {
    if (op.kind == OpKind::Function && op.attrs.str(Attr::Function) != "identity")
      note(functions, op.attrs.str(Attr::Function));
    if (op.kind == OpKind::ReduceSum) note(functions, "sum");
    if (op.kind == OpKind::ShareOutput)
      note(opened, fmt::format("{} ({})", op.source.empty() ? "a value" : fmt::format("'{}'", op.source),
                               toString(lowered.type(op.result).shape)));
  }
  if (functions.empty()) return {};
  return fmt::format("the hospital computes the end of the network itself ({}): it learns what that starts from, {}",
                     fmt::join(functions, ", "), fmt::join(opened, ", "));
}

} // namespace sd
