#include "tools/RunOptions.h"

#include <CLI/CLI.hpp>
#include <filesystem>

namespace sd {

namespace {

// "NAME=FILE" or "FILE". A name ends at the first '='.
Expected<void> addFile(std::map<std::string, std::string> &files, const std::string &text) {
  const std::size_t at = text.find('=');
  const std::string name = at == std::string::npos ? "" : text.substr(0, at);
  const std::string path = at == std::string::npos ? text : text.substr(at + 1);
  if (path.empty()) return fail("'{}' names no file", text);
  if (!files.emplace(name, path).second) return fail("'{}' is given twice", name.empty() ? text : name);
  return {};
}

Expected<void> parsePreprocess(const std::string &text, RunOptions &options) {
  if (text == "two-party") return {};
  options.mode = PreprocessMode::Dealer;
  if (text == "dealer" && options.local) return {};
  if (!text.starts_with("dealer=")) return fail("--preprocess is two-party or dealer=HOST:PORT, not '{}'", text);
  SD_ASSIGN(options.dealer, parseAddress(text.substr(7)));
  return {};
}

struct RawOptions {
  std::string address = "127.0.0.1:7766", preprocess = "two-party";
  std::vector<std::string> inputs, outputs;
  TlsFiles tls;
  double timeout = 60;
};

Expected<void> finish(RunOptions &options, const RawOptions &raw, bool hasParty) {
  if (options.local == hasParty) return fail("say either --party 0, --party 1 or --local");
  for (const std::string &input : raw.inputs)
    SD_TRY(addFile(options.inputs, input));
  for (const std::string &output : raw.outputs)
    SD_TRY(addFile(options.outputs, output));
  const bool hasRecord = options.local || options.party == 1;
  if (!hasRecord && !(options.inputs.empty() && options.outputs.empty()))
    return fail("party 0 has neither --input nor --output: the record and the result are party 1's");
  if (hasRecord && options.inputs.empty()) return fail("--input is missing");
  if (options.party == 1 && !options.weights.empty())
    return fail("party 1 has no --weights: they never leave the service");
  if (options.serve && (options.local || options.party == 1)) return fail("--serve is party 0's");
  SD_ASSIGN(options.address, parseAddress(raw.address));
  SD_TRY(parsePreprocess(raw.preprocess, options));
  SD_ASSIGN(options.tls, tlsFilesFromOptions(raw.tls));
  options.timeout = std::chrono::milliseconds(static_cast<std::int64_t>(raw.timeout * 1000));
  if (options.weights.empty())
    options.weights = std::filesystem::path(options.program).replace_extension(".sdw").string();
  return {};
}

} // namespace

EndpointOptions RunOptions::endpoint(const Address &to) const {
  EndpointOptions endpoint;
  endpoint.address = to;
  endpoint.tls = tls;
  endpoint.allowPlaintext = allowPlaintext;
  endpoint.connection.timeout = timeout;
  endpoint.waitForPeer = timeout;
  endpoint.onRefused = [](std::string_view why) { fmt::print(stderr, "sd-run: {}\n", why); };
  return endpoint;
}

std::variant<RunOptions, int> parseRunOptions(int argc, char **argv) {
  RunOptions options;
  RawOptions raw;
  CLI::App app{"Runs a compiled program between the service (party 0), which has the weights, and the hospital (party "
               "1), which has the record and alone reads the result.",
               "sd-run"};
  CLI::Option *party =
      app.add_option("--party", options.party, "0: the service; 1: the hospital")->check(CLI::IsMember({0, 1}));
  app.add_flag("--local", options.local, "both parties in this process");
  app.add_option("program", options.program, "compiled program, .sdb")->required()->type_name("M.sdb");
  app.add_option("--weights", options.weights, "party 0: the weights; default: .sdw beside the program")
      ->type_name("M.sdw");
  app.add_option("--address", raw.address, "where party 0 listens and party 1 connects to")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  app.add_option("--input", raw.inputs, "party 1: records, .npy or .csv; NAME=FILE if there are several inputs")
      ->type_name("[NAME=]FILE");
  app.add_option("--output", raw.outputs, "party 1: write the result as .npy instead of printing it")
      ->type_name("[NAME=]FILE");
  app.add_option("--classes", options.classes, "party 1: names to print for the classes")
      ->type_name("A,B,...")
      ->delimiter(',');
  app.add_option("--preprocess", raw.preprocess, "offline phase: two-party, or dealer=HOST:PORT")
      ->capture_default_str();
  app.add_option("--stats", options.stats, "write time and traffic of each phase and op as JSON")->type_name("S.json");
  app.add_option("--tls-cert", raw.tls.cert, "this side's certificate, PEM")->type_name("FILE");
  app.add_option("--tls-key", raw.tls.key, "its private key, PEM")->type_name("FILE");
  app.add_option("--tls-ca", raw.tls.ca, "who may have signed the peer's certificate, PEM")->type_name("FILE");
  app.add_flag("--allow-plaintext", options.allowPlaintext, "plain TCP also beyond this machine: anyone may read it");
  app.add_option("--timeout", raw.timeout, "seconds to wait for the peer, at the start and for each message")
      ->check(CLI::Range(0.1, 1e6))
      ->capture_default_str();
  app.add_flag("--serve", options.serve, "party 0: serve one session after another until stopped");
  app.add_option("--threads", options.threads, "threads; default: one a core")->check(CLI::Range(1, 1024));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  if (auto finished = finish(options, raw, party->count() > 0); !finished) {
    fmt::print(stderr, "sd-run: {}\nRun with --help for more information.\n", finished.error().message);
    return 1;
  }
  return options;
}

} // namespace sd
