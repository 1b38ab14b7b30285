#include "data/Results.h"

#include <openssl/evp.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ir/bytecode/Digest.h"

namespace sd {

namespace {

using Json = nlohmann::ordered_json;

// Names of files need not be UTF-8.
std::string textOf(const Json &json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

std::string holdsIn(const ResultCell &cell) { return cell.holds ? (*cell.holds ? "yes" : "no") : ""; }
std::string valueIn(const ResultCell &cell) { return cell.value ? fmt::format("{}", *cell.value) : ""; }

std::string csvReport(const ReportFacts &facts, const std::vector<ReportedRecord> &records) {
  std::string text = "id,valid,output,name,value,unit,holds,model,version,program,service,time,ranges\n";
  const std::string rest = fmt::format("{},{},{},{},{},{}\n", csvCell(facts.model), csvCell(facts.version),
                                       facts.digest, csvCell(facts.service), facts.time, csvCell(facts.ranges));
  for (const ReportedRecord &record : records) {
    if (!record.valid) text += fmt::format("{},no,,,,,,{}", csvCell(record.id), rest);
    for (const ResultCell &cell : record.cells)
      text += fmt::format("{},yes,{},{},{},{},{},{}", csvCell(record.id), csvCell(cell.output), csvCell(cell.name),
                          valueIn(cell), csvCell(cell.unit), holdsIn(cell), rest);
  }
  return text;
}

Json modelOf(const ReportFacts &facts) {
  Json json = Json::object();
  if (!facts.model.empty()) json["name"] = facts.model;
  if (!facts.version.empty()) json["version"] = facts.version;
  json["program"] = facts.digest;
  return json;
}

std::string jsonReport(const ReportFacts &facts, const std::vector<ReportedRecord> &records) {
  Json json{{"model", modelOf(facts)}, {"service", facts.service}, {"time", facts.time}, {"ranges", facts.ranges}};
  json["records"] = Json::array();
  for (const ReportedRecord &record : records) {
    Json each{{"id", record.id}, {"valid", record.valid}};
    if (!record.valid) each["problem"] = record.problem;
    each["results"] = Json::array();
    for (const ResultCell &cell : record.cells) {
      Json result{{"output", cell.output}, {"name", cell.name}};
      if (cell.value) result["value"] = *cell.value;
      if (!cell.unit.empty()) result["unit"] = cell.unit;
      if (cell.holds) result["holds"] = *cell.holds;
      each["results"].push_back(std::move(result));
    }
    json["records"].push_back(std::move(each));
  }
  return textOf(json);
}

std::string escaped(std::string_view text) {
  std::string html;
  for (const char c : text)
    html += c == '<'    ? "&lt;"
            : c == '>'  ? "&gt;"
            : c == '&'  ? "&amp;"
            : c == '"'  ? "&quot;"
            : c == '\'' ? "&#39;"
                        : std::string(1, c);
  return html;
}

constexpr std::string_view kHead = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Results</title><style>
:root { color-scheme: light dark; --line: #bbb; --strong: #0b57d0; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --line: #555; --strong: #8ab4f8; --bad: #f2b8b5; } }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.holds td { font-weight: 600; color: var(--strong); }
.result { display: flex; gap: 1rem; align-items: flex-start; }
.result table { margin-top: 0; }
.result img { flex: none; max-width: 8rem; max-height: 8rem; image-rendering: pixelated; }
.bad { color: var(--bad); font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
dd { margin: 0; overflow-wrap: anywhere; }
@media print { section { break-inside: avoid; } }
</style></head><body>
)";

// A PNG file as a part of the page.
std::string pictureOf(const ReportedRecord &record) {
  const std::string &png = record.origin.thumbnail;
  if (png.empty()) return "";
  std::string text(4 * ((png.size() + 2) / 3) + 1, '\0'); // and the null that OpenSSL adds
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char *>(text.data()),
                                     reinterpret_cast<const unsigned char *>(png.data()), static_cast<int>(png.size()));
  text.resize(static_cast<std::size_t>(length));
  return fmt::format("<img alt=\"the image of record {}\" src=\"data:image/png;base64,{}\">\n", escaped(record.id),
                     text);
}

std::string tableOf(const ReportedRecord &record) {
  if (!record.valid) return fmt::format("<p class=\"bad\">No valid result: {}</p>\n", escaped(record.problem));
  std::string text = "<table><thead><tr><th>Name</th><th>Value</th><th>Unit</th><th>Result</th></tr></thead><tbody>\n";
  for (const ResultCell &cell : record.cells)
    text += fmt::format("<tr{}><td>{}</td><td class=\"number\">{}</td><td>{}</td><td>{}</td></tr>\n",
                        cell.holds.value_or(false) ? " class=\"holds\"" : "", escaped(cell.name), valueIn(cell),
                        escaped(cell.unit), holdsIn(cell));
  return text + "</tbody></table>\n";
}

std::string htmlReport(const ReportFacts &facts, const std::vector<ReportedRecord> &records) {
  std::string text = fmt::format("{}<h1>{}</h1>\n<dl>", kHead, facts.model.empty() ? "Results" : escaped(facts.model));
  const std::pair<std::string_view, const std::string &> lines[] = {
      {"Version", facts.version}, {"Program", facts.digest}, {"Service", facts.service},
      {"Time", facts.time},       {"Ranges", facts.ranges},
  };
  for (const auto &[name, value] : lines)
    if (!value.empty()) text += fmt::format("<dt>{}</dt><dd>{}</dd>", name, escaped(value));
  text += "</dl>\n";
  for (const ReportedRecord &record : records) {
    text += fmt::format("<section><h2>{}</h2>\n<div class=\"result\">{}{}</div></section>\n", escaped(record.id),
                        tableOf(record), pictureOf(record));
  }
  return text + "</body></html>\n";
}

// A UUID (version 8: of our own making) that depends on the text alone.
std::string uuidOf(const std::string &text) {
  const Digest digest = sha256({{reinterpret_cast<const std::uint8_t *>(text.data()), text.size()}});
  std::string hex = toHex(digest).substr(0, 32);
  hex[12] = '8';
  hex[16] = "89ab"[digest[8] & 3];
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4),
                     hex.substr(20));
}

class Fhir {
public:
  Fhir(const ReportFacts &facts, const std::vector<ReportedRecord> &records) : facts_(facts), records_(records) {}

  std::string bundle() {
    Json entries = Json::array();
    for (std::size_t i = 0; i < records_.size(); ++i)
      add(entries, i);
    Json bundle{{"resourceType", "Bundle"}, {"type", "collection"}, {"timestamp", facts_.time}};
    if (!entries.empty()) bundle["entry"] = std::move(entries); // FHIR has no empty lists
    return textOf(bundle);
  }

private:
  std::string key(std::size_t record, std::string_view what) const {
    return uuidOf(fmt::format("{} {} {} {} {}", facts_.digest, facts_.time, record, records_[record].id, what));
  }

  // What observations and reports have in common; `final` results may be used, `cancelled` ones have no value.
  Json resource(const char *type, const std::string &id, const ReportedRecord &record) const {
    return {{"resourceType", type},
            {"id", id},
            {"status", record.valid ? "final" : "cancelled"},
            {"code", Json::object()},
            {"subject", {{"type", "Patient"}, {"identifier", {{"value", record.id}}}}},
            {"effectiveDateTime", facts_.time},
            {"issued", facts_.time},
            {"performer", {{{"display", facts_.service}}}}};
  }

  std::string modelName() const {
    const std::string name = facts_.model.empty() ? "model" : facts_.model;
    return facts_.version.empty() ? name : fmt::format("{} {}", name, facts_.version);
  }

  Json observation(std::size_t record, std::size_t index) const {
    const ResultCell &cell = records_[record].cells[index];
    Json each = resource("Observation", key(record, fmt::format("value {}", index)), records_[record]);
    each["code"] = {{"text", cell.name.empty() ? cell.output : cell.name}};
    if (cell.value) {
      Json quantity{{"value", *cell.value}};
      if (!cell.unit.empty()) quantity["unit"] = cell.unit;
      each["valueQuantity"] = std::move(quantity);
    } else if (cell.holds) {
      each["valueBoolean"] = *cell.holds;
    }
    if (cell.holds) each["interpretation"] = {{{"text", *cell.holds ? "present" : "absent"}}};
    each["method"] = {{"text", kReportMethod}};
    each["device"] = {{"display", fmt::format("{} (program {})", modelName(), facts_.digest)}};
    if (!facts_.ranges.empty()) each["note"] = {{{"text", facts_.ranges}}};
    return each;
  }

  void add(Json &entries, std::size_t record) const {
    Json report = resource("DiagnosticReport", key(record, "report"), records_[record]);
    report["code"] = {{"text", modelName()}};
    std::vector<std::string> holding;
    std::vector<Json> observations;
    for (std::size_t i = 0; i < records_[record].cells.size(); ++i) {
      const ResultCell &cell = records_[record].cells[i];
      if (cell.holds.value_or(false)) holding.push_back(cell.name);
      observations.push_back(observation(record, i));
      report["result"].push_back({{"reference", "urn:uuid:" + observations.back()["id"].get<std::string>()}});
    }
    if (!records_[record].valid)
      report["conclusion"] = "no valid result: " + records_[record].problem;
    else if (!holding.empty())
      report["conclusion"] = fmt::format("{}", fmt::join(holding, ", "));
    const auto put = [&](Json resource) {
      const std::string url = "urn:uuid:" + resource["id"].get<std::string>();
      entries.push_back({{"fullUrl", url}, {"resource", std::move(resource)}});
    };
    put(std::move(report));
    for (Json &each : observations)
      put(std::move(each));
  }

  const ReportFacts &facts_;
  const std::vector<ReportedRecord> &records_;
};

} // namespace

std::string csvCell(std::string text) {
  if (!text.empty() && std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos) text.insert(0, 1, '\'');
  if (text.find_first_of(",\"\r\n;\t") == std::string::npos) return text;
  std::string cell = "\"";
  for (const char c : text)
    cell += c == '"' ? "\"\"" : std::string(1, c);
  return cell + '"';
}

std::string_view endingOf(ReportFormat format) {
  switch (format) {
  case ReportFormat::Csv:
    return ".csv";
  case ReportFormat::Json:
    return ".json";
  case ReportFormat::Html:
    return ".html";
  case ReportFormat::Fhir:
    return ".fhir.json";
  case ReportFormat::DicomSr:
    return ".sr.dcm";
  }
  return "";
}

ReportFacts factsOf(const Program &program, const Digest &digest) {
  ReportFacts facts{program.schema.modelName, program.schema.modelVersion, toHex(digest), "", "", ""};
  if (const auto &compiled = program.schema.compiled) {
    const std::size_t unknown =
        static_cast<std::size_t>(std::ranges::count(compiled->openBounds, 0, &OpenBound::records));
    std::int64_t records = 0;
    for (const OpenBound &bound : compiled->openBounds)
      records = std::max(records, bound.records);
    facts.ranges = fmt::format("{} bounds proved", compiled->provedBounds);
    if (compiled->openBounds.size() > unknown)
      facts.ranges += fmt::format(", {} measured on {} records", compiled->openBounds.size() - unknown, records);
    if (unknown > 0) facts.ranges += fmt::format(", {} neither proved nor measured", unknown);
  }
  return facts;
}

std::string renderReport(ReportFormat format, const ReportFacts &facts, const std::vector<ReportedRecord> &records) {
  switch (format) {
  case ReportFormat::Csv:
    return csvReport(facts, records);
  case ReportFormat::Json:
    return jsonReport(facts, records);
  case ReportFormat::Html:
    return htmlReport(facts, records);
  case ReportFormat::Fhir:
    return Fhir(facts, records).bundle();
  case ReportFormat::DicomSr:
    break; // renderDicomSr()
  }
  return {};
}

} // namespace sd
