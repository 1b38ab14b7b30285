#include "ModelTesting.h"

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <limits>
#include <sstream>

#include <onnx/onnx_pb.h>

#include "compiler/onnx/Tensors.h"
#include "ir/Run.h"
#include "runtime/vm/TensorFile.h"

namespace fs = std::filesystem;

namespace sd::testing {

Expected<std::vector<Tensor<float>>> evaluate(const Module &module, const std::vector<Tensor<float>> &inputs) {
  std::map<std::string, Tensor<float>> named;
  std::size_t next = 0;
  for (const Op &op : module.ops) {
    if (op.kind != OpKind::Input) continue;
    if (next == inputs.size()) return fail("the module has more inputs than the {} given", inputs.size());
    Tensor<float> input = inputs[next++];
    const Shape &shape = module.type(op.result).shape;
    if (input.size() != elementCount(shape))
      return fail("input of shape {} for {}", toString(input.shape), toString(shape));
    input.shape = shape;
    named[op.attrs.str(Attr::Name)] = std::move(input);
  }
  SD_ASSIGN(const Interpreter interpreter, Interpreter::create(viewOf(module)));
  SD_ASSIGN(RunResult result, interpreter.run(named));
  return std::move(result.outputs);
}

double distance(const Tensor<float> &a, const Tensor<float> &b) {
  if (a.shape != b.shape) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (std::size_t i = 0; i < a.data.size(); ++i) {
    const double x = static_cast<double>(a.data[i]), y = static_cast<double>(b.data[i]);
    const double each = std::abs(x - y) / std::max(1.0, std::abs(y));
    if (!(each <= largest)) largest = std::isnan(each) ? std::numeric_limits<double>::infinity() : each;
  }
  return largest;
}

std::string readFile(const fs::path &path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream content;
  content << stream.rdbuf();
  return content.str();
}

Tensor<float> readNpyFile(const fs::path &path) {
  const std::string content = readFile(path);
  if (content.find("'<f2'") == std::string::npos) return readTensor(path.string()).value();
  onnx::TensorProto proto; // ONNX's reader knows halves
  proto.set_data_type(onnx::TensorProto::FLOAT16);
  const std::size_t data = 10 + static_cast<unsigned char>(content[8]) + 256u * static_cast<unsigned char>(content[9]);
  proto.set_raw_data(content.substr(data));
  std::istringstream dims(content.substr(content.find('(') + 1));
  for (std::int64_t dim = 0; dims >> dim; dims.ignore(1))
    proto.add_dims(dim);
  return *readTensor(proto, ExternalData()).value().floats();
}

Expected<Tensor<float>> parseTensor(const std::string &bytes) {
  SD_ASSIGN(const Value value, readTensorBytes(std::as_bytes(std::span(bytes))));
  if (!value.isInteger()) return *value.floats();
  return Tensor<float>(value.shape(), std::vector<float>(value.ints()->data.begin(), value.ints()->data.end()));
}

Tensor<float> readPbFile(const fs::path &path) { return parseTensor(readFile(path)).value(); }

std::vector<fs::path> numbered(const fs::path &folder, const std::string &name, const std::string &suffix) {
  std::vector<fs::path> out;
  for (int i = 0;; ++i) {
    fs::path path = folder / fmt::format("{}_{}{}", name, i, suffix);
    if (!fs::exists(path)) return out;
    out.push_back(std::move(path));
  }
}

std::optional<fs::path> sharedFolder() {
  if (const char *named = std::getenv("SD_SHARED"); named && fs::is_directory(named)) return named;
  for (fs::path folder = SD_SOURCE_DIR; folder != folder.root_path(); folder = folder.parent_path())
    if (fs::is_directory(folder / "shared" / "models")) return folder / "shared";
  std::cerr << "SKIPPED: no shared models (set SD_SHARED to their folder)\n";
  return std::nullopt;
}

std::string joined(const std::vector<ImportProblem> &problems) {
  std::string out;
  for (const ImportProblem &problem : problems)
    out += toString(problem) + "\n";
  return out;
}

} // namespace sd::testing
