#include "python/records.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>

#include "api/Internal.h"
#include "data/RecordFiles.h"
#include "data/Results.h"

namespace py = pybind11;

namespace {

[[noreturn]] void refuse(const std::string &message) { throw sdc::Error(sdc::ErrorKind::Usage, message); }

template <class T>
T chosen(const std::vector<std::pair<std::string, T>> &table, const std::string &name, const char *what) {
  for (const auto &[each, value] : table)
    if (each == name) return value;
  std::string names;
  for (const auto &[each, value] : table)
    names += (names.empty() ? "" : ", ") + each;
  refuse(std::string(what) + " is one of " + names + ", not '" + name + "'");
}

struct Files {
  sd::Tensor<float> records; // [records, elements of one]
  std::vector<std::string> identifiers, notes;
};

struct FileChoices {
  std::string input, window, fit;
  std::vector<std::string> modalities, identifiers;
};

Files read(const sdc::Program &program, const std::vector<std::string> &files, const FileChoices &choices) {
  const std::vector<sd::RecordInput> inputs = sd::recordInputs(program.impl->loaded.program);
  const auto input = choices.input.empty() && inputs.size() == 1
                         ? inputs.begin()
                         : std::ranges::find(inputs, choices.input, &sd::RecordInput::name);
  if (input == inputs.end())
    refuse(choices.input.empty() ? "the program has several inputs; say which by input="
                                 : "the program has no input '" + choices.input + "'");
  Files result;
  sd::RecordFileOptions options;
  const auto window = sd::parseWindow(choices.window);
  if (!window) refuse(window.error().message);
  options.images.window = *window;
  options.images.fit = chosen<sd::ImageFit>(
      {{"stretch", sd::ImageFit::Stretch}, {"crop", sd::ImageFit::Crop}, {"pad", sd::ImageFit::Pad}}, choices.fit,
      "fit");
  options.images.modalities = choices.modalities;
  options.columns.identifiers = choices.identifiers;
  options.columns.note = [&result](std::string_view text) { result.notes.emplace_back(text); };
  auto table = sdc::valueOf(sd::readRecordFiles(files, *input, options));
  result.records = std::move(table.records);
  result.identifiers = std::move(table.identifiers);
  return result;
}

bool isNumber(const sdc::Array &array, std::uint64_t record, std::uint64_t records) {
  const std::size_t size = array.values.size() / records;
  const auto from = array.values.begin() + static_cast<std::ptrdiff_t>(size * record);
  return std::none_of(from, from + static_cast<std::ptrdiff_t>(size), [](float value) { return std::isnan(value); });
}

std::string report(const sdc::Program &program, const sdc::Result &result, const std::string &format,
                   const std::vector<std::string> &identifiers, const std::string &service, const std::string &time) {
  const auto kind = chosen<sd::ReportFormat>({{"csv", sd::ReportFormat::Csv},
                                              {"json", sd::ReportFormat::Json},
                                              {"html", sd::ReportFormat::Html},
                                              {"fhir", sd::ReportFormat::Fhir}},
                                             format, "format");
  if (!identifiers.empty() && identifiers.size() != result.records)
    refuse(std::to_string(identifiers.size()) + " identifiers for " + std::to_string(result.records) + " records");
  std::vector<sd::ReportedRecord> records(result.records);
  for (std::uint64_t i = 0; i < result.records; ++i) {
    sd::ReportedRecord &record = records[i];
    record.id = identifiers.empty() ? std::to_string(i + 1) : identifiers[i];
    record.valid = std::ranges::all_of(result.outputs,
                                       [&](const auto &output) { return isNumber(output.second, i, result.records); });
    if (!record.valid) {
      record.problem = "a value inside the network left its bound";
      continue;
    }
    for (sdc::Cell &cell : program.describe(result, i))
      record.cells.push_back(
          {std::move(cell.output), std::move(cell.name), std::move(cell.unit), cell.value, cell.holds});
  }
  sd::ReportFacts facts = sd::factsOf(program.impl->loaded.program, program.impl->loaded.digest);
  facts.service = service;
  facts.time = time;
  return sd::renderReport(kind, facts, records);
}

} // namespace

void bindFiles(py::class_<sdc::Program> &program) {
  program.def("read_records", [](const sdc::Program &p, const std::vector<std::string> &files, const std::string &input,
                                 const std::string &window, const std::string &fit,
                                 const std::vector<std::string> &modalities, const std::vector<std::string> &columns) {
    Files found;
    {
      const py::gil_scoped_release released;
      found = read(p, files, {input, window, fit, modalities, columns});
    }
    py::array_t<float> array(found.records.shape);
    std::ranges::copy(found.records.data, array.mutable_data());
    return py::make_tuple(array, found.identifiers, found.notes);
  });
  program.def("report", &report, py::call_guard<py::gil_scoped_release>());
}
