// What a program says of its records, its results and its bounds, for people.
#include <algorithm>

#include "ir/bytecode/Inspection.h"

namespace sd {

namespace {

constexpr std::size_t kMostColumns = 100, kMostItems = 30, kMostBounds = 50;

std::string unitOf(const std::string &unit) { return unit.empty() ? "" : fmt::format(" [{}]", unit); }

std::string describe(const Column &column) {
  std::string text = fmt::format("    '{}'{}", column.name, unitOf(column.unit));
  if (column.range) text += fmt::format(", in [{}, {}]", column.range->low, column.range->high);
  if (column.substitute) text += fmt::format(", {} if missing", *column.substitute);
  if (!column.codes.empty()) text += fmt::format(", FHIR code {}", fmt::join(column.codes, " or "));
  for (const UnitConversion &unit : column.units) {
    text += fmt::format(", [{}] times {}", unit.unit, unit.factor);
    if (unit.offset != 0) text += fmt::format(" plus {}", unit.offset);
  }
  return text + "\n";
}

template <class T, std::size_t N>
void add(std::string &text, std::string_view name, const std::optional<T> &value, const char *const (&words)[N]) {
  if (value) text += fmt::format("; {} {}", name, words[static_cast<std::size_t>(*value)]);
}

std::string describe(const ImageMeaning &image) {
  std::string text = fmt::format("    an image of {} x {} pixels, {}; black is {}, white is {}\n", image.height,
                                 image.width, fmt::join(image.channels, ", "), image.black, image.white);
  if (!image.mean.empty())
    text += fmt::format("    normalised: mean {}, standard deviation {}\n", fmt::join(image.mean, ", "),
                        fmt::join(image.deviation, ", "));
  std::string how;
  add(how, "layout", image.layout, kLayoutWords);
  add(how, "resize", image.resize, kResizeWords);
  add(how, "fit", image.fit, kFitWords);
  add(how, "rescale", image.rescale, kRescaleWords);
  if (image.window) how += fmt::format("; window {}", describe(*image.window));
  if (!image.modalities.empty()) how += fmt::format("; modality {}", fmt::join(image.modalities, ", "));
  if (!image.photometrics.empty()) how += fmt::format("; photometric {}", fmt::join(image.photometrics, ", "));
  if (!how.empty()) text += fmt::format("    {}\n", how.substr(2));
  return text;
}

std::string describe(const ResultItem &item) {
  std::string text = fmt::format("'{}'{}", item.name, unitOf(item.unit));
  if (item.threshold) text += fmt::format(" above {}", *item.threshold);
  return text;
}

} // namespace

std::string describeInput(const InputMeaning &input) {
  std::string text;
  if (input.measuredOn)
    text += fmt::format("    the range was measured on {} records, not declared\n", input.measuredOn);
  if (input.image) text += describe(*input.image);
  for (std::size_t i = 0; i < std::min(input.columns.size(), kMostColumns); ++i)
    text += describe(input.columns[i]);
  if (input.columns.size() > kMostColumns) text += fmt::format("    ... {} columns in all\n", input.columns.size());
  if (!input.identifiers.empty())
    text += fmt::format("    identifiers, which are not computed with: '{}'\n", fmt::join(input.identifiers, "', '"));
  return text;
}

std::string describeOutput(const OutputMeaning &output) {
  constexpr std::string_view kKinds[] = {"values", "classes that exclude each other", "independent findings"};
  std::string text = fmt::format("    {}", kKinds[static_cast<std::size_t>(output.kind)]);
  for (std::size_t i = 0; i < std::min(output.items.size(), kMostItems); ++i)
    text += fmt::format("{}{}", i ? ", " : ": ", describe(output.items[i]));
  if (output.items.size() > kMostItems) text += fmt::format(", ... {} in all", output.items.size());
  if (output.threshold) text += fmt::format("; the second if the score is above {}", *output.threshold);
  if (output.decided) text += "; the decision alone is opened, no score";
  return text + "\n";
}

std::string describeBounds(const CompiledFacts &facts) {
  const auto unknown = static_cast<std::size_t>(std::ranges::count(facts.openBounds, 0, &OpenBound::records));
  std::string text =
      fmt::format("\nbounds: {} proved, {} measured, {} neither (which are proved depends on the weights)\n",
                  facts.provedBounds, facts.openBounds.size() - unknown, unknown);
  for (std::size_t i = 0; i < std::min(facts.openBounds.size(), kMostBounds); ++i) {
    const OpenBound &bound = facts.openBounds[i];
    text += fmt::format("  {}: |y| up to {:.6g}, {}\n", bound.where, bound.limit,
                        bound.records ? fmt::format("measured on {} records", bound.records)
                                      : "neither proved nor measured; a larger value gives a wrong result");
  }
  if (facts.openBounds.size() > kMostBounds) text += fmt::format("  ... {} in all\n", facts.openBounds.size());
  return text;
}

} // namespace sd
