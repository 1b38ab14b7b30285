#include "tools/FetchModel.h"

#include <filesystem>

#include "ir/bytecode/File.h"
#include "ir/bytecode/Reader.h"
#include "runtime/vm/Fetch.h"

namespace sd {

Expected<void> fetchModel(const RunOptions &options) {
  std::error_code error;
  if (std::filesystem::exists(options.program, error)) return {};
  SD_TRY(checkWritable(options.program, FileMode::Public));
  SD_ASSIGN(const std::unique_ptr<Connection> peer, connect(options.endpoint));
  SD_ASSIGN(const Seed seed, Seed::fresh());
  Prg nonce(seed);
  SD_ASSIGN(const std::vector<std::uint8_t> file, fetchProgram(*peer, options.model, nonce));
  if (auto program = readProgram(file); !program)
    return fail(ErrorKind::Network, "the program of model '{}' that {} gave: {}", options.model, peer->peerName(),
                program.error().message);
  SD_TRY(writeFileAtomically(options.program, file, FileMode::Public));
  say("sd-run",
      fmt::format("{}: model '{}' of {}, digest {}; it stays as it is: 'sdc inspect {}' says what it is, and what each "
                  "party learns",
                  options.program, options.model, peer->peerName(), toHex(digestOf(file)), options.program));
  return {};
}

} // namespace sd
