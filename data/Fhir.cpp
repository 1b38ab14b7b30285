#include "data/Fhir.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "data/FhirTime.h"
#include "ir/bytecode/ByteIo.h"

namespace sd {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kShown = 80;
constexpr int kDeepest = 64;
constexpr std::string_view kUcum = "http://unitsofmeasure.org";

const Json *member(const Json &object, const char *key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

std::string textIn(const Json &object, const char *key) {
  const Json *value = member(object, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

std::string shown(const std::string &text) { return plainText(text, kShown); }

// What an Observation, or one of its components, says of one column.
struct Value {
  std::optional<double> number; // none: it says that there is none
  FhirTime time;
  std::size_t entry = 0; // from 1
};

// Whose an Observation is. Two subjects are the same if their keys are.
struct SubjectName {
  std::string key;
  std::string shown; // as a record's identifier: what the hospital calls the patient
};

struct Subject {
  SubjectName name;
  std::vector<std::optional<Value>> values; // of each column
};

class Reader {
public:
  Reader(const RecordInput &input, const ColumnOptions &options) : input_(input), options_(options) {}

  Expected<RecordTable> read(std::string_view content) {
    if (input_.meaning == nullptr || input_.meaning->columns.empty() ||
        std::ranges::all_of(input_.meaning->columns, [](const Column &column) { return column.codes.empty(); }))
      return fail("a FHIR bundle, and the program does not say which observations are its numbers: compile the model "
                  "with a --schema whose columns of input '{}' have \"codes\"",
                  input_.name);
    if (!options_.identifiers.empty())
      return fail("--id {}: a FHIR bundle has no columns; its subjects name the records", options_.identifiers[0]);
    SD_ASSIGN(const Json json, documentOf(content));
    SD_TRY(readAll(json));
    return table();
  }

private:
  static Expected<Json> documentOf(std::string_view content) {
    if (content.starts_with("\xEF\xBB\xBF")) content.remove_prefix(3);
    bool isDeep = false;
    try {
      Json json = Json::parse(content, [&](int depth, Json::parse_event_t, Json &) {
        isDeep = isDeep || depth > kDeepest;
        return !isDeep;
      });
      if (isDeep) return fail("its lists and objects are nested too deeply");
      return json;
    } catch (const Json::exception &error) {
      const auto *at = dynamic_cast<const Json::parse_error *>(&error);
      return fail("a damaged FHIR bundle: no JSON{}", at ? fmt::format(" (at byte {})", at->byte) : "");
    }
  }

  Expected<void> readAll(const Json &json) {
    const std::string type = textIn(json, "resourceType");
    if (type == "Observation") return observation(json, 1);
    if (type != "Bundle")
      return fail("{}; FHIR Bundles and Observations are read",
                  type.empty() ? "JSON that is no FHIR resource" : fmt::format("a FHIR {}", shown(type)));
    const Json *entries = member(json, "entry");
    if (entries == nullptr) return {};
    if (!entries->is_array()) return fail("a damaged FHIR bundle: its entry is no list");
    for (const Json &entry : *entries) // first, since references may point ahead
      if (const Json *resource = member(entry, "resource"); resource && textIn(*resource, "resourceType") == "Patient")
        patient(entry, *resource);
    std::size_t number = 0;
    for (const Json &entry : *entries) {
      ++number;
      const Json *resource = member(entry, "resource");
      if (resource == nullptr || textIn(*resource, "resourceType") != "Observation") continue;
      if (auto read = observation(*resource, number); !read)
        return failAs(read.error(), "entry {}: {}", number, read.error().message);
    }
    return {};
  }

  // "SYSTEM|VALUE" of an identifier; empty: it has no value. Without a system it is the bundle's own.
  static std::string keyOf(const Json &identifier) {
    const std::string value = textIn(identifier, "value");
    return value.empty() ? "" : "identifier " + textIn(identifier, "system") + "|" + value;
  }

  void patient(const Json &entry, const Json &resource) {
    const std::string id = textIn(resource, "id"), url = textIn(entry, "fullUrl");
    SubjectName name;
    std::vector<std::string> keys; // each of which means this patient
    if (const Json *list = member(resource, "identifier"); list && list->is_array())
      for (const Json &each : *list)
        if (std::string key = keyOf(each); !key.empty()) {
          if (name.shown.empty()) name.shown = textIn(each, "value");
          keys.push_back(std::move(key));
        }
    if (!url.empty()) keys.push_back(url);
    if (!id.empty()) keys.push_back("Patient/" + id);
    if (keys.empty()) return;
    if (name.shown.empty()) name.shown = id.empty() ? url : id;
    name.key = keys[0];
    for (const std::string &key : keys)
      if (const auto found = patients_.find(key); found != patients_.end()) name = found->second; // entered twice
    for (const std::string &key : keys)
      patients_.emplace(key, name);
  }

  Expected<SubjectName> subjectOf(const Json &observation, std::size_t entry) const {
    const Json *subject = member(observation, "subject");
    if (subject == nullptr) return fail("an Observation without a subject: whose is it?");
    std::string reference = textIn(*subject, "reference");
    if (const std::size_t version = reference.find("/_history/"); version != reference.npos) reference.resize(version);
    if (const auto found = patients_.find(reference); !reference.empty() && found != patients_.end())
      return found->second;
    if (const Json *own = member(*subject, "identifier"))
      if (const std::string key = keyOf(*own); !key.empty()) {
        const auto found = patients_.find(key);
        return found != patients_.end() ? found->second : SubjectName{key, textIn(*own, "value")};
      }
    if (reference.empty()) return fail("an Observation whose subject has neither an identifier nor a reference");
    if (reference.starts_with('#')) return contained(observation, reference.substr(1), entry);
    const std::size_t slash = reference.rfind('/');
    const std::string id = slash == reference.npos ? reference : reference.substr(slash + 1);
    const std::string path = slash == reference.npos ? "" : reference.substr(0, slash);
    const std::string type = path.substr(path.rfind('/') + 1);
    if (!type.empty() && type != "Patient")
      return fail("an Observation whose subject is no Patient ('{}')", shown(type));
    return SubjectName{reference, id};
  }

  // A patient within the Observation: known by an identifier, or as this entry's alone.
  static Expected<SubjectName> contained(const Json &observation, const std::string &id, std::size_t entry) {
    const Json *list = member(observation, "contained");
    if (list != nullptr && list->is_array())
      for (const Json &each : *list) {
        if (textIn(each, "id") != id) continue;
        const Json *identifiers = member(each, "identifier");
        if (identifiers != nullptr && identifiers->is_array() && !identifiers->empty())
          if (std::string key = keyOf((*identifiers)[0]); !key.empty())
            return SubjectName{std::move(key), textIn((*identifiers)[0], "value")};
        return SubjectName{fmt::format("contained {} {}", entry, id), id};
      }
    return fail("an Observation whose subject '#{}' it does not contain", shown(id));
  }

  Expected<void> observation(const Json &resource, std::size_t entry) {
    const std::string status = textIn(resource, "status");
    if (status != "final" && status != "amended" && status != "corrected") {
      ++notFinal_;
      return {};
    }
    SD_ASSIGN(const FhirTime time, timeOfObservation(resource));
    bool isUsed = false;
    if (const std::optional<std::size_t> column = columnOf(resource)) {
      SD_TRY(take(resource, *column, resource, time, entry));
      isUsed = true;
    }
    if (const Json *components = member(resource, "component"); components && components->is_array())
      for (const Json &component : *components)
        if (const std::optional<std::size_t> column = columnOf(component)) {
          SD_TRY(take(component, *column, resource, time, entry));
          isUsed = true;
        }
    others_ += isUsed ? 0 : 1;
    return {};
  }

  std::optional<std::size_t> columnOf(const Json &object) const {
    const Json *code = member(object, "code");
    const Json *codings = code ? member(*code, "coding") : nullptr;
    if (codings == nullptr || !codings->is_array()) return std::nullopt;
    for (const Json &coding : *codings) {
      const std::string name = textIn(coding, "system") + "|" + textIn(coding, "code");
      for (std::size_t i = 0; i < columns().size(); ++i)
        if (std::ranges::find(columns()[i].codes, name) != columns()[i].codes.end()) return i;
    }
    return std::nullopt;
  }

  // `object` has the value, `observation` the subject.
  Expected<void> take(const Json &object, std::size_t column, const Json &observation, const FhirTime &time,
                      std::size_t entry) {
    SD_ASSIGN(const SubjectName name, subjectOf(observation, entry));
    const auto number = numberOf(object, columns()[column]);
    if (!number) return failAs(number.error(), "'{}': {}", columns()[column].name, number.error().message);
    const auto [found, isNew] = places_.try_emplace(name.key, subjects_.size());
    if (isNew) subjects_.push_back({name, std::vector<std::optional<Value>>(columns().size())});
    std::optional<Value> &value = subjects_[found->second].values[column];
    const Value next{*number, time, entry};
    if (!value) {
      value = next;
      return {};
    }
    const std::partial_ordering order = next.time <=> value->time;
    if (order == std::partial_ordering::unordered ||
        (order == std::partial_ordering::equivalent && next.number != value->number))
      return fail("'{}' is there twice for one subject (also entry {}), and their times don't tell which is the later",
                  columns()[column].name, value->entry);
    ++repeated_;
    if (order == std::partial_ordering::greater) value = next;
    return {};
  }

  static Expected<std::optional<double>> numberOf(const Json &object, const Column &column) {
    if (const Json *quantity = member(object, "valueQuantity")) return quantityOf(*quantity, column);
    if (const Json *integer = member(object, "valueInteger"); integer && integer->is_number_integer()) {
      if (!column.unit.empty()) return fail("a whole number without a unit, and the program takes {}", column.unit);
      return integer->get<double>();
    }
    if (member(object, "dataAbsentReason")) return std::nullopt;
    return fail("it has no value that is a quantity or a whole number");
  }

  static Expected<std::optional<double>> quantityOf(const Json &quantity, const Column &column) {
    if (const std::string comparator = textIn(quantity, "comparator"); !comparator.empty())
      return fail("its value is a bound ('{}') and no number", shown(comparator));
    const Json *value = member(quantity, "value");
    if (value == nullptr || !value->is_number()) return fail("its quantity has no number");
    const double number = value->get<double>();
    const std::string system = textIn(quantity, "system"), code = textIn(quantity, "code"),
                      name = textIn(quantity, "unit");
    const std::string unit = (system == kUcum || system.empty()) && !code.empty() ? code : name;
    if (unit == column.unit || (column.unit.empty() && unit == "1")) return number;
    for (const UnitConversion &each : column.units)
      if (each.unit == unit) return number * each.factor + each.offset;
    std::vector<std::string> known{column.unit.empty() ? "none" : column.unit};
    for (const UnitConversion &each : column.units)
      known.push_back(each.unit);
    return fail("its unit is {}; the program's schema knows {}",
                unit.empty() ? "not said" : fmt::format("'{}'", shown(unit)), fmt::join(known, ", "));
  }

  Expected<RecordTable> table() {
    if (subjects_.empty()) return fail("it holds no final Observation with a code that the program takes");
    std::map<std::string, int> named;
    for (const Subject &subject : subjects_)
      ++named[subject.name.shown];
    RecordTable result;
    for (std::size_t i = 0; i < subjects_.size(); ++i) {
      SD_TRY(addRecord(subjects_[i], i + 1, result));
      const SubjectName &name = subjects_[i].name;
      result.identifiers.push_back(plainText(named[name.shown] == 1 ? name.shown : name.key, 200));
    }
    result.records.shape = {static_cast<std::int64_t>(subjects_.size()), static_cast<std::int64_t>(columns().size())};
    note(notFinal_, "Observations that are not final were left out");
    note(others_, "Observations of codes that the program does not take were left out");
    note(repeated_, "of repeated Observations the latest was taken");
    return result;
  }

  Expected<void> addRecord(const Subject &subject, std::size_t number, RecordTable &result) const {
    std::vector<std::string> missing;
    for (std::size_t c = 0; c < columns().size(); ++c) {
      const Column &column = columns()[c];
      std::optional<double> value = subject.values[c] ? subject.values[c]->number : std::nullopt;
      if (!value) value = column.substitute;
      if (!value) missing.push_back(fmt::format("'{}'", column.name));
      result.records.data.push_back(static_cast<float>(value.value_or(0)));
    }
    if (missing.empty()) return {};
    return fail("subject {} of {}: {} {} missing, and the program has no substitute", number, subjects_.size(),
                fmt::join(missing, ", "), missing.size() == 1 ? "is" : "are");
  }

  void note(std::size_t count, std::string_view what) const {
    if (count > 0 && options_.note) options_.note(fmt::format("{}: {} ({})", options_.file, what, count));
  }

  const std::vector<Column> &columns() const { return input_.meaning->columns; }

  const RecordInput &input_;
  const ColumnOptions &options_;
  std::map<std::string, SubjectName> patients_; // by what refers to them
  std::vector<Subject> subjects_;
  std::map<std::string, std::size_t> places_; // in subjects_, by key
  std::size_t notFinal_ = 0, others_ = 0, repeated_ = 0;
};

} // namespace

bool isFhir(std::string_view content) {
  if (content.starts_with("\xEF\xBB\xBF")) content.remove_prefix(3);
  const std::size_t start = content.find_first_not_of(" \t\r\n");
  return start != content.npos && content[start] == '{' && content.find("\"resourceType\"") != content.npos;
}

Expected<RecordTable> readFhir(std::string_view content, const RecordInput &input, const ColumnOptions &options) {
  return Reader(input, options).read(content);
}

} // namespace sd
