#include "tools/watch/Ledger.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "ir/bytecode/Digest.h"
#include "runtime/service/Time.h"

namespace sd {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kLongestName = 160; // bytes of a result's, so that its endings and a temporary's fit

constexpr std::string_view kOutcomes[] = {"done", "invalid", "broken"};

std::string dump(const Json &json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// Names are bytes; JSON's are UTF-8.
void putName(Json &json, const std::string &key, const std::string &name) {
  const Json text = Json::parse(dump(name), nullptr, false);
  json[key] = text;
  if (text.get<std::string>() == name) return;
  std::string hex;
  for (const char c : name)
    hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  json[key + "_hex"] = hex;
}

std::string nameIn(const Json &json, const std::string &key) {
  if (!json.contains(key + "_hex")) return json.at(key).get<std::string>();
  const auto hex = json.at(key + "_hex").get<std::string>();
  std::string name;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    name += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return name;
}

Json lineOf(std::string_view event, const LedgerFile &file) {
  Json json{{"time", service::toRfc3339(std::chrono::system_clock::now())}, {"event", event}};
  putName(json, "file", file.name);
  json["content"] = file.content;
  json["size"] = file.stamp.size;
  json["inode"] = file.stamp.inode;
  json["modified"] = file.stamp.modified;
  json["changed"] = file.stamp.changed;
  putName(json, "result", file.result);
  return json;
}

LedgerFile fileIn(const Json &json) {
  LedgerFile file;
  file.name = nameIn(json, "file"), file.result = nameIn(json, "result");
  file.content = json.at("content").get<std::string>();
  file.stamp = {json.at("size").get<std::uint64_t>(), json.at("inode").get<std::uint64_t>(),
                json.at("modified").get<std::int64_t>(), json.at("changed").get<std::int64_t>()};
  return file;
}

std::string shortened(const std::string &name) {
  const std::filesystem::path path(name);
  std::string last = path.filename().string();
  if (last.size() <= kLongestName) return name;
  const Digest digest = sha256({{reinterpret_cast<const std::uint8_t *>(name.data()), name.size()}});
  std::size_t length = kLongestName - 20;
  while (length > 0 && (static_cast<unsigned char>(last[length]) & 0xC0) == 0x80)
    --length; // whole characters
  last.resize(length);
  return (path.parent_path() / (last + "~" + toHex(digest).substr(0, 12))).string();
}

} // namespace

Expected<Ledger> Ledger::open(const std::string &path) {
  FileHandle file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) {
    auto error = failedCall(path, "can't open the ledger");
    error.value().kind = ErrorKind::Output;
    return error;
  }
  if (!tryLock(file, LockKind::Exclusive))
    return fail("{}: another process watches for these results; end it, or choose another --results folder", path);
  Ledger ledger(path, std::move(file));
  SD_TRY(ledger.load());
  return ledger;
}

Expected<void> Ledger::load() {
  SD_ASSIGN(const std::uint64_t size, fileSize(file_, path_));
  std::vector<std::uint8_t> bytes(size);
  SD_TRY(readAt(file_, 0, bytes, path_));
  const std::string_view text(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  std::uint64_t number = 0;
  while (size_ < text.size()) {
    const std::size_t end = text.find('\n', size_);
    if (end == std::string_view::npos) break;
    SD_TRY(take(text.substr(size_, end - size_), ++number));
    size_ = end + 1;
  }
  if (size_ < text.size() && ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0)
    return failedCall(path_, "can't drop its last line, which has no end");
  return {};
}

Expected<void> Ledger::take(std::string_view line, std::uint64_t number) {
  try {
    const Json json = Json::parse(line);
    const auto event = json.at("event").get<std::string>();
    if (event != "begin" && std::ranges::find(kOutcomes, event) == std::end(kOutcomes))
      return fail("{}: line {}: the event '{}' is not known; a newer version wrote it", path_, number,
                  plainText(event, 40));
    note(fileIn(json), event != "begin");
    return {};
  } catch (const std::exception &) {
    return fail("{}: line {} is damaged; without the ledger it is not known which files are done: restore it, or begin "
                "anew with another --results folder",
                path_, number);
  }
}

void Ledger::note(const LedgerFile &file, bool isEnd) {
  const auto same = [&](const LedgerFile &other) { return other.name == file.name && other.content == file.content; };
  std::erase_if(begun_, same);
  results_.insert(file.result);
  if (!isEnd) {
    begun_.push_back(file);
    return;
  }
  ++finished_;
  byName_[file.name].push_back(file);
}

bool Ledger::isFinished(const std::string &name, const FileStamp &stamp) const {
  const auto found = byName_.find(name);
  return found != byName_.end() &&
         std::ranges::any_of(found->second, [&](const LedgerFile &file) { return file.stamp == stamp; });
}

bool Ledger::isFinished(const std::string &name, const std::string &content) const {
  const auto found = byName_.find(name);
  return !content.empty() && found != byName_.end() &&
         std::ranges::any_of(found->second, [&](const LedgerFile &file) { return file.content == content; });
}

std::string Ledger::resultFor(const std::string &name, const std::string &content, const IsFree &isFree) const {
  for (const LedgerFile &file : begun_)
    if (file.name == name && file.content == content) return file.result;
  const std::string first = shortened(name);
  std::string result = first;
  for (std::uint64_t copy = 2; results_.contains(result) || !isFree(result); ++copy)
    result = fmt::format("{}~{}", first, copy);
  return result;
}

Expected<void> Ledger::begin(const LedgerFile &file, const std::string &program) {
  if (std::ranges::find(begun_, file) != begun_.end()) return {};
  Json json = lineOf("begin", file);
  json["program"] = program;
  SD_TRY(append(dump(json)));
  note(file, false);
  return {};
}

Expected<void> Ledger::finish(const LedgerFile &file, Outcome outcome, const std::string &problem) {
  Json json = lineOf(kOutcomes[static_cast<std::size_t>(outcome)], file);
  if (!problem.empty()) json["problem"] = problem;
  SD_TRY(append(dump(json)));
  note(file, true);
  return {};
}

Expected<void> Ledger::append(const std::string &text) {
  const std::string line = text + "\n";
  auto written = writeAt(file_, size_, {reinterpret_cast<const std::uint8_t *>(line.data()), line.size()}, path_);
  if (written) written = flush(file_, path_);
  if (!written) {
    static_cast<void>(::ftruncate(file_.get(), static_cast<off_t>(size_)));
    written.error().kind = ErrorKind::Output;
    return written;
  }
  size_ += line.size();
  return {};
}

} // namespace sd
