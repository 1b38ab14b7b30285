#include "ir/bytecode/SchemaJson.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

#include "ir/bytecode/ByteIo.h"
#include "ir/bytecode/Problems.h"

namespace sd {

namespace {

using Json = nlohmann::json;

constexpr int kDeepest = 8;
constexpr const char *kKinds[] = {"values", "classes", "findings"}; // by ResultKind; an output has one of these lists

// Out.

void putText(Json &object, const char *key, const std::string &text) {
  if (!text.empty()) object[key] = text;
}

void putRange(Json &object, const char *key, const std::optional<ValueRange> &range) {
  if (range) object[key] = {range->low, range->high};
}

Json jsonOf(const Column &column) {
  Json json{{"name", column.name}};
  putText(json, "unit", column.unit);
  putRange(json, "range", column.range);
  if (column.substitute) json["missing"] = *column.substitute;
  if (!column.codes.empty()) json["codes"] = column.codes;
  for (const UnitConversion &unit : column.units) {
    Json each{{"unit", unit.unit}, {"factor", unit.factor}};
    if (unit.offset != 0) each["offset"] = unit.offset;
    json["units"].push_back(std::move(each));
  }
  return json;
}

template <class T, std::size_t N>
void putWord(Json &json, const char *key, const std::optional<T> &value, const char *const (&words)[N]) {
  if (value) json[key] = words[static_cast<std::size_t>(*value)];
}

Json jsonOf(const ImageMeaning &image) {
  Json json{{"height", image.height},
            {"width", image.width},
            {"channels", image.channels},
            {"black", image.black},
            {"white", image.white}};
  if (!image.mean.empty()) json["normalization"] = {{"mean", image.mean}, {"std", image.deviation}};
  putWord(json, "layout", image.layout, kLayoutWords);
  putWord(json, "resize", image.resize, kResizeWords);
  putWord(json, "fit", image.fit, kFitWords);
  putWord(json, "rescale", image.rescale, kRescaleWords);
  if (image.window && image.window->kind == WindowKind::Fixed)
    putRange(json, "window", image.window->range);
  else if (image.window)
    json["window"] = describe(*image.window);
  if (!image.modalities.empty()) json["modality"] = image.modalities;
  if (!image.photometrics.empty()) json["photometric"] = image.photometrics;
  return json;
}

Json jsonOf(const InputMeaning &input) {
  Json json{{"name", input.name}};
  for (const Column &column : input.columns)
    json["columns"].push_back(jsonOf(column));
  if (!input.identifiers.empty()) json["identifiers"] = input.identifiers;
  if (input.image) json["image"] = jsonOf(*input.image);
  putRange(json, "range", input.range);
  if (input.measuredOn) json["measured_on"] = input.measuredOn;
  return json;
}

Json jsonOf(const OutputMeaning &output) {
  Json json{{"name", output.name}};
  Json &items = json[kKinds[static_cast<std::size_t>(output.kind)]] = Json::array();
  for (const ResultItem &item : output.items) {
    Json each{{"name", item.name}};
    putText(each, "unit", item.unit);
    if (item.threshold) each["threshold"] = *item.threshold;
    items.push_back(std::move(each));
  }
  if (output.threshold) json["threshold"] = *output.threshold;
  if (output.numbers) json["numbers"] = {output.numbers->first, output.numbers->step};
  if (output.decided) json["decided"] = true;
  return json;
}

Json jsonOf(const CompiledFacts &facts) {
  Json open = Json::array();
  for (const OpenBound &bound : facts.openBounds) {
    Json each{{"where", bound.where}, {"limit", bound.limit}};
    if (bound.records) each["measured_on"] = bound.records;
    open.push_back(std::move(each));
  }
  return {{"proved_bounds", facts.provedBounds}, {"open_bounds", std::move(open)}};
}

// In.

class Parser : public Problems {
public:
  explicit Parser(bool inProgram) : inProgram_(inProgram) {}

  Schema schema(const Json &json) {
    Schema schema;
    if (!object(json, "the schema", {"model", "inputs", "outputs", "compiled"})) return schema;
    if (const Json *model = member(json, "model");
        model && object(*model, "model", {"name", "version", "description"})) {
      text(*model, "name", "model", schema.modelName);
      text(*model, "version", "model", schema.modelVersion);
      text(*model, "description", "model", schema.description);
    }
    list(json, "inputs", "inputs",
         [&](const Json &each, const std::string &where) { schema.inputs.push_back(input(each, where)); });
    list(json, "outputs", "outputs",
         [&](const Json &each, const std::string &where) { schema.outputs.push_back(output(each, where)); });
    if (const Json *facts = compilersOwn(json, "compiled", "the schema")) schema.compiled = compiled(*facts);
    return schema;
  }

private:
  static const Json *member(const Json &object, const char *key) {
    const auto found = object.find(key);
    return found == object.end() ? nullptr : &*found;
  }

  bool object(const Json &json, std::string_view where, std::initializer_list<std::string_view> known) {
    if (!json.is_object()) {
      problem("{}: must be an object, {{...}}", where);
      return false;
    }
    for (const auto &[key, value] : json.items())
      if (std::ranges::find(known, key) == known.end())
        problem("{}: '{}' is unknown here; known are {}", where, plainText(key, 64), fmt::join(known, ", "));
    return true;
  }

  // A field that only the compiler writes.
  const Json *compilersOwn(const Json &object, const char *key, std::string_view where) {
    const Json *value = member(object, key);
    if (!value || inProgram_) return value;
    problem("{}: '{}' is the compiler's own: leave it out", where, key);
    return nullptr;
  }

  template <class F>
  void list(const Json &object, const char *key, const std::string &where, F each) {
    const Json *value = member(object, key);
    if (!value) return;
    if (!value->is_array()) return problem("{}: must be a list, [...]", where);
    for (std::size_t i = 0; i < value->size(); ++i)
      each((*value)[i], fmt::format("{}[{}]", where, i));
  }

  void text(const Json &object, const char *key, const std::string &where, std::string &to, bool needed = false) {
    const Json *value = member(object, key);
    if (!value && needed) problem("{}: '{}' is missing", where, key);
    if (!value) return;
    if (!value->is_string()) return problem("{}.{}: must be text in quotes", where, key);
    to = value->get<std::string>();
  }

  void number(const Json &object, const char *key, const std::string &where, double &to) {
    const Json *value = member(object, key);
    if (!value) return;
    if (!value->is_number()) return problem("{}.{}: must be a number", where, key);
    to = value->get<double>();
  }

  void optionalNumber(const Json &object, const char *key, const std::string &where, std::optional<double> &to) {
    if (member(object, key)) number(object, key, where, to.emplace());
  }

  void count(const Json &object, const char *key, const std::string &where, std::int64_t &to) {
    const Json *value = member(object, key);
    if (!value) return;
    if (!value->is_number_integer() || !(value->get<double>() >= 0 && value->get<double>() < 0x1p53))
      return problem("{}.{}: must be a whole number that is not negative", where, key);
    to = value->get<std::int64_t>();
  }

  void pair(const Json &value, const std::string &where, double &first, double &second) {
    if (!value.is_array() || value.size() != 2 || !value[0].is_number() || !value[1].is_number())
      return problem("{}: must be two numbers, such as [0, 1]", where);
    first = value[0].get<double>(), second = value[1].get<double>();
  }

  void range(const Json &object, const std::string &where, std::optional<ValueRange> &to) {
    const Json *value = member(object, "range");
    if (!value) return;
    to.emplace();
    pair(*value, where + ".range", to->low, to->high);
  }

  void names(const Json &object, const char *key, const std::string &where, std::vector<std::string> &to) {
    list(object, key, where + "." + key, [&](const Json &each, const std::string &place) {
      if (each.is_string())
        to.push_back(each.get<std::string>());
      else
        problem("{}: must be text in quotes", place);
    });
  }

  Column column(const Json &json, const std::string &where) {
    Column column;
    if (json.is_string()) {
      column.name = json.get<std::string>();
      return column;
    }
    if (!object(json, where, {"name", "unit", "range", "missing", "codes", "units"})) return column;
    text(json, "name", where, column.name, true);
    text(json, "unit", where, column.unit);
    range(json, where, column.range);
    const Json *missing = member(json, "missing");
    if (missing && missing->is_number())
      column.substitute = missing->get<double>();
    else if (missing && *missing != "error")
      problem("{}.missing: must be \"error\", or the number that takes a missing value's place", where);
    names(json, "codes", where, column.codes);
    list(json, "units", where + ".units", [&](const Json &each, const std::string &place) {
      if (!object(each, place, {"unit", "factor", "offset"})) return;
      UnitConversion &unit = column.units.emplace_back();
      text(each, "unit", place, unit.unit, true);
      if (!member(each, "factor")) problem("{}: 'factor' is missing", place);
      number(each, "factor", place, unit.factor);
      number(each, "offset", place, unit.offset);
    });
    return column;
  }

  template <class T, std::size_t N>
  void word(const Json &object, const char *key, const std::string &where, std::optional<T> &to,
            const char *const (&words)[N]) {
    const Json *value = member(object, key);
    if (!value) return;
    for (std::size_t i = 0; i < N; ++i)
      if (*value == words[i]) to = static_cast<T>(i);
    if (!to) problem("{}.{}: must be one of {}", where, key, fmt::join(words, ", "));
  }

  void numbers(const Json &object, const char *key, const std::string &where, std::vector<double> &to) {
    if (!member(object, key)) problem("{}: '{}' is missing", where, key);
    list(object, key, fmt::format("{}.{}", where, key), [&](const Json &each, const std::string &place) {
      if (!each.is_number()) return problem("{}: must be a number", place);
      to.push_back(each.get<double>());
    });
  }

  ImageMeaning image(const Json &json, const std::string &where) {
    ImageMeaning image;
    if (!object(json, where,
                {"height", "width", "channels", "black", "white", "normalization", "layout", "resize", "fit", "window",
                 "rescale", "modality", "photometric"}))
      return image;
    count(json, "height", where, image.height);
    count(json, "width", where, image.width);
    names(json, "channels", where, image.channels);
    number(json, "black", where, image.black);
    number(json, "white", where, image.white);
    if (const Json *value = member(json, "normalization");
        value && object(*value, where + ".normalization", {"mean", "std"})) {
      numbers(*value, "mean", where + ".normalization", image.mean);
      numbers(*value, "std", where + ".normalization", image.deviation);
    }
    word(json, "layout", where, image.layout, kLayoutWords);
    word(json, "resize", where, image.resize, kResizeWords);
    word(json, "fit", where, image.fit, kFitWords);
    word(json, "rescale", where, image.rescale, kRescaleWords);
    if (const Json *value = member(json, "window"); value && value->is_array()) {
      image.window = ImageWindow{WindowKind::Fixed, {}};
      pair(*value, where + ".window", image.window->range.low, image.window->range.high);
    } else if (value) {
      std::optional<WindowKind> kind;
      word(json, "window", where, kind, kWindowWords);
      if (kind) image.window = ImageWindow{*kind, {}};
    }
    names(json, "modality", where, image.modalities);
    names(json, "photometric", where, image.photometrics);
    return image;
  }

  InputMeaning input(const Json &json, const std::string &where) {
    InputMeaning input;
    if (!object(json, where, {"name", "columns", "identifiers", "image", "range", "measured_on"})) return input;
    text(json, "name", where, input.name, true);
    list(json, "columns", where + ".columns",
         [&](const Json &each, const std::string &place) { input.columns.push_back(column(each, place)); });
    names(json, "identifiers", where, input.identifiers);
    if (const Json *value = member(json, "image")) input.image = image(*value, where + ".image");
    range(json, where, input.range);
    if (compilersOwn(json, "measured_on", where)) count(json, "measured_on", where, input.measuredOn);
    return input;
  }

  OutputMeaning output(const Json &json, const std::string &where) {
    OutputMeaning output;
    if (!object(json, where, {"name", "values", "classes", "findings", "threshold", "numbers", "decided"}))
      return output;
    text(json, "name", where, output.name, true);
    std::size_t kinds = 0;
    for (std::size_t kind = 0; kind < std::size(kKinds); ++kind) {
      if (!member(json, kKinds[kind])) continue;
      ++kinds;
      output.kind = static_cast<ResultKind>(kind);
      list(json, kKinds[kind], fmt::format("{}.{}", where, kKinds[kind]),
           [&](const Json &each, const std::string &place) { output.items.push_back(item(each, place)); });
    }
    if (kinds != 1) problem("{}: must have one of the lists {}", where, fmt::join(kKinds, ", "));
    optionalNumber(json, "threshold", where, output.threshold);
    if (const Json *numbers = compilersOwn(json, "numbers", where)) {
      ClassNumbers &to = output.numbers.emplace();
      pair(*numbers, where + ".numbers", to.first, to.step);
    }
    if (const Json *decided = compilersOwn(json, "decided", where)) output.decided = *decided == true;
    return output;
  }

  ResultItem item(const Json &json, const std::string &where) {
    ResultItem item;
    if (json.is_string()) {
      item.name = json.get<std::string>();
      return item;
    }
    if (!object(json, where, {"name", "unit", "threshold"})) return item;
    text(json, "name", where, item.name, true);
    text(json, "unit", where, item.unit);
    optionalNumber(json, "threshold", where, item.threshold);
    return item;
  }

  CompiledFacts compiled(const Json &json) {
    CompiledFacts facts;
    if (!object(json, "compiled", {"proved_bounds", "open_bounds"})) return facts;
    count(json, "proved_bounds", "compiled", facts.provedBounds);
    list(json, "open_bounds", "compiled.open_bounds", [&](const Json &each, const std::string &where) {
      if (!object(each, where, {"where", "limit", "measured_on"})) return;
      OpenBound &bound = facts.openBounds.emplace_back();
      text(each, "where", where, bound.where, true);
      number(each, "limit", where, bound.limit);
      count(each, "measured_on", where, bound.records);
    });
    return facts;
  }

  bool inProgram_;
};

// The document; nlohmann's parser would take the last of equal keys.
Expected<Json> documentOf(std::string_view text) {
  if (text.size() > kMaxSchemaBytes)
    return fail("{} bytes of JSON; at most {} are allowed", text.size(), kMaxSchemaBytes);
  std::vector<std::set<std::string>> keys; // of the objects around
  std::string problem;
  const auto watch = [&](int depth, Json::parse_event_t event, Json &value) {
    if (depth > kDeepest && problem.empty()) problem = "lists and objects are nested too deeply";
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second && problem.empty())
      problem = fmt::format("'{}' is given twice in one object", plainText(value.get<std::string>(), 64));
    return problem.empty();
  };
  try {
    Json json = Json::parse(text, watch);
    if (!problem.empty()) return fail("{}", problem);
    return json;
  } catch (const std::exception &error) { // nlohmann's message: "[json.exception...] parse error at line 3, ..."
    std::string_view what = error.what();
    if (const auto end = what.find("] "); end != what.npos) what.remove_prefix(end + 2);
    return fail("not JSON: {}", plainText(what, 300));
  }
}

Expected<Schema> parse(std::string_view text, bool inProgram) {
  SD_ASSIGN(const Json json, documentOf(text));
  Parser parser(inProgram);
  Schema schema = parser.schema(json);
  SD_TRY(parser.result());
  SD_TRY(checkSchema(schema));
  return schema;
}

} // namespace

std::string toJson(const Schema &schema) {
  Json json = Json::object();
  Json model = Json::object();
  putText(model, "name", schema.modelName);
  putText(model, "version", schema.modelVersion);
  putText(model, "description", schema.description);
  if (!model.empty()) json["model"] = std::move(model);
  for (const InputMeaning &input : schema.inputs)
    json["inputs"].push_back(jsonOf(input));
  for (const OutputMeaning &output : schema.outputs)
    json["outputs"].push_back(jsonOf(output));
  if (schema.compiled) json["compiled"] = jsonOf(*schema.compiled);
  return json.dump();
}

Expected<Schema> parseSchema(std::string_view json) {
  if (json.starts_with("\xEF\xBB\xBF")) json.remove_prefix(3); // byte order mark
  return parse(json, false);
}

Expected<Schema> parseProgramSchema(std::string_view json) {
  SD_ASSIGN(Schema schema, parse(json, true));
  if (toJson(schema) != json) return fail("the schema is not in the one form that programs hold");
  return schema;
}

} // namespace sd
