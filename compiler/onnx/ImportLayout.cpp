// Ops that move or rename elements and compute nothing.
#include "compiler/onnx/Handlers.h"

#include <algorithm>

namespace sd {
namespace {

// Axes as an attribute before opset 13, as an input since; empty if absent.
Expected<std::vector<std::int64_t>> readAxes(Node &node) {
  if (node.opset() < 13) return node.integers("axes");
  if (!node.has(1)) return std::vector<std::int64_t>{};
  return node.constantInts(1, "axes");
}

// The target of a Reshape: 0 copies the operand's dimension unless `allowZero`, one -1 takes what remains.
Expected<Shape> reshapeTarget(const Shape &from, Shape target, bool allowZero) {
  std::ptrdiff_t open = -1;
  std::int64_t known = 1;
  const std::string stated = fmt::format("[{}]", fmt::join(target, ", "));
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (target[i] == 0 && !allowZero) {
      if (i >= from.size()) return fail("the target {} copies axis {} of {}", stated, i, toString(from));
      target[i] = from[i];
    }
    if (target[i] == -1) {
      if (open >= 0) return fail("the target {} leaves two axes open", stated);
      open = static_cast<std::ptrdiff_t>(i);
    } else if (target[i] < 0 || __builtin_mul_overflow(known, target[i], &known)) {
      return fail("the target {} is not a shape", stated);
    }
  }
  const std::int64_t size = elementCount(from);
  if (open >= 0) {
    if (known == 0 || size % known != 0) return fail("the target {} does not fit {}", stated, toString(from));
    target[static_cast<std::size_t>(open)] = size / known;
  } else if (known != size) {
    return fail("the target {} does not fit {}", stated, toString(from));
  }
  return target;
}

Expected<void> setReshaped(Node &node, Emitter &emitter, Shape shape) {
  SD_ASSIGN(Value result, emitter.reshape(node.input(0), std::move(shape)));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace

Expected<void> importIdentity(Node &node, Emitter &) {
  node.setOutput(0, node.input(0));
  return {};
}

Expected<void> importDropout(Node &node, Emitter &emitter) {
  node.ignore("ratio");
  node.ignore("seed");
  SD_ASSIGN(const bool isTest, node.opset() < 7 ? node.integer("is_test", 0) : 1);
  if (!isTest) return fail("is in training mode; export the model for inference (model.eval())");
  if (node.opset() >= 12 && node.has(2)) {
    SD_ASSIGN(const double training, node.constantScalar(2, "training_mode"));
    double ratio = 0.5;
    if (node.has(1)) {
      SD_ASSIGN(ratio, node.constantScalar(1, "ratio"));
    }
    if (training != 0 && ratio != 0) return fail("is in training mode; export the model for inference (model.eval())");
  }
  node.setOutput(0, node.input(0));
  if (node.isUsed(1)) { // the mask: nothing is dropped
    const Shape &shape = node.input(0).shape();
    SD_TRY(emitter.takeBudget(shape));
    node.setOutput(1, node.opset() < 10 ? Value::of(Tensor<float>(shape, 1.0f))
                                        : Value::of(Tensor<std::int64_t>(shape, 1)));
  }
  return {};
}

Expected<void> importFlatten(Node &node, Emitter &emitter) {
  const Shape &shape = node.input(0).shape();
  const auto rank = static_cast<std::int64_t>(shape.size());
  SD_ASSIGN(std::int64_t axis, node.integer("axis", 1));
  if (axis < -rank || axis > rank) return fail("there is no axis {} among {} axes", axis, rank);
  if (axis < 0) axis += rank;
  Shape flat = {1, 1};
  for (std::int64_t i = 0; i < rank; ++i)
    flat[i < axis ? 0 : 1] *= shape[static_cast<std::size_t>(i)];
  return setReshaped(node, emitter, flat);
}

Expected<void> importReshape(Node &node, Emitter &emitter) {
  SD_ASSIGN(const bool allowZero, node.integer("allowzero", 0));
  SD_ASSIGN(Shape target, node.constantInts(1, "target shape"));
  if (!target.empty() && target[0] > 0) node.hintBatch(target[0]);
  SD_ASSIGN(target, reshapeTarget(node.input(0).shape(), std::move(target), allowZero));
  return setReshaped(node, emitter, std::move(target));
}

Expected<void> importSqueeze(Node &node, Emitter &emitter) {
  const Shape &shape = node.input(0).shape();
  SD_ASSIGN(std::vector<std::int64_t> axes, readAxes(node));
  SD_ASSIGN(axes, normalizedAxes(std::move(axes), node.input(0).rank()));
  Shape result;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const bool named = std::ranges::binary_search(axes, static_cast<std::int64_t>(i));
    if (named && shape[i] != 1) return fail("axis {} of {} is not of size 1", i, toString(shape));
    if (!(named || (axes.empty() && shape[i] == 1))) result.push_back(shape[i]);
  }
  return setReshaped(node, emitter, std::move(result));
}

Expected<void> importUnsqueeze(Node &node, Emitter &emitter) {
  SD_ASSIGN(std::vector<std::int64_t> axes, readAxes(node));
  if (axes.empty()) return fail("its axes are missing");
  Shape result = node.input(0).shape();
  SD_ASSIGN(axes, normalizedAxes(std::move(axes), node.input(0).rank() + static_cast<std::int64_t>(axes.size())));
  for (std::int64_t axis : axes)
    result.insert(result.begin() + axis, 1);
  return setReshaped(node, emitter, std::move(result));
}

Expected<void> importTranspose(Node &node, Emitter &emitter) {
  SD_ASSIGN(std::vector<std::int64_t> perm, node.integers("perm"));
  if (perm.empty())
    for (std::int64_t axis = node.input(0).rank(); axis-- > 0;)
      perm.push_back(axis);
  SD_ASSIGN(Value result, emitter.transpose(node.input(0), std::move(perm)));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importConcat(Node &node, Emitter &emitter) {
  if (!node.hasAttr("axis")) return fail("the attribute 'axis' is missing");
  SD_ASSIGN(std::int64_t axis, node.integer("axis", 0));
  SD_ASSIGN(axis, normalizedAxis(axis, node.input(0).rank()));
  std::vector<Value> values;
  for (std::size_t i = 0; i < node.inputCount(); ++i)
    values.push_back(node.input(i));
  SD_ASSIGN(Value result, emitter.concat(std::move(values), axis));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
