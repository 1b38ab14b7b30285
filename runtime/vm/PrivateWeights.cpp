#include "runtime/vm/PrivateWeights.h"

#include <filesystem>

namespace sd {

namespace {

// Who can change the weights decides the diagnoses; who can read them has the model.
Expected<void> checkWeightsFile(const std::string &path, const std::function<void(std::string_view)> &warn) {
  using std::filesystem::perms;
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status))
    return fail("{}: there are no weights; 'sdc compile' writes them beside the program, and --weights names another "
                "place",
                path);
  const auto othersMay = [&](perms what) { return (status.permissions() & what) != perms::none; };
  if (othersMay(perms::group_write | perms::others_write))
    return fail("{}: others may change the weights; make sure that nobody did, then chmod 600 {}", path, path);
  if (othersMay(perms::group_read | perms::others_read))
    warn(fmt::format("warning: {}: others may read the weights; chmod 600 {}", path, path));
  return {};
}

} // namespace

template <RingWord R>
Expected<WeightSet<R>> readPrivateWeights(const std::string &path, const LoadedProgram &program,
                                          const std::function<void(std::string_view)> &warn) {
  SD_TRY(checkWeightsFile(path, warn));
  return readWeightsFile<R>(path, program);
}

template Expected<WeightSet<Ring32>> readPrivateWeights(const std::string &, const LoadedProgram &,
                                                        const std::function<void(std::string_view)> &);
template Expected<WeightSet<Ring64>> readPrivateWeights(const std::string &, const LoadedProgram &,
                                                        const std::function<void(std::string_view)> &);

} // namespace sd
