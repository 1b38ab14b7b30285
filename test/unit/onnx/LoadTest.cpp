// Files and what they refer to: formats, versions, external data.
#include <gmock/gmock.h>

#include <fstream>

#include <onnx/onnx_pb.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ModelTesting.h"
#include "compiler/onnx/Load.h"

namespace fs = std::filesystem;
using testing::HasSubstr;

namespace sd::testing {
namespace {

constexpr const char *kModel = R"(<ir_version: 8, opset_import: ["" : 13]>
  net (float[1, 2] x) => (float[1, 2] y) { y = Relu(x) })";

class Load : public ::testing::Test {
protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fmt::format("sd-load-{}", ::getpid());
    fs::create_directories(folder_ / "model");
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string &name, const std::string &content) {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }

  // y = x + w, with w in a file.
  fs::path withExternal(const std::string &location, const std::string &offset = "", const std::string &length = "") {
    auto loaded = loadOnnxText(R"(<ir_version: 8, opset_import: ["" : 13]>
      net (float[1, 2] x) => (float[1, 2] y) { y = Add(x, w) })");
    onnx::TensorProto &w = *loaded->proto->mutable_graph()->add_initializer();
    w.set_name("w");
    w.set_data_type(onnx::TensorProto::FLOAT);
    w.add_dims(2);
    w.set_data_location(onnx::TensorProto::EXTERNAL);
    for (const auto &[key, value] :
         {std::pair<std::string, std::string>{"location", location}, {"offset", offset}, {"length", length}})
      if (!value.empty()) {
        auto &entry = *w.add_external_data();
        entry.set_key(key);
        entry.set_value(value);
      }
    return write("model/m.onnx", loaded->proto->SerializeAsString());
  }

  std::string refusal(const fs::path &path) {
    std::vector<ImportProblem> problems;
    EXPECT_FALSE(importOnnx(path, {}, problems));
    return joined(problems);
  }

  fs::path folder_;
};

const std::string kWeights("\0\0\x80\x3f\0\0\0\xc0", 8); // 1, -2

TEST_F(Load, ProtobufAndTextAreTheSameModel) {
  std::vector<ImportProblem> problems;
  auto fromText = importOnnx(write("m.onnxtext", kModel), {}, problems);
  ASSERT_TRUE(fromText) << joined(problems);
  auto loaded = loadOnnxText(kModel);
  ASSERT_TRUE(loaded);
  auto fromBytes = importOnnx(write("m.onnx", loaded->proto->SerializeAsString()), {}, problems);
  ASSERT_TRUE(fromBytes) << joined(problems);
  EXPECT_EQ(*fromText, *fromBytes);
}

TEST_F(Load, ExternalDataIsRead) {
  write("model/w.bin", "pad!" + kWeights);
  for (const char *length : {"", "8"}) {
    std::vector<ImportProblem> problems;
    auto module = importOnnx(withExternal("w.bin", "4", length), {}, problems);
    ASSERT_TRUE(module) << joined(problems);
    auto outputs = evaluate(*module, {Tensor<float>({1, 2}, 10.0f)});
    ASSERT_TRUE(outputs);
    EXPECT_THAT((*outputs)[0].data, ::testing::ElementsAre(11, 8));
  }
}

TEST_F(Load, ExternalDataStaysInsideTheModelsFolder) {
  const fs::path outside = write("outside.bin", kWeights);
  EXPECT_THAT(refusal(withExternal("../outside.bin")), HasSubstr("outside the model's folder"));
  EXPECT_THAT(refusal(withExternal("a/../../outside.bin")), HasSubstr("outside the model's folder"));
  EXPECT_THAT(refusal(withExternal(outside.string())), HasSubstr("outside the model's folder"));
  fs::create_symlink(outside, folder_ / "model" / "link.bin");
  EXPECT_THAT(refusal(withExternal("link.bin")), HasSubstr("link out of the model's folder"));
  fs::create_directory_symlink(folder_, folder_ / "model" / "up");
  EXPECT_THAT(refusal(withExternal("up/outside.bin")), HasSubstr("link out of the model's folder"));
  fs::create_directories(folder_ / "model-2"); // a sibling whose name begins alike
  write("model-2/w.bin", kWeights);
  fs::create_symlink(folder_ / "model-2" / "w.bin", folder_ / "model" / "sibling.bin");
  EXPECT_THAT(refusal(withExternal("sibling.bin")), HasSubstr("link out of the model's folder"));
}

TEST_F(Load, ExternalDataOfTheWrongSize) {
  write("model/w.bin", kWeights);
  EXPECT_THAT(refusal(withExternal("w.bin", "1")), HasSubstr("ends at byte 8"));
  EXPECT_THAT(refusal(withExternal("w.bin", "18446744073709551615")), HasSubstr("offset"));
  EXPECT_THAT(refusal(withExternal("w.bin", "-1")), HasSubstr("offset"));
  EXPECT_THAT(refusal(withExternal("w.bin", "0", "4")), HasSubstr("declares 4 bytes"));
  EXPECT_THAT(refusal(withExternal("gone.bin")), HasSubstr("cannot be opened"));
  EXPECT_THAT(refusal(withExternal(".")), HasSubstr("not a regular file"));
  EXPECT_THAT(refusal(withExternal(std::string("w.bin\0x", 7))), HasSubstr("no usable file name"));
}

TEST_F(Load, ExternalDataNeedsAFolder) {
  const std::string bytes = readFile(withExternal("w.bin"));
  std::vector<ImportProblem> problems;
  EXPECT_FALSE(importOnnxBytes(std::as_bytes(std::span(bytes)), {}, problems));
  EXPECT_THAT(joined(problems), HasSubstr("read from a file"));
}

TEST_F(Load, WhatIsNoFile) {
  EXPECT_THAT(refusal(folder_ / "gone.onnx"), HasSubstr("no such file"));
  EXPECT_THAT(refusal(folder_ / "model"), HasSubstr("not a regular file"));
  ASSERT_EQ(mkfifo((folder_ / "pipe.onnx").c_str(), 0600), 0);
  EXPECT_THAT(refusal(folder_ / "pipe.onnx"), HasSubstr("not a regular file"));
  EXPECT_FALSE(refusal(write("empty.onnx", "")).empty());
}

TEST_F(Load, Versions) {
  auto text = [&](const std::string &header) {
    return refusal(write("v.onnxtext", "<" + header + "> net (float[1] x) => (float[1] y) { y = Relu(x) }"));
  };
  EXPECT_THAT(text(R"(ir_version: 8, opset_import: ["" : 25])"), HasSubstr("opset 25 is newer"));
  EXPECT_THAT(text(R"(ir_version: 8, opset_import: ["" : 0])"), HasSubstr("opset 0 is too old"));
  EXPECT_THAT(text(R"(ir_version: 8, opset_import: ["ai.onnx.ml" : 2])"), HasSubstr("does not say which opset"));
  EXPECT_THAT(text(R"(ir_version: 8, opset_import: ["" : 13, "ai.onnx" : 14])"), HasSubstr("opset 13 and opset 14"));
  EXPECT_THAT(text(R"(ir_version: 2, opset_import: ["" : 13])"), HasSubstr("IR version 2"));
  EXPECT_THAT(text(R"(ir_version: 99, opset_import: ["" : 13])"), HasSubstr("IR version 99"));
}

TEST_F(Load, DamagedText) {
  EXPECT_THAT(refusal(write("t.onnxtext", "<ir_version: 8")), HasSubstr("text form"));
  EXPECT_THAT(refusal(write("t.onnxtext", "")), HasSubstr("text form"));
  EXPECT_THAT(refusal(write("t.onnxtext", "<ir_version: 999999999999999999999999>")), HasSubstr("text form"));
  EXPECT_THAT(refusal(write("t.onnxtext", std::string(100000, '('))), HasSubstr("nested too deeply"));
  EXPECT_THAT(refusal(write("t.onnxtext", std::string("<\0>", 3))), HasSubstr("text form"));
}

} // namespace
} // namespace sd::testing
