// Damaged and hostile files: each is refused with a message that says what is wrong.
#include <gtest/gtest.h>

#include "ModelTesting.h"

namespace fs = std::filesystem;

namespace sd::testing {
namespace {

TEST(Broken, EveryFileIsRefusedForItsFault) {
  const auto shared = sharedFolder();
  if (!shared) return;
  // What the message must speak of.
  const std::map<std::string, std::string> faults = {
      {"conv_channel_mismatch", "C3"},
      {"deep_nesting", "IR version 0"},
      {"duplicate_output", "which is another value's name already"},
      {"external_absolute_path", "outside the model's folder"},
      {"external_path_traversal", "outside the model's folder"},
      {"html", "not an ONNX model"},
      {"length_overflow", "not an ONNX model"},
      {"missing_initializer", "'conv1.weight', which nothing defines"},
      {"nan_inf_weights", "NaN or an infinity"},
      {"no_graph", "no graph"},
      {"no_opset", "does not say which opset"},
      {"opset_999", "opset 999 is newer"},
      {"random_bytes", "not an ONNX model"},
      {"real_missing_external_breast_cancer", "cannot be opened"},
      {"self_loop", "cycle"},
      {"string_weights", "STRING"},
      {"text", "not an ONNX model"},
      {"truncated_half", "not an ONNX model"},
      {"undefined_output", "made by no node"},
      {"unknown_dtype", "element type 77"},
      {"untyped_input", "not declared as a tensor"},
      {"zeroed_40_bytes", "not an ONNX model"},
  };
  std::size_t count = 0;
  for (const auto &entry : fs::directory_iterator(*shared / "onnx" / "broken")) {
    const std::string name = entry.path().stem();
    SCOPED_TRACE(name);
    ++count;
    std::vector<ImportProblem> problems;
    auto module = importOnnx(entry.path(), {}, problems);
    EXPECT_FALSE(module);
    ASSERT_TRUE(faults.contains(name)) << joined(problems);
    EXPECT_NE(joined(problems).find(faults.at(name)), std::string::npos) << joined(problems);
  }
  EXPECT_EQ(count, faults.size());
}

} // namespace
} // namespace sd::testing
