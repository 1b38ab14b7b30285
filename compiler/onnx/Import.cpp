#include "compiler/onnx/Import.h"

#include <onnx/onnx_pb.h>

#include "compiler/onnx/Importer.h"
#include "ir/Rows.h"

namespace sd {
namespace {

// A module with a batch of some size, and the inputs that have it.
struct Sized {
  Module module;
  RowInputs rows;
};

std::optional<Sized> importSized(LoadedModel &model, const ImportOptions &given, std::int64_t batch) {
  ImportOptions options = given;
  options.batch = batch;
  options.remarks = nullptr;
  std::vector<ImportProblem> problems;
  Importer importer(model, options, problems);
  importer.allow(batch);
  auto module = importer.run();
  if (!module) return std::nullopt;
  return Sized{*std::move(module), {importer.batchAxes(), batch}};
}

// "--shape x=Nx1x3" for each input of the batch, as the model declares it.
std::string shapeAdvice(const LoadedModel &model, const std::map<std::string, std::int64_t> &inputs) {
  std::vector<std::string> flags;
  for (const auto &info : model.proto->graph().input())
    if (inputs.contains(info.name()))
      flags.push_back(fmt::format("--shape {}={}", printable(info.name()), declaredShape(info)));
  return fmt::format("{}", fmt::join(flags, " "));
}

// Whether a dynamic first axis counts records: each row's result must depend on that row alone. Looked at with two rows
// and with three; a model that can be imported with neither, such as one whose Reshapes fix the batch, only with its
// own.
Expected<void> expectRecords(LoadedModel &model, const ImportOptions &options, const Sized &own) {
  std::vector<std::string> names;
  for (const auto &[name, axis] : own.rows.axes)
    names.push_back(printable(name));
  const auto refused = [&](const std::string &mixer) {
    return fail(
        "the first axis of {} is dynamic, but its rows are no records apart from each other: {}. If they are one "
        "record's, such as time steps, give the sizes of one record: {}, with numbers",
        fmt::join(names, ", "),
        mixer.empty() ? "the results are not one for each row" : fmt::format("'{}' mixes them", mixer),
        shapeAdvice(model, own.rows.axes));
  };
  auto two = importSized(model, options, 2), three = importSized(model, options, 3);
  if (two && three) {
    if (separateRows(two->module, two->rows, three->module, three->rows)) return {};
    return refused(mixesRows(three->module, three->rows));
  }
  if (two || three) return refused("");
  if (separateRows(own.module, own.rows)) return {};
  return refused(mixesRows(own.module, own.rows));
}

// Another size of the batch, of those that the model's own shapes name, with which it can be imported.
std::optional<std::int64_t> fittingBatch(LoadedModel &model, const ImportOptions &options,
                                         const std::set<std::int64_t> &hints) {
  constexpr int kMostTried = 4;
  int tried = 0;
  for (const std::int64_t batch : hints) {
    if (batch == options.batch.value_or(1) || ++tried > kMostTried) continue;
    const auto sized = importSized(model, options, batch);
    if (sized && separateRows(sized->module, sized->rows)) return batch;
  }
  return std::nullopt;
}

std::string summary(std::size_t count) {
  return fmt::format("the model cannot be imported: {} problem{}", count, count == 1 ? "" : "s");
}

Expected<Module> importLoaded(Expected<LoadedModel> model, const ImportOptions &options,
                              std::vector<ImportProblem> &problems) {
  if (model && options.batch && *options.batch < 1) model = fail("the batch must be at least 1");
  if (!model) {
    problems.push_back({{}, {}, 0, model.error().message});
    return tl::unexpected(std::move(model).error());
  }
  Importer importer(*model, options, problems);
  const std::size_t before = problems.size();
  auto module = importer.run();
  const auto &axes = importer.batchAxes();
  if (axes.empty()) return module;
  if (!module) {
    if (const auto batch = fittingBatch(*model, options, importer.batchHints()))
      problems.push_back(
          {{}, {}, 0, fmt::format("the model's own shapes fix its batch: compile it with --batch {}", *batch)});
    return fail("{}", summary(problems.size() - before));
  }
  Sized own{*std::move(module), {axes, options.batch.value_or(1)}};
  if (auto records = expectRecords(*model, options, own); !records) {
    problems.push_back({{}, {}, 0, records.error().message});
    return fail("{}", summary(1));
  }
  return std::move(own.module);
}

} // namespace

std::string toString(const ImportProblem &problem) {
  if (problem.op.empty()) return problem.message;
  return fmt::format("node '{}' ({}, opset {}): {}", problem.node, problem.op, problem.opset, problem.message);
}

Expected<Module> importOnnx(const std::filesystem::path &path, const ImportOptions &options,
                            std::vector<ImportProblem> &problems) {
  return importLoaded(loadOnnx(path), options, problems);
}

Expected<Module> importOnnxBytes(std::span<const std::byte> bytes, const ImportOptions &options,
                                 std::vector<ImportProblem> &problems) {
  return importLoaded(loadOnnxBytes(bytes), options, problems);
}

Expected<Module> importOnnxText(const std::string &text, const ImportOptions &options,
                                std::vector<ImportProblem> &problems) {
  return importLoaded(loadOnnxText(text), options, problems);
}

} // namespace sd
