#include "compiler/onnx/InputShapes.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include <onnx/onnx_pb.h>

#include "compiler/onnx/Value.h"

namespace sd {
namespace {

bool isDynamic(const onnx::TensorShapeProto::Dimension &dim) { return !dim.has_dim_value() || dim.dim_value() == -1; }

std::vector<const onnx::ValueInfoProto *> inputsOf(const onnx::GraphProto &graph) {
  std::unordered_set<std::string_view> weights; // up to IR version 3 they are listed as inputs too
  for (const auto &tensor : graph.initializer())
    weights.insert(tensor.name());
  std::vector<const onnx::ValueInfoProto *> inputs;
  for (const auto &info : graph.input())
    if (!weights.contains(info.name())) inputs.push_back(&info);
  return inputs;
}

// The given shape against the declared one.
Expected<void> checkFits(const onnx::ValueInfoProto &info, const Shape &given) {
  const auto &declared = info.type().tensor_type();
  if (!info.type().has_tensor_type() || !declared.has_shape()) return {}; // any will do
  bool fits = declared.shape().dim_size() == static_cast<int>(given.size());
  for (int i = 0; i < declared.shape().dim_size() && fits; ++i) {
    const auto &dim = declared.shape().dim(i);
    fits = isDynamic(dim) || dim.dim_value() == given[static_cast<std::size_t>(i)];
  }
  if (fits) return {};
  return fail("--shape {0}={1}: the model declares '{0}' as {2}", printable(info.name()), toString(given),
              declaredShape(info));
}

} // namespace

std::string declaredShape(const onnx::ValueInfoProto &info) {
  std::vector<std::string> sizes;
  int unnamed = 0;
  for (const auto &dim : info.type().tensor_type().shape().dim()) {
    const std::string &symbol = dim.dim_param();
    const bool isWord =
        !symbol.empty() && std::ranges::all_of(symbol, [](unsigned char c) { return std::isalnum(c) || c == '_'; });
    sizes.push_back(!isDynamic(dim) ? fmt::to_string(dim.dim_value())
                    : isWord        ? printable(symbol)
                                    : fmt::format("N{}", unnamed++ ? fmt::to_string(unnamed) : ""));
  }
  return sizes.empty() ? "scalar" : fmt::format("{}", fmt::join(sizes, "x"));
}

Expected<InputShapes> InputShapes::read(const onnx::GraphProto &graph, const ImportOptions &options) {
  InputShapes read;
  read.batch_ = options.batch.value_or(1);
  const auto inputs = inputsOf(graph);
  for (const auto &[given, shape] : options.shapes) {
    const std::string name = given.empty() && inputs.size() == 1 ? inputs[0]->name() : given;
    const auto input = std::ranges::find_if(inputs, [&](const auto *info) { return info->name() == name; });
    if (input == inputs.end()) {
      std::vector<std::string> names;
      for (const auto *info : inputs)
        names.push_back(printable(info->name()) + "=" + declaredShape(*info));
      return fail("--shape {}{}: names no input of the model; it has {}", given.empty() ? "" : printable(given) + "=",
                  toString(shape), fmt::join(names, ", "));
    }
    SD_TRY(checkFits(**input, shape));
    read.shapes_[name] = shape;
    const auto &dims = (*input)->type().tensor_type().shape();
    for (int i = 0; i < dims.dim_size(); ++i) {
      if (!isDynamic(dims.dim(i)) || dims.dim(i).dim_param().empty()) continue;
      const std::int64_t size = shape[static_cast<std::size_t>(i)];
      const auto [known, isNew] = read.symbols_.emplace(dims.dim(i).dim_param(), size);
      if (!isNew && known->second != size)
        return fail("--shape: the axis '{}' is {} in one place and {} in another", printable(dims.dim(i).dim_param()),
                    known->second, size);
    }
  }
  for (const auto *info : inputs) {
    const auto &dims = info->type().tensor_type().shape();
    if (dims.dim_size() == 0 || read.shapes_.contains(info->name()) || !isDynamic(dims.dim(0))) continue;
    if (read.symbols_.contains(dims.dim(0).dim_param())) continue;
    read.batchSymbol_ = dims.dim(0).dim_param();
    break;
  }
  return read;
}

Expected<InputShape> InputShapes::of(const onnx::ValueInfoProto &info) const {
  if (const auto given = shapes_.find(info.name()); given != shapes_.end()) return InputShape{given->second, {}};
  const std::string name = printable(info.name());
  const auto &type = info.type().tensor_type();
  if (!type.has_shape()) return fail("has no shape; give one: --shape {}=1x3x224x224, or what the model takes", name);
  InputShape input;
  for (int axis = 0; axis < type.shape().dim_size(); ++axis) {
    const auto &dim = type.shape().dim(axis);
    if (!isDynamic(dim)) {
      input.shape.push_back(dim.dim_value());
    } else if (const auto known = symbols_.find(dim.dim_param()); !dim.dim_param().empty() && known != symbols_.end()) {
      input.shape.push_back(known->second);
    } else if (axis == 0 || (!batchSymbol_.empty() && dim.dim_param() == batchSymbol_)) {
      input.shape.push_back(batch_);
      if (!input.batchAxis) input.batchAxis = axis;
    } else {
      return fail("has no fixed size along axis {}{}; give its sizes: --shape {}={}, with numbers", axis,
                  dim.dim_param().empty() ? "" : fmt::format(" ('{}')", printable(dim.dim_param())), name,
                  declaredShape(info));
    }
    if (input.shape.back() < 1) return fail("has size {} along axis {}", input.shape.back(), axis);
  }
  return input;
}

} // namespace sd
