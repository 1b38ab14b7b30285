#include "tools/sd-serve/ReadSettings.h"

#include <filesystem>

#include "ir/bytecode/File.h"
#include "tools/sd-serve/Section.h"

namespace sd::service {
namespace {

constexpr std::uint64_t kMegabyte = 1'000'000, kMost = 1'000'000'000;

void readTls(Section &top, Settings &settings, const std::string &folder, Problems &problems) {
  const toml::table *table = top.table("tls");
  if (table == nullptr) return;
  Section section(*table, "[tls]", problems);
  section.file("cert", settings.tls.cert, folder, true);
  section.file("key", settings.tls.key, folder, true);
  section.file("ca", settings.tls.ca, folder, true);
  section.file("crl", settings.tls.crl, folder);
  section.rejectOthers();
}

// Which connections begin with a PROXY header.
void readListen(Section &top, Settings &settings, Problems &problems) {
  const toml::table *table = top.table("listen");
  if (table == nullptr) return;
  Section section(*table, "[listen]", problems);
  bool proxied = false;
  std::vector<std::string> sources;
  section.flag("proxy_protocol", proxied);
  section.texts("proxies", sources, proxied);
  if (!proxied && !sources.empty()) section.problem(section.where(), "'proxies' goes with proxy_protocol = true");
  for (const std::string &source : sources) {
    auto range = AddressRange::parse(source);
    if (range)
      settings.proxies.push_back(*range);
    else
      section.problem(section.where(), range.error().message);
  }
  section.rejectOthers();
}

void readLimits(Section &top, Settings &settings, Problems &problems) {
  const toml::table *table = top.table("limits");
  if (table == nullptr) return;
  Section section(*table, "[limits]", problems);
  section.number("sessions", settings.sessions, 1, 1024);
  section.number("threads", settings.threads, 1, 1024);
  std::uint64_t memory = 0;
  section.number("memory", memory, 1, 100'000'000);
  if (memory > 0) settings.memory = memory * kMegabyte;
  section.number("records", settings.records, 1, kMost);
  section.seconds("timeout", settings.timeout);
  section.seconds("session", settings.longest);
  section.seconds("drain", settings.drain);
  section.seconds("wait", settings.patience);
  section.rejectOthers();
}

void readLog(Section &top, Settings &settings, const std::string &folder, Problems &problems) {
  const toml::table *table = top.table("log");
  if (table == nullptr) return;
  Section section(*table, "[log]", problems);
  std::string format = "text";
  section.text("format", format);
  if (format != "text" && format != "json") section.problem(section.where(), "'format' is \"text\" or \"json\"");
  settings.json = format == "json";
  section.file("audit", settings.audit, folder);
  section.rejectOthers();
}

// A folder beside the file, or a database and a key file.
void readStore(Section &section, ModelSettings &model, const std::string &folder) {
  section.text("store", model.store.where);
  section.file("store_key", model.store.key, folder);
  constexpr std::string_view kFolder = "dir:";
  std::string &where = model.store.where;
  if (where.starts_with(kFolder)) where = where.substr(kFolder.size());
  if (!where.empty() && !model.store.isDatabase()) where = (std::filesystem::path(folder) / where).string();
  if (where.empty() && !model.store.key.empty()) section.problem(section.where(), "'store_key' goes with 'store'");
  if (where.empty()) return;
  if (const auto checked = model.store.check(); !checked) section.problem(section.where(), checked.error().message);
}

ModelSettings readModel(const toml::table &table, const std::string &folder, Problems &problems) {
  ModelSettings model;
  Section section(table, "[[model]]", problems);
  section.text("name", model.name, true);
  section.file("program", model.program, folder, true);
  model.weights = std::filesystem::path(model.program).replace_extension(".sdw").string();
  section.file("weights", model.weights, folder);
  readStore(section, model, folder);
  section.number("sessions", model.sessions, 1, 1024);
  section.number("prepare", model.prepare, 1, 1'000'000);
  section.number("keep", model.keep, 0, 1'000'000);
  section.flag("fresh", model.fresh);
  std::uint64_t cache = model.weightCache / kMegabyte;
  section.number("weight_cache", cache, 0, 1'000'000);
  model.weightCache = cache * kMegabyte;
  section.rejectOthers();
  return model;
}

HospitalSettings readHospital(const toml::table &table, Problems &problems) {
  HospitalSettings hospital;
  Section section(table, "[[hospital]]", problems);
  section.text("name", hospital.name, true);
  section.texts("certificate", hospital.certificates, true);
  section.texts("models", hospital.models, true);
  section.number("sessions", hospital.sessions, 1, 1024);
  section.number("inferences_a_day", hospital.inferences, 1, kMost);
  section.rejectOthers();
  return hospital;
}

Settings read(const toml::table &all, const std::string &folder, Problems &problems) {
  Settings settings;
  Section top(all, "the file", problems);
  top.text("address", settings.address);
  top.text("status", settings.status);
  readListen(top, settings, problems);
  readTls(top, settings, folder, problems);
  readLimits(top, settings, problems);
  readLog(top, settings, folder, problems);
  for (const toml::table *table : top.tables("model"))
    settings.models.push_back(readModel(*table, folder, problems));
  for (const toml::table *table : top.tables("hospital"))
    settings.hospitals.push_back(readHospital(*table, problems));
  top.rejectOthers();
  if (settings.models.empty()) top.problem(top.where(), "there is no [[model]] to serve");
  if (settings.hospitals.empty()) top.problem(top.where(), "there is no [[hospital]]: nobody may ask");
  return settings;
}

} // namespace

Expected<Settings> readSettings(const std::string &path) {
  SD_ASSIGN(const std::string text, readText(path, std::uint64_t{16} << 20));
  const toml::parse_result parsed = toml::parse(text, path);
  if (!parsed) {
    const toml::source_position at = parsed.error().source().begin;
    return failHere("{}:{}:{}: {}", path, at.line, at.column, parsed.error().description());
  }
  Problems problems;
  Settings settings = read(parsed.table(), std::filesystem::absolute(path).parent_path().string(), problems);
  if (problems.empty()) return settings;
  std::string list;
  for (const std::string &problem : problems)
    list += fmt::format("{}{}:{}", list.empty() ? "" : "\n", path, problem);
  return failHere("{}", list);
}

} // namespace sd::service
