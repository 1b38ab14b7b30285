#include "runtime/vm/TensorFile.h"

#include "ir/bytecode/File.h"
#include "runtime/vm/Csv.h"
#include "runtime/vm/Npy.h"

namespace sd {

namespace {

Expected<Tensor<float>> readCsv(const std::string &path, std::string_view content, const Note &note) {
  SD_ASSIGN(Csv csv, parseCsv(content));
  if (csv.named && note) note(fmt::format("{}: line 1 taken as column names", path));
  return std::move(csv.records);
}

} // namespace

Expected<Tensor<float>> readTensor(const std::string &path, const Note &note) {
  const bool isNpy = path.ends_with(".npy");
  if (!isNpy && !path.ends_with(".csv")) return fail("{}: neither a .npy nor a .csv file", path);
  SD_ASSIGN(const std::vector<std::uint8_t> bytes, readFile(path, kMaxTensorFileBytes));
  const std::string_view content(reinterpret_cast<const char *>(bytes.data()), bytes.size());
  Expected<Tensor<float>> tensor = isNpy ? parseNpy(content) : readCsv(path, content, note);
  if (!tensor) return fail("{}: {}", path, tensor.error().message);
  return tensor;
}

Expected<void> writeTensor(const std::string &path, const Tensor<float> &tensor) {
  const std::string content = encodeNpy(tensor);
  return writeFileAtomically(path, {reinterpret_cast<const std::uint8_t *>(content.data()), content.size()},
                             FileMode::Private);
}

} // namespace sd
