#include "compiler/onnx/Import.h"

#include "compiler/onnx/Importer.h"

namespace sd {
namespace {

Expected<Module> importLoaded(Expected<LoadedModel> model, const ImportOptions &options,
                              std::vector<ImportProblem> &problems) {
  if (model && options.batch && *options.batch < 1) model = fail("the batch must be at least 1");
  if (!model) {
    problems.push_back({{}, {}, 0, model.error().message});
    return tl::unexpected(std::move(model).error());
  }
  return Importer(*std::move(model), options, problems).run();
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
