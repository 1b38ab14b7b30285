// Selecting and padding: everything that is nn.gather along an axis, and nn.pad.
#include "compiler/onnx/Handlers.h"

#include <algorithm>
#include <numeric>

namespace sd {
namespace {

std::int64_t sizeAlong(const Value &x, std::int64_t axis) { return x.shape()[static_cast<std::size_t>(axis)]; }

std::vector<std::int64_t> range(std::int64_t from, std::int64_t to) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(std::max<std::int64_t>(to - from, 0)));
  std::iota(out.begin(), out.end(), from);
  return out;
}

struct SliceAxes {
  std::vector<std::int64_t> starts, ends, axes, steps;
};

Expected<SliceAxes> readSlice(Node &node) {
  SliceAxes slice;
  if (node.opset() < 10) {
    SD_ASSIGN(slice.starts, node.integers("starts"));
    SD_ASSIGN(slice.ends, node.integers("ends"));
    SD_ASSIGN(slice.axes, node.integers("axes"));
  } else {
    SD_ASSIGN(slice.starts, node.constantInts(1, "starts"));
    SD_ASSIGN(slice.ends, node.constantInts(2, "ends"));
    if (node.has(3)) {
      SD_ASSIGN(slice.axes, node.constantInts(3, "axes"));
    }
    if (node.has(4)) {
      SD_ASSIGN(slice.steps, node.constantInts(4, "steps"));
    }
  }
  if (slice.axes.empty()) slice.axes = range(0, static_cast<std::int64_t>(slice.starts.size()));
  if (slice.steps.empty()) slice.steps.assign(slice.starts.size(), 1);
  if (slice.ends.size() != slice.starts.size() || slice.axes.size() != slice.starts.size() ||
      slice.steps.size() != slice.starts.size())
    return fail("its starts, ends, axes and steps differ in length");
  return slice;
}

// Positions from `start` to `end` (exclusive) in an axis of `size`: negative ones count from the end, all are clamped.
std::vector<std::int64_t> sliceIndices(std::int64_t start, std::int64_t end, std::int64_t step, std::int64_t size) {
  const std::int64_t least = step > 0 ? 0 : -1, most = step > 0 ? size : size - 1;
  start = std::clamp(start < 0 ? start + size : start, step > 0 ? 0 : std::min<std::int64_t>(0, most), most);
  end = std::clamp(end < 0 ? end + size : end, least, most);
  step = std::clamp(step, -size - 1, size + 1); // same positions, no overflow
  std::vector<std::int64_t> out;
  for (std::int64_t i = start; step > 0 ? i < end : i > end; i += step)
    out.push_back(i);
  return out;
}

struct Padding {
  std::vector<std::int64_t> pads; // begins of all axes, then ends; negative ones crop
  double fill = 0;
};

Expected<Padding> readPad(Node &node) {
  const auto rank = static_cast<std::size_t>(node.input(0).rank());
  Padding padding;
  if (node.opset() < 11) {
    SD_ASSIGN(padding.pads, node.integers("pads"));
    SD_ASSIGN(padding.fill, node.real("value", 0));
  } else {
    SD_ASSIGN(padding.pads, node.constantInts(1, "pads"));
    if (node.has(2)) {
      SD_ASSIGN(padding.fill, node.constantScalar(2, "value"));
    }
  }
  if (node.has(3)) {
    SD_ASSIGN(std::vector<std::int64_t> axes, node.constantInts(3, "axes"));
    std::vector<std::int64_t> all(2 * rank, 0);
    if (padding.pads.size() != 2 * axes.size()) return fail("its pads and axes differ in length");
    SD_TRY(normalizedAxes(axes, node.input(0).rank()));
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const auto axis = static_cast<std::size_t>(axes[i] < 0 ? axes[i] + node.input(0).rank() : axes[i]);
      all[axis] = padding.pads[i];
      all[rank + axis] = padding.pads[axes.size() + i];
    }
    padding.pads = std::move(all);
  }
  if (padding.pads.size() != 2 * rank)
    return fail("{} pads for {} axes, two each are needed", padding.pads.size(), rank);
  for (std::int64_t pad : padding.pads)
    if (pad < -kMaxElements || pad > kMaxElements) return fail("pads by {}", pad);
  return padding;
}

// Positions of an axis of `size` with its edge repeated, its inside mirrored, or the whole of it again, beyond both
// ends.
Expected<std::vector<std::int64_t>> extendedIndices(std::int64_t size, std::int64_t begin, std::int64_t end,
                                                    std::string_view mode) {
  constexpr std::int64_t kLargest = 1 << 20;
  const bool mirrored = mode == "reflect";
  if (std::max(begin, end) > (mirrored ? size - 1 : kLargest))
    return fail("pads an axis of {} elements by {} and {}", size, begin, end);
  std::vector<std::int64_t> out;
  for (std::int64_t i = -begin; i < size + end; ++i)
    out.push_back(mode == "wrap" ? (i % size + size) % size
                  : !mirrored    ? std::clamp<std::int64_t>(i, 0, size - 1)
                  : i < 0        ? -i
                  : i < size     ? i
                                 : 2 * (size - 1) - i);
  return out;
}

} // namespace

Expected<void> importSlice(Node &node, Emitter &emitter) {
  SD_ASSIGN(const SliceAxes slice, readSlice(node));
  SD_TRY(normalizedAxes(slice.axes, node.input(0).rank()));
  Value result = node.input(0);
  for (std::size_t i = 0; i < slice.axes.size(); ++i) {
    SD_ASSIGN(const std::int64_t axis, normalizedAxis(slice.axes[i], result.rank()));
    if (slice.steps[i] == 0) return fail("its step is 0");
    if (sizeAlong(result, axis) > kMaxSelected)
      return fail("its axis of {} elements is too long", sizeAlong(result, axis));
    SD_ASSIGN(result,
              emitter.gather(result, axis,
                             sliceIndices(slice.starts[i], slice.ends[i], slice.steps[i], sizeAlong(result, axis))));
  }
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importSplit(Node &node, Emitter &emitter) {
  SD_ASSIGN(std::int64_t axis, node.integer("axis", 0));
  SD_ASSIGN(axis, normalizedAxis(axis, node.input(0).rank()));
  const std::int64_t size = sizeAlong(node.input(0), axis);
  const auto parts = static_cast<std::int64_t>(node.outputCount());
  if (size > kMaxSelected) return fail("its axis of {} elements is too long", size);
  SD_ASSIGN(const std::int64_t stated, node.integer("num_outputs", parts));
  if (stated != parts || parts == 0) return fail("has {} outputs where num_outputs says {}", parts, stated);
  std::vector<std::int64_t> lengths;
  if (node.opset() < 13) {
    SD_ASSIGN(lengths, node.integers("split"));
  } else if (node.has(1)) {
    SD_ASSIGN(lengths, node.constantInts(1, "split"));
  }
  if (lengths.empty()) {
    if (size % parts != 0 && node.opset() < 18)
      return fail("cannot split {} elements into {} equal parts", size, parts);
    const std::int64_t each = (size + parts - 1) / parts;
    for (std::int64_t i = 0; i < parts; ++i)
      lengths.push_back(std::clamp<std::int64_t>(size - i * each, 0, each));
  }
  if (static_cast<std::int64_t>(lengths.size()) != parts)
    return fail("{} lengths for {} outputs", lengths.size(), parts);
  std::int64_t from = 0;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] < 0 || lengths[i] > size - from) return fail("its parts exceed the {} elements", size);
    if (node.isUsed(i) && lengths[i] == 0) { // a constant without elements, which a Concat may take
      Shape none = node.input(0).shape();
      none[static_cast<std::size_t>(axis)] = 0;
      node.setOutput(i, node.input(0).isInteger() ? Value::of(Tensor<std::int64_t>(std::move(none)))
                                                  : Value::of(Tensor<float>(std::move(none))));
    } else if (node.isUsed(i)) {
      SD_ASSIGN(Value part, emitter.gather(node.input(0), axis, range(from, from + lengths[i])));
      node.setOutput(i, std::move(part));
    }
    from += lengths[i];
  }
  if (from != size) return fail("its parts cover {} of {} elements", from, size);
  return {};
}

Expected<void> importGather(Node &node, Emitter &emitter) {
  const Value &x = node.input(0), &where = node.input(1);
  SD_ASSIGN(std::int64_t axis, node.integer("axis", 0));
  SD_ASSIGN(axis, normalizedAxis(axis, x.rank()));
  SD_TRY(node.expectConstant(1, "indices"));
  if (!where.isInteger()) return fail("its indices must be integers, not {}", describe(where));
  const std::int64_t size = sizeAlong(x, axis);
  std::vector<std::int64_t> indices = where.ints()->data;
  for (std::int64_t &index : indices)
    if (index < 0) index += size;
  Shape shape = x.shape();
  shape.erase(shape.begin() + axis);
  shape.insert(shape.begin() + axis, where.shape().begin(), where.shape().end());
  SD_ASSIGN(const Value picked, emitter.gather(x, axis, std::move(indices)));
  SD_ASSIGN(Value result, emitter.reshape(picked, std::move(shape)));
  node.setOutput(0, std::move(result));
  return {};
}

Expected<void> importPad(Node &node, Emitter &emitter) {
  SD_ASSIGN(const std::string mode, node.text("mode", "constant"));
  SD_ASSIGN(Padding padding, readPad(node));
  const bool isConstant = mode == "constant";
  if (!isConstant && mode != "edge" && mode != "reflect" && mode != "wrap")
    return fail("pads in mode '{}'; only constant, edge, reflect and wrap are supported", printable(mode));
  Value result = node.input(0);
  const std::int64_t rank = result.rank();
  for (std::int64_t axis = 0; axis < rank; ++axis) { // crop, and extend from the data itself
    std::int64_t &begin = padding.pads[static_cast<std::size_t>(axis)];
    std::int64_t &end = padding.pads[static_cast<std::size_t>(rank + axis)];
    const std::int64_t size = sizeAlong(result, axis);
    if (size > kMaxSelected) return fail("its axis of {} elements is too long", size);
    if (begin < 0 || end < 0) {
      const std::int64_t first = std::max<std::int64_t>(-begin, 0), last = size - std::max<std::int64_t>(-end, 0);
      SD_ASSIGN(result, emitter.gather(result, axis, range(first, last)));
      begin = std::max<std::int64_t>(begin, 0);
      end = std::max<std::int64_t>(end, 0);
    }
    if (isConstant) continue;
    SD_ASSIGN(std::vector<std::int64_t> indices, extendedIndices(sizeAlong(result, axis), begin, end, mode));
    SD_ASSIGN(result, emitter.gather(result, axis, std::move(indices)));
    begin = end = 0;
  }
  SD_ASSIGN(result, emitter.pad(result, std::move(padding.pads), padding.fill));
  node.setOutput(0, std::move(result));
  return {};
}

} // namespace sd
