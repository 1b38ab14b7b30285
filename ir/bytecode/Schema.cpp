#include "ir/bytecode/Schema.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "ir/bytecode/ByteIo.h"
#include "ir/bytecode/Format.h"
#include "ir/bytecode/Problems.h"

namespace sd {

namespace {

template <class Item>
const Item *find(const std::vector<Item> &items, std::string_view name) {
  const auto found = std::ranges::find(items, name, &Item::name);
  return found == items.end() ? nullptr : &*found;
}

template <class Item>
Item &findOrAdd(std::vector<Item> &items, std::string_view name) {
  const auto found = std::ranges::find(items, name, &Item::name);
  if (found != items.end()) return *found;
  items.emplace_back().name = name;
  return items.back();
}

template <class Item>
std::string namesOf(const std::vector<Item> &items) {
  std::vector<std::string> names;
  for (const Item &item : items)
    names.push_back(fmt::format("'{}'", item.name));
  return fmt::format("{}", fmt::join(names, ", "));
}

constexpr std::string_view kPhotometrics[] = {"MONOCHROME1",  "MONOCHROME2",     "RGB",     "PALETTE COLOR", "YBR_FULL",
                                              "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT"};

class Checker : public Problems {
public:
  explicit Checker(const Schema &schema) : schema_(schema) {}

  void meaning() {
    text(schema_.modelName, "the model's name", true);
    text(schema_.modelVersion, "the model's version", true);
    text(schema_.description, "the description", true);
    unique(schema_.inputs, "input");
    unique(schema_.outputs, "output");
    for (const InputMeaning &input : schema_.inputs)
      check(input);
    for (const OutputMeaning &output : schema_.outputs)
      check(output);
    if (schema_.compiled) check(*schema_.compiled);
  }

  void shapes(const std::vector<NamedShape> &inputs, const std::vector<NamedShape> &outputs) {
    for (const InputMeaning &input : schema_.inputs) {
      if (const NamedShape *port = find(inputs, input.name))
        fits(input, port->shape);
      else
        problem("there is no input '{}'; the model has {}", input.name, namesOf(inputs));
    }
    for (const OutputMeaning &output : schema_.outputs) {
      if (const NamedShape *port = find(outputs, output.name))
        fits(output, port->shape);
      else
        problem("there is no output '{}'; the model has {}", output.name, namesOf(outputs));
    }
  }

private:
  void text(const std::string &value, std::string_view what, bool mayBeEmpty = false) {
    if (value.empty() && !mayBeEmpty) problem("{} is empty", what);
    if (value.size() > format::kMaxStringBytes)
      problem("{} has {} bytes; at most {} are allowed", what, value.size(), format::kMaxStringBytes);
    else if (!isPlainText(value))
      problem("{} is not UTF-8 text without control characters", what);
  }

  template <class Item>
  void unique(const std::vector<Item> &items, std::string_view what) {
    std::set<std::string_view> seen;
    for (const Item &item : items)
      if (!seen.insert(item.name).second) problem("the {} '{}' is given twice", what, item.name);
  }

  void range(const std::optional<ValueRange> &range, std::string_view what) {
    if (range && !(std::isfinite(range->low) && std::isfinite(range->high) && range->low <= range->high))
      problem("{}: a range from {} to {}", what, range->low, range->high);
  }

  void check(const InputMeaning &input) {
    const std::string what = fmt::format("input '{}'", input.name);
    text(input.name, "an input's name");
    range(input.range, what);
    if (input.measuredOn < 0) problem("{}: measured on {} records", what, input.measuredOn);
    if (input.image && !input.columns.empty()) problem("{}: it is an image or has columns, not both", what);
    if (input.columns.empty() && !input.identifiers.empty())
      problem("{}: identifiers need columns, among which they are found by name", what);
    std::set<std::string_view> seen;
    codes_.clear();
    const auto name = [&](const std::string &column) {
      text(column, what + ": a column's name");
      if (!seen.insert(column).second) problem("{}: two columns are called '{}'", what, column);
    };
    for (const Column &column : input.columns) {
      name(column.name);
      const std::string where = fmt::format("{}, column '{}'", what, column.name);
      text(column.unit, where + ": its unit", true);
      range(column.range, where);
      if (column.substitute && !std::isfinite(static_cast<float>(*column.substitute)))
        problem("{}: a substitute of {}", where, *column.substitute);
      if (column.substitute && column.range && !column.range->contains(*column.substitute))
        problem("{}: the substitute {} of a missing value is outside its range, {} to {}", where, *column.substitute,
                column.range->low, column.range->high);
      codesAndUnits(column, where);
    }
    for (const std::string &identifier : input.identifiers)
      name(identifier);
    if (input.image) check(*input.image, what);
  }

  void codesAndUnits(const Column &column, const std::string &where) {
    for (const std::string &code : column.codes) {
      text(code, where + ": a code");
      const std::size_t bar = code.find('|');
      if (bar == code.npos || bar == 0 || bar + 1 == code.size() || code.find('|', bar + 1) != code.npos)
        problem("{}: the code '{}'; one is SYSTEM|CODE, such as http://loinc.org|2345-7", where, code);
      if (!codes_.insert(code).second) problem("{}: the code '{}' is given twice", where, code);
    }
    if (!column.units.empty() && column.unit.empty())
      problem("{}: units to convert from, and no unit to convert to", where);
    std::set<std::string_view> seen{column.unit};
    for (const UnitConversion &each : column.units) {
      text(each.unit, where + ": a unit");
      if (!seen.insert(each.unit).second) problem("{}: the unit '{}' is given twice", where, each.unit);
      if (!std::isfinite(each.factor) || each.factor == 0 || !std::isfinite(each.offset))
        problem("{}: the unit '{}' with the factor {} and the offset {}", where, each.unit, each.factor, each.offset);
    }
  }

  void check(const ImageMeaning &image, const std::string &what) {
    if (image.height < 1 || image.width < 1) problem("{}: an image of {} x {} pixels", what, image.height, image.width);
    if (image.channels.empty()) problem("{}: an image without channels", what);
    for (const std::string &channel : image.channels)
      text(channel, what + ": a channel's name");
    if (!std::isfinite(image.black) || !std::isfinite(image.white) || image.black == image.white)
      problem("{}: black is {}, white is {}", what, image.black, image.white);
    const std::size_t channels = image.channels.size();
    if (!image.mean.empty() || !image.deviation.empty()) {
      if (image.mean.size() != channels || image.deviation.size() != channels)
        problem("{}: a normalization of {} means and {} deviations for {} channels", what, image.mean.size(),
                image.deviation.size(), channels);
      for (const double mean : image.mean)
        if (!std::isfinite(mean)) problem("{}: a mean of {}", what, mean);
      for (const double deviation : image.deviation)
        if (!std::isfinite(deviation) || deviation <= 0) problem("{}: a standard deviation of {}", what, deviation);
    }
    if (image.resize == ResizeMethod::None && image.fit.value_or(ImageFit::Stretch) != ImageFit::Stretch)
      problem("{}: a fit for pictures that are not resized", what);
    if (const auto &window = image.window; window && window->kind == WindowKind::Fixed &&
                                           !(std::isfinite(window->range.low) && std::isfinite(window->range.high) &&
                                             window->range.low < window->range.high))
      problem("{}: a window from {} to {}", what, window->range.low, window->range.high);
    for (const std::string &modality : image.modalities)
      text(modality, what + ": a modality");
    for (const std::string &photometric : image.photometrics)
      if (std::ranges::find(kPhotometrics, photometric) == std::end(kPhotometrics))
        problem("{}: the photometric interpretation '{}'; known are {}", what, photometric,
                fmt::join(kPhotometrics, ", "));
  }

  void check(const OutputMeaning &output) {
    const std::string what = fmt::format("output '{}'", output.name);
    text(output.name, "an output's name");
    const bool values = output.kind == ResultKind::Values, classes = output.kind == ResultKind::Classes;
    for (const ResultItem &item : output.items) {
      text(item.name, what + ": a name in it");
      text(item.unit, what + ": a unit", true);
      if (!values && !item.unit.empty()) problem("{}: '{}' has a unit, which only values have", what, item.name);
      if (output.kind != ResultKind::Findings && item.threshold)
        problem("{}: '{}' has a threshold, which only findings have", what, item.name);
      if (item.threshold && !std::isfinite(*item.threshold))
        problem("{}: '{}' has a threshold of {}", what, item.name, *item.threshold);
    }
    unique(output.items, values ? "value" : classes ? "class" : "finding");
    if (output.threshold && (!classes || !std::isfinite(*output.threshold) || output.items.size() != 2))
      problem("{}: a threshold of its own is for a single score with two classes", what);
    if (const auto &numbers = output.numbers;
        numbers && (!classes || !std::isfinite(numbers->first) || !std::isfinite(numbers->step) || numbers->step == 0))
      problem("{}: classes numbered from {} in steps of {}", what, numbers->first, numbers->step);
    if (output.decided && values) problem("{}: values are no decisions", what);
  }

  void check(const CompiledFacts &facts) {
    if (facts.provedBounds < 0) problem("{} proved bounds", facts.provedBounds);
    for (const OpenBound &bound : facts.openBounds) {
      text(bound.where, "the place of a bound");
      if (!std::isfinite(bound.limit) || bound.limit < 0 || bound.records < 0)
        problem("'{}': a bound of {} on {} records", bound.where, bound.limit, bound.records);
    }
  }

  void fits(const InputMeaning &input, const Shape &shape) {
    const std::int64_t elements = elementsOfRecord(shape);
    if (!input.columns.empty() && static_cast<std::int64_t>(input.columns.size()) != elements)
      problem("input '{}' has {} columns, and the model takes {} numbers (shape {})", input.name, input.columns.size(),
              elements, toString(shape));
    if (!input.image) return;
    const ImageMeaning &image = *input.image;
    const auto channels = static_cast<std::int64_t>(image.channels.size());
    const Shape first{channels, image.height, image.width}, last{image.height, image.width, channels},
        grey{image.height, image.width};
    const auto isFlat = [&](const Shape &each) { // of one channel: of several, their order would be a guess
      return channels == 1 && each.size() == 1 && image.height > 0 && each[0] % image.height == 0 &&
             each[0] / image.height == image.width;
    };
    const auto isImage = [&](const Shape &each) {
      return (image.layout != ImageLayout::ChannelsLast && each == first) ||
             (image.layout != ImageLayout::ChannelsFirst && each == last) || (channels == 1 && each == grey) ||
             isFlat(each);
    };
    if (!isImage(shape) && !(shape.size() > 1 && isImage(Shape(shape.begin() + 1, shape.end()))))
      problem("input '{}' is an image of {} x {} pixels and {} channels, and the model takes {}", input.name,
              image.height, image.width, channels, toString(shape));
  }

  void fits(const OutputMeaning &output, const Shape &shape) {
    const std::int64_t elements = elementsOfRecord(shape);
    if (output.items.empty() || output.kind == ResultKind::Classes) return; // the ops before it say how many classes
    if (static_cast<std::int64_t>(output.items.size()) != elements)
      problem("output '{}' has {} names, and the model gives {} numbers (shape {})", output.name, output.items.size(),
              elements, toString(shape));
  }

  const Schema &schema_;
  std::set<std::string_view> codes_; // of the input's columns
};

} // namespace

ValueRange ImageMeaning::rangeOf(std::size_t channel) const {
  const auto valueOf = [&](double value) {
    return mean.empty() ? value : (value - mean[channel]) / deviation[channel];
  };
  return {std::min(valueOf(black), valueOf(white)), std::max(valueOf(black), valueOf(white))};
}

ValueRange ImageMeaning::range() const {
  ValueRange all = rangeOf(0);
  for (std::size_t channel = 1; channel < channels.size(); ++channel) {
    const ValueRange range = rangeOf(channel);
    all = {std::min(all.low, range.low), std::max(all.high, range.high)};
  }
  return all;
}

std::string describe(const ImageWindow &window) {
  return window.kind == WindowKind::Fixed ? fmt::format("{},{}", window.range.low, window.range.high)
                                          : kWindowWords[static_cast<std::size_t>(window.kind)];
}

const InputMeaning *Schema::input(std::string_view name) const { return find(inputs, name); }
const OutputMeaning *Schema::output(std::string_view name) const { return find(outputs, name); }
InputMeaning &Schema::inputOrNew(std::string_view name) { return findOrAdd(inputs, name); }
OutputMeaning &Schema::outputOrNew(std::string_view name) { return findOrAdd(outputs, name); }

std::int64_t elementsOfRecord(const Shape &shape) { return elementCount(shape) / (shape.size() > 1 ? shape[0] : 1); }

Expected<void> checkSchema(const Schema &schema) {
  Checker checker(schema);
  checker.meaning();
  return checker.result();
}

Expected<void> checkSchema(const Schema &schema, const std::vector<NamedShape> &inputs,
                           const std::vector<NamedShape> &outputs) {
  Checker checker(schema);
  checker.meaning();
  checker.shapes(inputs, outputs);
  return checker.result();
}

} // namespace sd
