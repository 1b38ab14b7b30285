#include "runtime/vm/TensorFile.h"

#include "ir/bytecode/File.h"
#include "runtime/vm/Npy.h"

namespace sd {

namespace {

constexpr std::string_view kStandardInput = "the standard input";

bool endsWith(std::string_view path, std::string_view ending) {
  if (path.size() < ending.size()) return false;
  for (std::size_t i = 0; i < ending.size(); ++i) {
    const char c = path[path.size() - ending.size() + i];
    if ((c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c) != ending[i]) return false;
  }
  return true;
}

CsvOptions optionsFor(const TensorFile &file, CsvOptions options) {
  if (file.tabs && options.delimiter == 0) options.delimiter = '\t';
  return options;
}

Expected<Tensor<float>> numbersOf(TensorFile file, const CsvOptions &options, const Note &note) {
  if (file.format == TensorFormat::Npy) return parseNpy(file.content);
  const std::string path = file.path;
  SD_ASSIGN(Csv csv, parseCsv(std::move(file.content), optionsFor(file, options)));
  if (note && csv.named) note(fmt::format("{}: line {} taken as column names", path, csv.firstLine));
  if (note)
    for (const std::string &remark : csv.remarks)
      note(fmt::format("{}: {}", path, remark));
  return std::move(csv.records);
}

} // namespace

Expected<TensorFile> openTensorFile(const std::string &path) {
  TensorFile file;
  file.path = path == "-" ? std::string(kStandardInput) : path;
  file.tabs = endsWith(path, ".tsv");
  if (path != "-" && !file.tabs && !endsWith(path, ".csv") && !endsWith(path, ".npy"))
    return fail("{}: neither a .npy nor a .csv or .tsv file; its name must end as what it is", path);
  SD_ASSIGN(file.content, path == "-" ? readStandardInput(kMaxTensorFileBytes) : readText(path, kMaxTensorFileBytes));
  const bool isNpy = path == "-" ? file.content.starts_with("\x93NUMPY") : endsWith(path, ".npy");
  file.format = isNpy ? TensorFormat::Npy : TensorFormat::Table;
  return file;
}

Expected<CsvReader> openTable(TensorFile file, const CsvOptions &options) {
  auto reader = CsvReader::open(std::move(file.content), optionsFor(file, options));
  if (!reader) return failAs(reader.error(), "{}: {}", file.path, reader.error().message);
  return reader;
}

Expected<Tensor<float>> readTensor(const std::string &path, const CsvOptions &options, const Note &note) {
  SD_ASSIGN(TensorFile file, openTensorFile(path));
  const std::string name = file.path;
  Expected<Tensor<float>> tensor = numbersOf(std::move(file), options, note);
  if (!tensor) return failAs(tensor.error(), "{}: {}", name, tensor.error().message);
  return tensor;
}

Expected<void> writeTensor(const std::string &path, const Tensor<float> &tensor) {
  const std::string content = encodeNpy(tensor);
  return writeFileAtomically(path, {reinterpret_cast<const std::uint8_t *>(content.data()), content.size()},
                             FileMode::Private);
}

} // namespace sd
