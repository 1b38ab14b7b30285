#include "runtime/vm/ResultWords.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "ir/bytecode/ProgramIo.h"
#include "ir/bytecode/ProgramView.h"

namespace sd {

namespace {

constexpr std::size_t kMostValues = 20; // of a tensor, before it is cut short

// Words for the first values, and how many there are if not all are shown.
template <class Words>
std::string listed(std::size_t count, std::string_view separator, const Words &words) {
  std::vector<std::string> items;
  for (std::size_t i = 0; i < std::min(count, kMostValues); ++i)
    items.push_back(words(i));
  if (count > kMostValues) items.push_back(fmt::format("... ({} in all)", count));
  return fmt::format("{}", fmt::join(items, separator));
}

} // namespace

Expected<ResultWords> ResultWords::make(const Program &program, const std::vector<std::string> &translations) {
  ResultWords words;
  const std::vector<DerivedOutput> derived = deriveOutputs(viewOf(program, WeightSet<Ring32>{}));
  const ProgramIo io = ioOf(program);
  std::size_t most = 0;
  std::vector<const Output *> fitting; // outputs with as many names as are given
  for (std::size_t i = 0; i < derived.size(); ++i) {
    const OutputMeaning *said = program.schema.output(derived[i].meaning.name);
    Output output{said ? *said : derived[i].meaning, 0, derived[i].tail};
    const auto elements = static_cast<std::size_t>(elementsOfRecord(program.slots[io.outputs[i].slot].shape));
    const std::size_t items = output.meaning.items.size();
    if (output.meaning.kind == ResultKind::Classes)
      output.classes = items ? items : derived[i].classes ? static_cast<std::size_t>(derived[i].classes) : elements;
    else if (output.meaning.kind == ResultKind::Findings)
      output.classes = elements;
    most = std::max(most, output.classes);
    words.outputs_.push_back(std::move(output));
  }
  if (translations.empty()) return words;
  if (most == 0)
    return fail(ErrorKind::Usage, "--classes: the program's result is no choice between classes, and has no findings");
  const bool pairs = std::ranges::all_of(translations, [](const std::string &t) { return t.find('=') != t.npos; });
  for (const Output &output : words.outputs_) {
    if (output.classes != translations.size() && !pairs) continue;
    for (std::size_t i = 0; i < output.classes; ++i) {
      const std::string old = words.name(output, i);
      for (std::size_t t = 0; t < translations.size(); ++t) {
        const std::string &text = translations[t];
        if (pairs && text.starts_with(old + "="))
          words.translated_[old] = text.substr(old.size() + 1);
        else if (!pairs && t == i)
          words.translated_[old] = text;
      }
    }
    if (!pairs) return words;
  }
  if (!pairs)
    return fail(ErrorKind::Usage, "--classes names {}, but the program tells {} classes apart", translations.size(),
                most);
  if (words.translated_.size() == translations.size()) return words;
  return fail(ErrorKind::Usage, "--classes: the program has not all of these names; it has {}",
              listed(most, ", ", [&](std::size_t i) {
                const auto output = std::ranges::find(words.outputs_, most, &Output::classes);
                return fmt::format("'{}'", ResultWords().name(*output, i));
              }));
}

std::string ResultWords::name(const Output &output, std::size_t index) const {
  const auto &items = output.meaning.items;
  const bool finding = output.meaning.kind == ResultKind::Findings;
  const std::string own =
      index < items.size() ? items[index].name : fmt::format("{} {}", finding ? "finding" : "class", index);
  const auto other = translated_.find(own);
  return other == translated_.end() ? own : other->second;
}

// A score or value, with its name if it has one.
std::string ResultWords::item(const Output &output, std::size_t index, float value) const {
  const auto &items = output.meaning.items;
  if (index >= items.size()) return fmt::format("{:.4g}", value);
  const std::string &unit = items[index].unit;
  return fmt::format("{} {:.4g}{}{}", name(output, index), value, unit.empty() ? "" : " ", unit);
}

std::string ResultWords::finding(const Output &output, std::size_t index, float value) const {
  if (output.meaning.decided) return fmt::format("{}: {}", name(output, index), value > 0.5f ? "present" : "absent");
  const auto &items = output.meaning.items;
  const double threshold = index < items.size() ? items[index].threshold.value_or(0.5) : 0.5;
  return fmt::format("{}: {} ({:.4g}, threshold {:g})", name(output, index), value > threshold ? "present" : "absent",
                     value, threshold);
}

// Of one record: scores along the only axis, a single score, or the marks of --reveal class.
std::string ResultWords::classesOf(const Output &output, std::span<const float> values) const {
  const OutputMeaning &meaning = output.meaning;
  if (values.size() == 1 && meaning.threshold) {
    const bool second = meaning.decided ? values[0] > 0.5f : values[0] > *meaning.threshold;
    const std::string decided = name(output, second ? 1 : 0);
    if (meaning.decided) return decided;
    return fmt::format("{} ({:.4g}, threshold {:g})", decided, values[0], *meaning.threshold);
  }
  const auto best = static_cast<std::size_t>(std::ranges::max_element(values) - values.begin());
  if (meaning.decided) return name(output, best);
  const char *what = output.tail == OpKind::Softmax      ? "probabilities"
                     : output.tail == OpKind::LogSoftmax ? "log-probabilities"
                                                         : "scores";
  return fmt::format("{} ({}: {})", name(output, best), what, listed(values.size(), ", ", [&](std::size_t i) {
                       if (!translated_.empty() && meaning.items.empty())
                         return fmt::format("{} {:.4g}", name(output, i), values[i]);
                       return item(output, i, values[i]);
                     }));
}

std::string ResultWords::describe(std::size_t index, const Tensor<float> &value) const {
  const Output &output = outputs_[index];
  const OutputMeaning &meaning = output.meaning;
  const std::span<const float> values(value.data);
  if (std::ranges::any_of(values, [](float v) { return std::isnan(v); })) return "no valid result";
  const auto each = static_cast<std::size_t>(elementsOfRecord(value.shape));
  const std::size_t rows = values.size() / each;
  const auto plainly = [&](std::string_view what) {
    const std::string list =
        listed(values.size(), ", ", [&](std::size_t i) { return item(output, i % each, values[i]); });
    return meaning.items.empty() ? fmt::format("{}: {}", what, list) : list;
  };
  switch (meaning.kind) {
  case ResultKind::Values:
    return plainly(values.size() == 1 ? "value" : "values");
  case ResultKind::Findings:
    return listed(values.size(), ", ", [&](std::size_t i) { return finding(output, i % each, values[i]); });
  case ResultKind::Classes:
    if (const auto &numbers = meaning.numbers)
      return listed(values.size(), ", ", [&](std::size_t i) {
        const double position = (values[i] - numbers->first) / numbers->step;
        return position >= 0 && position < 1e9 ? name(output, static_cast<std::size_t>(std::llround(position)))
                                               : fmt::format("{:.4g}", values[i]);
      });
    if (each != output.classes && !(each == 1 && meaning.threshold)) // classes at each of several places
      return fmt::format("{} classes at {} places; {}", output.classes,
                         output.classes ? values.size() / output.classes : 0, "--output FILE writes their scores");
    return listed(rows, "; ", [&](std::size_t row) { return classesOf(output, values.subspan(row * each, each)); });
  }
  return {};
}

std::vector<ResultCell> ResultWords::cells(std::size_t index, const Tensor<float> &value) const {
  const Output &output = outputs_[index];
  const OutputMeaning &meaning = output.meaning;
  const std::span<const float> values(value.data);
  const auto each = static_cast<std::size_t>(elementsOfRecord(value.shape));
  const auto shortest = [](float v) {
    return std::strtod(fmt::format("{}", v).c_str(), nullptr);
  }; // its digits, not those of a double
  const bool single = meaning.kind == ResultKind::Classes && each == 1 && meaning.threshold;
  const bool scores = meaning.kind == ResultKind::Classes && !single && !meaning.numbers && each == output.classes;
  std::vector<ResultCell> cells;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t item = i % each;
    ResultCell cell{meaning.name, "", "", std::nullopt, std::nullopt};
    if (!meaning.decided) cell.value = shortest(values[i]);
    if (meaning.kind == ResultKind::Findings) {
      const double threshold = item < meaning.items.size() ? meaning.items[item].threshold.value_or(0.5) : 0.5;
      cell.name = name(output, item);
      cell.holds = meaning.decided ? values[i] > 0.5f : values[i] > threshold;
    } else if (single) {
      const bool second = meaning.decided ? values[i] > 0.5f : values[i] > *meaning.threshold;
      cell.name = name(output, second ? 1 : 0);
      cell.holds = true;
    } else if (scores) {
      const auto row = values.subspan(i - item, each);
      cell.name = name(output, item);
      cell.holds = std::ranges::max_element(row) - row.begin() == static_cast<std::ptrdiff_t>(item);
    } else if (meaning.kind == ResultKind::Classes && meaning.numbers) {
      const double position = (values[i] - meaning.numbers->first) / meaning.numbers->step;
      if (position >= 0 && position < 1e9) cell.name = name(output, static_cast<std::size_t>(std::llround(position)));
      cell.value.reset();
      cell.holds = true;
    } else {
      cell.name = item < meaning.items.size() ? meaning.items[item].name
                  : each > 1                  ? fmt::format("{} {}", meaning.name, item)
                                              : meaning.name;
      if (item < meaning.items.size()) cell.unit = meaning.items[item].unit;
    }
    cells.push_back(std::move(cell));
  }
  return cells;
}

} // namespace sd
