#include "data/RecordFiles.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "data/Fhir.h"
#include "data/Image.h"
#include "data/Npz.h"
#include "ir/bytecode/ByteIo.h"
#include "ir/bytecode/File.h"
#include "runtime/vm/Npy.h"

namespace sd {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostProblems = 10; // that are said at once
constexpr std::size_t kFirstBytes = 4096; // of a file, to know what it is

std::string lower(std::string text) {
  for (char &c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

std::string endingOf(const std::string &path) { return lower(fs::path(path).extension().string()); }

bool isOneOf(const std::string &text, std::initializer_list<std::string_view> all) {
  return std::ranges::find(all, text) != all.end();
}
bool isImageEnding(const std::string &ending) {
  return isOneOf(ending, {".png", ".jpg", ".jpeg", ".dcm", ".dicom", ".ima"});
}

// By name, or by the first bytes: DICOM files often have no ending, and JSON may be anything.
bool isRecordFile(const fs::path &path) {
  const std::string ending = endingOf(path.string());
  if (isImageEnding(ending) || isOneOf(ending, {".npy", ".npz", ".csv", ".tsv"})) return true;
  std::ifstream file(path, std::ios::binary);
  std::string start(kFirstBytes, '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  start.resize(static_cast<std::size_t>(file.gcount()));
  return imageFormatOf(start) != ImageFormat::None || (ending == ".json" && isFhir(start));
}

Expected<std::vector<std::string>> filesOfFolder(const std::string &folder, const Note &note) {
  std::vector<std::string> files, others;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    std::error_code gone; // while the folder is read
    if (name.starts_with('.')) {
      if (it->is_directory(gone)) it.disable_recursion_pending();
      continue;
    }
    if (!it->is_regular_file(gone) || name == "DICOMDIR") continue;
    (isRecordFile(it->path()) ? files : others).push_back(it->path().string());
  }
  if (error) return fail("{}: the folder can't be read: {}", folder, error.message());
  std::ranges::sort(files);
  std::ranges::sort(others);
  if (!others.empty() && note)
    note(fmt::format("{}: {} file{} no record: '{}'{}", folder, others.size(), others.size() == 1 ? " is" : "s are",
                     fs::path(others[0]).filename().string(), others.size() > 1 ? ", ..." : ""));
  if (files.empty()) return fail("{}: there is no record in the folder", folder);
  return files;
}

Expected<std::vector<std::string>> filesOfPattern(const std::string &pattern) {
  glob_t found{};
  const int result = ::glob(pattern.c_str(), 0, nullptr, &found);
  std::vector<std::string> files;
  if (result == 0)
    for (std::size_t i = 0; i < found.gl_pathc; ++i)
      if (std::error_code error; !fs::is_directory(found.gl_pathv[i], error)) files.emplace_back(found.gl_pathv[i]);
  ::globfree(&found);
  if (files.empty()) return fail("{}: no file fits that", pattern);
  return files;
}

std::string stemOf(const std::string &path) { return plainText(fs::path(path).stem().string(), 200); }

class Reader {
public:
  Reader(const RecordInput &input, const RecordFileOptions &options)
      : input_(input), csv_(options.tables), images_(options.images), options_(options.columns),
        thumbnails_(options.thumbnails) {}

  // Its records in rows, where they are of a shape that the program takes.
  Expected<FileRecords> file(const std::string &path) {
    FileRecords result;
    RecordOrigin origin{path, {}, {}};
    SD_ASSIGN(static_cast<RecordTable &>(result), table(path, origin));
    result.origins.push_back(std::move(origin));
    return result;
  }

private:
  Expected<RecordTable> table(const std::string &path, RecordOrigin &origin) {
    const std::string ending = endingOf(path);
    if (isOneOf(ending, {".npy", ".csv", ".tsv"})) return readRecordTable(path, csv_, input_.meaning, options_);
    const std::string name = path == "-" ? "the standard input" : path;
    SD_ASSIGN(std::string content,
              path == "-" ? readStandardInput(kMaxTensorFileBytes) : readText(path, kMaxTensorFileBytes));
    auto read = other(path, ending, std::move(content), origin);
    if (!read) return failAs(read.error(), "{}: {}", name, read.error().message);
    return read;
  }

  Expected<RecordTable> other(const std::string &path, const std::string &ending, std::string content,
                              RecordOrigin &origin) {
    ImageFormat format = imageFormatOf(content);
    if (format == ImageFormat::None && isOneOf(ending, {".dcm", ".dicom", ".ima"})) format = ImageFormat::Dicom;
    if (format != ImageFormat::None) return image(path, format, content, origin);
    if (ending == ".json" || isFhir(content)) {
      ColumnOptions options = options_;
      options.file = path == "-" ? "the standard input" : path;
      return readFhir(content, input_, options);
    }
    if (content.starts_with(std::string_view("PK\3\4", 4)) || ending == ".npz") return archive(content);
    if (isImageEnding(ending)) return fail("it is named {}, and is no such file", ending);
    if (path != "-")
      return fail("neither a .npy nor a .csv or .tsv file, and no .npz, PNG, JPEG, DICOM or FHIR bundle; a table's "
                  "name must end as what it is");
    TensorFile file{"the standard input", TensorFormat::Table, false, std::move(content)};
    if (file.content.starts_with("\x93NUMPY")) {
      if (!options_.identifiers.empty())
        return fail("--id {}: .npy files have no columns' names", options_.identifiers[0]);
      SD_ASSIGN(Tensor<float> numbers, parseNpy(file.content));
      return RecordTable{std::move(numbers), {}};
    }
    SD_ASSIGN(CsvReader table, CsvReader::open(std::move(file.content), csv_));
    ColumnOptions options = options_;
    options.file = file.path;
    return readColumns(std::move(table), input_.meaning, options);
  }

  Expected<RecordTable> archive(std::string_view content) {
    if (!options_.identifiers.empty())
      return fail("--id {}: .npz files have no columns' names", options_.identifiers[0]);
    SD_ASSIGN(const auto arrays, readNpz(content, kMaxTensorFileBytes));
    auto found = std::ranges::find(arrays, input_.name, &std::pair<std::string, std::string>::first);
    if (found == arrays.end() && arrays.size() == 1) found = arrays.begin();
    if (found == arrays.end())
      return fail("it holds {} arrays, and none is called '{}' like the input", arrays.size(), input_.name);
    SD_ASSIGN(Tensor<float> numbers, parseNpy(found->second));
    return RecordTable{std::move(numbers), {}};
  }

  Expected<RecordTable> image(const std::string &path, ImageFormat format, std::string_view content,
                              RecordOrigin &origin) {
    if (!input_.meaning || !input_.meaning->image)
      return fail("an image, and the program does not say how images become its numbers: compile the model with a "
                  "--schema whose input '{}' has an \"image\"",
                  input_.name);
    if (!options_.identifiers.empty()) return fail("--id {}: images have no columns", options_.identifiers[0]);
    SD_ASSIGN(const ImageMeaning meaning, preparationOf(*input_.meaning->image, images_));
    ImageFile file;
    if (format == ImageFormat::Dicom) {
      SD_ASSIGN(file, readDicom(content, meaning));
    } else {
      SD_ASSIGN(file.image, format == ImageFormat::Png ? readPng(content, meaning) : readJpeg(content, meaning));
      if (!meaning.modalities.empty() && !std::exchange(saidModality_, true) && options_.note)
        options_.note(fmt::format("{}: PNG and JPEG files don't tell their modality, and {} is wanted: make sure that "
                                  "this is what they are",
                                  path, fmt::join(meaning.modalities, " or ")));
    }
    SD_ASSIGN(Tensor<float> record, prepareImage(file.image, meaning, input_.shape));
    if (thumbnails_) {
      SD_ASSIGN(origin.thumbnail, thumbnailOf(file.image));
    }
    const bool isNamed = file.study && !file.study->patientId.empty();
    std::string identifier = isNamed ? file.study->patientId : stemOf(path);
    origin.study = std::move(file.study);
    return RecordTable{std::move(record), {std::move(identifier)}};
  }

  const RecordInput &input_;
  const CsvOptions &csv_;
  const ImageOptions &images_;
  const ColumnOptions &options_;
  bool thumbnails_;
  bool saidModality_ = false;
};

// The file's records as rows of elements, where its shape is one that splitRecords() knows.
Expected<std::int64_t> rowsOf(const Shape &given, const Shape &shape) {
  const Shape rest(shape.empty() ? shape : Shape(shape.begin() + 1, shape.end()));
  const std::int64_t each = elementsOfRecord(shape);
  const std::int64_t elements = elementCount(given);
  const auto isAfter = [&](const Shape &part) {
    return given.size() == part.size() + 1 && std::equal(part.begin(), part.end(), given.begin() + 1);
  };
  if (given == shape || given == rest || isAfter(rest) || isAfter(shape) ||
      (given.size() == 2 && given[1] > 0 && given[1] % each == 0 && given[1] <= elementCount(shape)))
    if (each > 0 && elements % each == 0) return elements / each;
  return fail("its shape is {}, the program takes {}", toString(given), toString(shape));
}

// Adds a file's records, with an identifier each.
Expected<void> append(FileRecords &all, const FileRecords &file, const std::string &path, const Shape &shape) {
  const auto rows = rowsOf(file.records.shape, shape);
  if (!rows) return failAs(rows.error(), "{}: {}", path, rows.error().message);
  all.records.shape[0] += *rows;
  if (all.records.data.size() + file.records.data.size() > static_cast<std::size_t>(kMaxElements))
    return fail("{}: more than {} numbers in all", path, kMaxElements);
  all.records.data.insert(all.records.data.end(), file.records.data.begin(), file.records.data.end());
  const bool identified = file.identifiers.size() == static_cast<std::size_t>(*rows);
  for (std::int64_t i = 0; i < *rows; ++i) {
    all.origins.push_back(file.origins[0]);
    all.identifiers.push_back(identified   ? file.identifiers[static_cast<std::size_t>(i)]
                              : *rows == 1 ? stemOf(path)
                                           : fmt::format("{} {}", stemOf(path), i + 1));
  }
  return {};
}

} // namespace

ImageFormat imageFormatOf(std::string_view content) {
  if (content.starts_with("\x89PNG\r\n\x1a\n")) return ImageFormat::Png;
  if (content.starts_with("\xFF\xD8\xFF")) return ImageFormat::Jpeg;
  if (content.size() >= 132 && content.substr(128, 4) == "DICM") return ImageFormat::Dicom;
  // An element of the groups 0002 or 0008: its number and, in most files, the two letters of its type.
  if (content.size() < 8 || content[1] != 0 || content[3] != 0) return ImageFormat::None;
  const auto isLetter = [](char c) { return c >= 'A' && c <= 'Z'; };
  const bool isTyped = isLetter(content[4]) && isLetter(content[5]), isShort = content[6] == 0 && content[7] == 0;
  const bool isFirst = content[0] == 2 ? content[2] <= 1 : content[0] == 8 && (content[2] <= 1 || content[2] == 5);
  return isFirst && (isTyped || isShort) ? ImageFormat::Dicom : ImageFormat::None;
}

Expected<std::vector<std::string>> filesIn(const std::string &name, const Note &note) {
  std::error_code error;
  if (name != "-" && fs::is_directory(name, error)) return filesOfFolder(name, note);
  if (name.find_first_of("*?[") != std::string::npos && !fs::exists(name, error)) return filesOfPattern(name);
  return std::vector<std::string>{name};
}

Expected<FileRecords> readRecordFiles(const std::vector<std::string> &names, const RecordInput &input,
                                      const RecordFileOptions &options) {
  std::vector<std::string> files;
  for (const std::string &name : names) {
    SD_ASSIGN(std::vector<std::string> found, filesIn(name, options.columns.note));
    std::ranges::move(found, std::back_inserter(files));
  }
  Reader reader(input, options);
  if (files.size() == 1) {
    SD_ASSIGN(FileRecords only, reader.file(files[0]));
    if (const auto rows = rowsOf(only.records.shape, input.shape))
      only.origins.resize(static_cast<std::size_t>(*rows), only.origins[0]);
    return only;
  }
  FileRecords all{{Tensor<float>(Shape{0, elementsOfRecord(input.shape)}), {}}, {}};
  std::vector<std::string> problems;
  for (std::size_t done = 0; const std::string &path : files) {
    if (options.progress) options.progress(done++, files.size());
    auto file = reader.file(path);
    const Expected<void> taken = !file               ? tl::unexpected(file.error())
                                 : !problems.empty() ? Expected<void>()
                                                     : append(all, *file, path, input.shape);
    if (taken) continue;
    if (taken.error().kind != ErrorKind::Input) return tl::unexpected(taken.error());
    problems.push_back(taken.error().message);
    if (problems.size() == kMostProblems) break;
  }
  if (!problems.empty()) return fail("{}", fmt::join(problems, "\n"));
  return all;
}

} // namespace sd
