// sdc prepare-records: files to the numbers that a program takes, so that training, checks and use prepare them alike.
#include <algorithm>

#include "data/RecordFiles.h"
#include "data/Results.h"
#include "ir/bytecode/File.h"
#include "ir/bytecode/Reader.h"
#include "runtime/vm/Npy.h"
#include "tools/Console.h"
#include "tools/ImageFlags.h"
#include "tools/Progress.h"
#include "tools/TableOptions.h"
#include "tools/sdc/Common.h"

namespace sd::tool {

namespace {

struct Flags {
  std::string program, name, output, identifiers;
  std::vector<std::string> inputs, columns;
  CsvOptions tables;
  ImageOptions images;
};

Expected<void> write(const std::string &path, const std::string &bytes) {
  return writeFileAtomically(path, {reinterpret_cast<const std::uint8_t *>(bytes.data()), bytes.size()},
                             FileMode::Private);
}

Expected<void> prepare(const Flags &flags) {
  SD_ASSIGN(const LoadedProgram loaded, readProgramFile(flags.program));
  const std::vector<RecordInput> inputs = recordInputs(loaded.program);
  std::vector<std::string> names;
  for (const RecordInput &input : inputs)
    names.push_back(fmt::format("'{}'", input.name));
  if (inputs.empty()) return fail("{}: the program takes no records", flags.program);
  if (flags.name.empty() && inputs.size() > 1)
    return fail(ErrorKind::Usage, "the program has several inputs, {}; choose one by --name", fmt::join(names, ", "));
  const auto input = flags.name.empty() ? inputs.begin() : std::ranges::find(inputs, flags.name, &RecordInput::name);
  if (input == inputs.end())
    return fail(ErrorKind::Usage, "--name {}: the program has {}", flags.name, fmt::join(names, ", "));
  Progress progress("prepare-records", "file");
  RecordFileOptions reading;
  reading.tables = flags.tables, reading.images = flags.images;
  reading.columns.identifiers = flags.columns;
  reading.columns.note = [](std::string_view text) { writeError(fmt::format("note: {}\n", text)); };
  reading.progress = [&](std::size_t done, std::size_t all) { progress.step(done, all); };
  SD_ASSIGN(RecordTable table, readRecordFiles(flags.inputs, *input, reading));
  NamedTensors tensors;
  tensors[input->name] = std::move(table.records);
  SD_ASSIGN(const std::vector<NamedTensors> records, splitRecords({&*input, 1}, std::move(tensors)));
  SD_TRY(checkEach(records, [&](const NamedTensors &record) { return checkRecord({&*input, 1}, record); }));
  Tensor<float> all;
  all.shape = input->shape.empty() ? Shape{1} : input->shape;
  all.shape[0] *= static_cast<std::int64_t>(records.size());
  for (const NamedTensors &record : records) {
    const std::vector<float> &values = record.begin()->second.data;
    all.data.insert(all.data.end(), values.begin(), values.end());
  }
  SD_TRY(write(flags.output, encodeNpy(all)));
  if (flags.identifiers.empty()) return {};
  if (table.identifiers.empty()) return fail("--identifiers: the files name no records; --id COLUMN names a column");
  std::string text = "record,identifier\n";
  for (std::size_t i = 0; i < table.identifiers.size(); ++i)
    text += fmt::format("{},{}\n", i + 1, csvCell(table.identifiers[i]));
  return write(flags.identifiers, text);
}

} // namespace

void addPrepareRecords(CLI::App &app, Action &action) {
  auto *command = app.add_subcommand("prepare-records", "files to the numbers that a program takes, as .npy");
  auto flags = std::make_shared<Flags>();
  command->add_option("program", flags->program, "the program")->required()->type_name("M.sdb");
  addPerInput(
      *command, "--input", flags->inputs,
      "records: .npy, .npz, .csv, .tsv, PNG, JPEG, DICOM or FHIR files, a folder, a pattern in quotes, or -; given "
      "several times, one after another")
      ->required()
      ->type_name("FILE");
  command->add_option("--name", flags->name, "the input that they are for, if the program has several");
  addTableOptions(*command, flags->tables);
  addImageFlags(*command, flags->images);
  addPerInput(*command, "--id", flags->columns, "a column that names the record")->type_name("COLUMN");
  command->add_option("-o,--output", flags->output, "the numbers, for its owner alone")->required()->type_name("X.npy");
  command->add_option("--identifiers", flags->identifiers, "PatientID, file name or --id of each record, as a table")
      ->type_name("I.csv");
  command->callback([flags, &action] { action = [flags] { return prepare(*flags); }; });
}

} // namespace sd::tool
