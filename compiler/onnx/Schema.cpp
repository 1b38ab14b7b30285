#include "compiler/onnx/Schema.h"

#include <exception>

#include <onnx/defs/schema.h>
#include <onnx/onnx_pb.h>

#include "compiler/onnx/Value.h"

namespace sd {

Expected<void> checkAgainstSchema(const onnx::NodeProto &node, int opset) {
  const auto &known = onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
  const std::string domain = node.domain() == "ai.onnx" ? "" : node.domain();
  const auto versions = known.find(domain);
  if (versions == known.end() || opset > versions->second.second) return {};
  const auto *schema = onnx::OpSchemaRegistry::Schema(node.op_type(), opset, domain);
  if (!schema) return {};
  try {
    schema->Verify(node);
  } catch (const std::exception &exception) {
    return fail("is not what opset {} allows: {}", opset, printable(exception.what()));
  }
  return {};
}

} // namespace sd
