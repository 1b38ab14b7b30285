#include "compiler/onnx/Load.h"

#include <exception>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>

#include <fcntl.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <onnx/defs/parser.h>
#include <onnx/onnx_pb.h>
#include <unistd.h>

#include "compiler/onnx/Inline.h"
#include "compiler/onnx/OpTable.h"
#include "compiler/onnx/Tensors.h"
#include "compiler/onnx/Value.h"

namespace fs = std::filesystem;

namespace sd {

LoadedModel::LoadedModel() = default;
LoadedModel::~LoadedModel() = default;
LoadedModel::LoadedModel(LoadedModel &&) noexcept = default;

Expected<Value> LoadedModel::weight(onnx::TensorProto &tensor) {
  if (const auto known = weights_.find(tensor.name()); known != weights_.end()) return known->second;
  SD_ASSIGN(const Value value,
            tensor.data_type() == onnx::TensorProto::STRING ? readStrings(tensor) : readTensor(tensor, external));
  std::string().swap(*tensor.mutable_raw_data()); // one copy of the weights is enough
  return weights_.emplace(tensor.name(), value.named(tensor.name())).first->second;
}

namespace {

// Versions of ONNX's file format whose meaning of graphs and tensors is the one read here.
constexpr std::int64_t kLeastIrVersion = 3, kGreatestIrVersion = 13;
constexpr int kDeepest = 64; // nesting of messages in Protobuf, of brackets in text

std::int64_t mlOpset(const onnx::ModelProto &proto) {
  for (const auto &import : proto.opset_import())
    if (import.domain() == kMlDomain) return import.version();
  return 0;
}

Expected<int> defaultOpset(const onnx::ModelProto &proto) {
  std::optional<std::int64_t> version;
  for (const auto &import : proto.opset_import()) {
    if (!import.domain().empty() && import.domain() != "ai.onnx") continue;
    if (version && *version != import.version())
      return fail("the model imports opset {} and opset {}; export it again", *version, import.version());
    version = import.version();
  }
  if (!version && mlOpset(proto) > 0) return 0;
  if (!version) return fail("the model does not say which opset it uses; export it again with an ONNX exporter");
  if (*version < kLeastOpset)
    return fail("opset {} is too old (least: {}); convert the model with onnx.version_converter to opset 13", *version,
                kLeastOpset);
  if (*version > kGreatestOpset)
    return fail("opset {} is newer than this compiler knows (greatest: {}); export the model with opset 13 to {}",
                *version, kGreatestOpset, kGreatestOpset);
  return static_cast<int>(*version);
}

Expected<LoadedModel> checked(std::unique_ptr<onnx::ModelProto> proto, ExternalData external) {
  if (!proto->has_graph()) return fail("the file holds no graph; is it an ONNX model?");
  if (proto->ir_version() < kLeastIrVersion || proto->ir_version() > kGreatestIrVersion)
    return fail("IR version {} is not supported (from {} to {}); export the model again", proto->ir_version(),
                kLeastIrVersion, kGreatestIrVersion);
  SD_TRY(inlineFunctions(*proto));
  LoadedModel model;
  model.folded = std::make_shared<FoldMemo>();
  SD_ASSIGN(model.opset, defaultOpset(*proto));
  model.mlOpset = mlOpset(*proto);
  model.proto = std::move(proto);
  model.external = std::move(external);
  return model;
}

Expected<LoadedModel> parse(google::protobuf::io::ZeroCopyInputStream &stream, ExternalData external) {
  const google::protobuf::LogSilencer silence;
  try {
    auto proto = std::make_unique<onnx::ModelProto>();
    google::protobuf::io::CodedInputStream coded(&stream);
    coded.SetRecursionLimit(kDeepest);
    if (!proto->ParseFromCodedStream(&coded) || !coded.ConsumedEntireMessage())
      return fail("not an ONNX model, or a damaged one");
    return checked(std::move(proto), std::move(external));
  } catch (const std::exception &exception) {
    return fail("cannot be read as an ONNX model: {}", printable(exception.what()));
  }
}

bool isNestedTooDeep(const std::string &text) {
  int depth = 0;
  for (char c : text) {
    if (c == '(' || c == '{' || c == '[' || c == '<') {
      if (++depth > kDeepest) return true;
    } else if ((c == ')' || c == '}' || c == ']' || c == '>') && depth > 0) {
      --depth;
    }
  }
  return false;
}

Expected<LoadedModel> parseText(const std::string &text, ExternalData external) {
  if (text.find('\0') != std::string::npos || isNestedTooDeep(text))
    return fail("not an ONNX model in text form, or one nested too deeply");
  const google::protobuf::LogSilencer silence;
  try {
    auto proto = std::make_unique<onnx::ModelProto>();
    const auto status = onnx::OnnxParser::Parse(*proto, text.c_str());
    if (!status.IsOK()) {
      std::string message = status.ErrorMessage();
      for (char &c : message)
        if (c == '\n') c = ' ';
      return fail("not an ONNX model in text form: {}", printable(message));
    }
    return checked(std::move(proto), std::move(external));
  } catch (const std::exception &exception) {
    return fail("not an ONNX model in text form: {}", printable(exception.what()));
  }
}

struct File {
  explicit File(const fs::path &path) : descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~File() {
    if (descriptor >= 0) close(descriptor);
  }
  File(const File &) = delete;
  File &operator=(const File &) = delete;
  int descriptor;
};

} // namespace

Expected<LoadedModel> loadOnnx(const fs::path &path) {
  std::error_code error;
  if (!fs::exists(path, error)) return fail("there is no such file");
  if (!fs::is_regular_file(path, error)) return fail("not a regular file");
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) return fail("cannot be read: {}", error.message());
  if (size > static_cast<std::uintmax_t>(std::numeric_limits<int>::max()))
    return fail("larger than 2 GiB; export the model with its weights as external data");
  if (path.extension() == ".sdb" || path.extension() == ".sdw")
    return fail("a compiled program; this takes the model that it was compiled from");
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (path.extension() == ".onnxtext") {
    std::ifstream stream(path, std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    if (!stream) return fail("cannot be read");
    return parseText(text.str(), ExternalData(folder));
  }
  const File file(path);
  if (file.descriptor < 0) return fail("cannot be opened");
  google::protobuf::io::FileInputStream stream(file.descriptor, 1 << 20);
  return parse(stream, ExternalData(folder));
}

Expected<LoadedModel> loadOnnxBytes(std::span<const std::byte> bytes) {
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return fail("larger than 2 GiB");
  google::protobuf::io::ArrayInputStream stream(bytes.data(), static_cast<int>(bytes.size()));
  return parse(stream, ExternalData());
}

Expected<LoadedModel> loadOnnxText(const std::string &text) { return parseText(text, ExternalData()); }

} // namespace sd
