#include "compiler/Compile.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <fstream>
#include <iterator>
#include <limits>

#include "ir/Parser.h"
#include "ir/Verifier.h"

namespace sd {

namespace {

constexpr std::uintmax_t kMaxTextBytes = std::uintmax_t{1} << 30;

Expected<std::string> readText(const std::filesystem::path &path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) return fail("cannot read '{}': {}", path.string(), error.message());
  if (size > kMaxTextBytes) return fail("'{}' is larger than {} bytes", path.string(), kMaxTextBytes);
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file) return fail("cannot read '{}'", path.string());
  return text;
}

// IR text under another name, such as that of a temporary file. Pipes and devices are not opened: they may have no end.
bool looksLikeIr(const std::filesystem::path &path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  std::ifstream file(path, std::ios::binary);
  std::string start(64, '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(file.gcount()));
  start.erase(0, start.find_first_not_of(" \t\r\n"));
  return start.starts_with("module") || start.starts_with("//");
}

Expected<Module> loadText(const std::filesystem::path &path) {
  SD_ASSIGN(const std::string text, readText(path));
  Diagnostics diagnostics;
  auto module = parse(text, path.string(), diagnostics);
  if (module) return *std::move(module);
  Error error{.message = diagnostics.render(), .located = true};
  while (error.message.ends_with('\n'))
    error.message.pop_back();
  return tl::unexpected(std::move(error));
}

Expected<Module> loadOnnx(const std::filesystem::path &path, const ModelOptions &options) {
  const ImportOptions import{options.batch,   options.inputRange, options.inputRanges,
                             options.remarks, options.shapes,     options.facts};
  std::vector<ImportProblem> problems;
  Expected<Module> module = fail("");
  if (path.extension() == ".onnxtext") {
    SD_ASSIGN(const std::string text, readText(path));
    module = importOnnxText(text, import, problems);
  } else {
    module = importOnnx(path, import, problems);
  }
  if (module) return module;
  std::string message = fmt::format("{}: {}", path.string(), module.error().message);
  for (auto &problem : problems)
    if (problem.message != module.error().message) message += "\n  " + toString(problem);
  return tl::unexpected<Error>(Error{std::move(message)});
}

Expected<double> parseNumber(std::string_view text, std::string_view what) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range || (error == std::errc{} && !std::isfinite(value)))
    return fail("{}: '{}' is no finite number", what, text);
  if (error != std::errc{} || end != text.data() + text.size()) return fail("{}: '{}' is not a number", what, text);
  return value;
}

} // namespace

namespace {

Expected<Module> loadAny(const std::filesystem::path &path, const ModelOptions &options) {
  const auto ending = path.extension();
  if (ending == ".onnx" || ending == ".onnxtext" || (ending != ".sdir" && !looksLikeIr(path))) {
    SD_ASSIGN(Module module, loadOnnx(path, options));
    module.ringBits = options.ringBits.value_or(module.ringBits);
    return module;
  }
  if (options.batch || !options.shapes.empty())
    return fail(ErrorKind::Usage, "--{} is for ONNX models; '{}' has fixed shapes", options.batch ? "batch" : "shape",
                path.string());
  SD_ASSIGN(Module module, loadText(path));
  if (options.ringBits && *options.ringBits != module.ringBits) {
    if (isLowered(module))
      return fail(ErrorKind::Usage, "--ring {}: '{}' is lowered for a ring of {} bits already", *options.ringBits,
                  path.string(), module.ringBits);
    module.ringBits = *options.ringBits;
  }
  for (auto &op : module.ops) {
    if (op.kind != OpKind::Input) continue;
    const auto own = options.inputRanges.find(op.attrs.str(Attr::Name));
    const auto range = own != options.inputRanges.end() ? std::optional(own->second) : options.inputRange;
    if (!range) continue;
    op.attrs.set(Attr::Low, range->first);
    op.attrs.set(Attr::High, range->second);
  }
  return module;
}

Expected<void> expectInput(const Module &module, const std::string &name) {
  std::vector<std::string> names;
  for (const Op &op : module.ops)
    if (op.kind == OpKind::Input) names.push_back(op.attrs.str(Attr::Name));
  if (std::ranges::find(names, name) != names.end()) return {};
  return fail("the model has no input '{}'; it has {}", name, fmt::join(names, ", "));
}

} // namespace

Expected<Module> loadModel(const std::filesystem::path &path, const ModelOptions &options) {
  SD_ASSIGN(Module module, loadAny(path, options));
  for (const auto &[name, range] : options.inputRanges)
    if (auto known = expectInput(module, name); !known)
      return fail(ErrorKind::Usage, "--input-range: {}", known.error().message);
  return module;
}

Expected<Module> lower(Module module, const LowerOptions &options, PassContext &context) {
  if (context.options.privateNormalization)
    for (auto &op : module.ops)
      if (op.kind == OpKind::Input && !op.attrs.has(Attr::Low))
        return fail(ErrorKind::Usage,
                    "--private-normalization needs --input-range LO,HI: input '{}' is entered at a scale chosen by it",
                    op.attrs.str(Attr::Name));
  return runPasses(std::move(module), options.passes, options.manager, context);
}

Expected<int> scaleBitsOf(std::int64_t scale) {
  if (scale < 2 || scale > 65536 || !std::has_single_bit(static_cast<std::uint64_t>(scale)))
    return fail("--scale {}: the scale must be a power of two from 2 to 65536, such as 1024", scale);
  return std::bit_width(static_cast<std::uint64_t>(scale)) - 1;
}

Expected<int> weightScaleBitsOf(std::int64_t scale) {
  if (scale < 2 || scale > std::int64_t{1} << 24 || !std::has_single_bit(static_cast<std::uint64_t>(scale)))
    return fail("--weight-scale {}: must be a power of two from 2 to 16777216, such as 4096", scale);
  return std::bit_width(static_cast<std::uint64_t>(scale)) - 1;
}

Expected<NetworkProfile> parseNetwork(std::string_view text) {
  if (text == "lan") return NetworkProfile::lan();
  if (text == "wan") return NetworkProfile::wan();
  NetworkProfile profile;
  const std::size_t comma = text.find(',');
  const std::string_view rtt = text.substr(0, comma);
  const std::string_view bandwidth = comma == text.npos ? std::string_view{} : text.substr(comma + 1);
  if (!rtt.starts_with("rtt=") || !bandwidth.starts_with("bandwidth="))
    return fail("--network {}: must be lan, wan, or rtt=MILLISECONDS,bandwidth=MBIT_PER_SECOND", text);
  SD_ASSIGN(const double milliseconds, parseNumber(rtt.substr(4), "--network"));
  SD_ASSIGN(const double megabits, parseNumber(bandwidth.substr(10), "--network"));
  if (milliseconds < 0 || milliseconds > 1e6 || megabits <= 0 || megabits > 1e9)
    return fail("--network {}: the round trip must be from 0 to 1e6 ms, the bandwidth above 0 and up to 1e9 Mbit/s",
                text);
  profile.roundTripSeconds = milliseconds * 1e-3;
  profile.bitsPerSecond = megabits * 1e6;
  return profile;
}

Expected<void> addShape(std::string_view text, ModelOptions &options) {
  const std::size_t equals = text.rfind('='); // a name may hold others
  const std::string name(equals == text.npos ? std::string_view{} : text.substr(0, equals));
  const std::string_view sizes = equals == text.npos ? text : text.substr(equals + 1);
  Shape shape;
  for (const char *at = sizes.data(), *end = at + sizes.size();; ++at) {
    std::int64_t size = 0;
    const auto [next, error] = std::from_chars(at, end, size);
    if (error != std::errc{} || size < 1 || (next != end && *next != 'x'))
      return fail("--shape {}: must be [NAME=]SIZExSIZE..., such as 6x1x3", text);
    shape.push_back(size);
    at = next;
    if (at == end) break;
  }
  if (auto count = checkedElementCount(shape); !count) return fail("--shape {}: {}", text, count.error().message);
  if (!options.shapes.emplace(name, std::move(shape)).second) return fail("--shape {}: is given twice", text);
  return {};
}

Expected<void> checkInputRange(std::pair<double, double> range) {
  const auto [low, high] = range;
  if (!std::isfinite(low) || !std::isfinite(high)) return fail("{} or {} is no finite number", low, high);
  if (low > high) return fail("{} is above {}; the lower limit comes first", low, high);
  if (const double most = std::numeric_limits<float>::max(); low < -most || high > most)
    return fail("records are 32-bit floats, which end at {:.3g}; declare the range that they have", most);
  return {};
}

Expected<void> addInputRange(std::string_view text, ModelOptions &options) {
  const std::size_t equals = text.rfind('='); // a name may hold others
  const std::string_view range = equals == text.npos ? text : text.substr(equals + 1);
  const std::size_t comma = range.find(',');
  if (comma == range.npos) return fail("--input-range {}: must be [NAME=]LO,HI, such as 0,1", text);
  SD_ASSIGN(const double low, parseNumber(range.substr(0, comma), "--input-range"));
  SD_ASSIGN(const double high, parseNumber(range.substr(comma + 1), "--input-range"));
  if (auto valid = checkInputRange({low, high}); !valid)
    return fail("--input-range {}: {}", text, valid.error().message);
  if (equals == text.npos ? options.inputRange.has_value()
                          : !options.inputRanges.emplace(text.substr(0, equals), std::pair(low, high)).second)
    return fail("--input-range {}: is given twice", text);
  if (equals == text.npos) options.inputRange = {low, high};
  return {};
}

} // namespace sd
