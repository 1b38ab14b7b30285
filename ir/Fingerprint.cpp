#include "ir/Fingerprint.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "ir/core/Functions.h"
#include "ir/core/OpFamilies.h"
#include "ir/core/Windows.h"

namespace sd {

namespace {

std::uint32_t scrambled(std::uint32_t h) { // the finaliser of MurmurHash3
  h ^= h >> 16;
  h *= 0x85ebca6bu;
  h ^= h >> 13;
  h *= 0xc2b2ae35u;
  return h ^ h >> 16;
}

std::uint32_t factorOf(std::int64_t position) {
  return scrambled(static_cast<std::uint32_t>(position) + 0x9e3779b9u) | 1;
}

std::uint32_t of(float value) { return scrambled(std::bit_cast<std::uint32_t>(value) + 1); }

std::uint32_t of(const Tensor<float> &values) {
  std::uint32_t h = 0;
  for (const float value : values.data)
    h = mixed(h, std::bit_cast<std::uint32_t>(value));
  return h;
}

// What an op's kind and attributes contribute to each of its elements.
std::uint32_t saltOf(const Op &op) {
  std::uint32_t h = static_cast<std::uint32_t>(op.kind) + 17;
  for (const Attr attr : {Attr::Knots, Attr::Slopes})
    if (op.attrs.has(attr)) h = mixed(h, of(op.attrs.floats(attr)));
  for (const Attr attr : {Attr::Offset, Attr::Epsilon})
    if (op.attrs.has(attr)) h = mixed(h, of(static_cast<float>(op.attrs.f(attr))));
  for (const Attr attr : {Attr::Shift, Attr::SelectLast, Attr::CountIncludePad})
    if (op.attrs.has(attr)) h = mixed(h, static_cast<std::uint32_t>(op.attrs.i(attr)));
  if (op.attrs.has(Attr::Function))
    for (const char c : op.attrs.str(Attr::Function))
      h = mixed(h, static_cast<std::uint32_t>(c));
  return h;
}

// A shape around one axis.
struct AxisView {
  std::int64_t outer, length, inner;
  AxisView(const Shape &shape, std::int64_t axis)
      : outer(elementCount(Shape(shape.begin(), shape.begin() + axis))), length(shape[static_cast<std::size_t>(axis)]),
        inner(elementCount(Shape(shape.begin() + axis + 1, shape.end()))) {}
  std::size_t at(std::int64_t o, std::int64_t i, std::int64_t rest) const {
    return static_cast<std::size_t>((o * length + i) * inner + rest);
  }
};

// Positions in an operand for each element of a result that it broadcasts to.
std::vector<std::size_t> broadcastPositions(const Shape &from, const Shape &to) {
  const Shape strides = rowMajorStrides(from);
  std::vector<std::size_t> positions{0};
  positions.reserve(static_cast<std::size_t>(elementCount(to)));
  for (std::size_t axis = 0; axis < to.size(); ++axis) {
    const std::size_t lead = to.size() - from.size();
    const std::int64_t stride = axis < lead || from[axis - lead] == 1 ? 0 : strides[axis - lead];
    std::vector<std::size_t> next;
    next.reserve(positions.size() * static_cast<std::size_t>(to[axis]));
    for (const std::size_t base : positions)
      for (std::int64_t i = 0; i < to[axis]; ++i)
        next.push_back(base + static_cast<std::size_t>(i * stride));
    positions = std::move(next);
  }
  return positions;
}

class Walk {
public:
  Walk(const Module &module, const std::map<std::string, Fingerprints> &inputs)
      : module_(module), inputs_(inputs), values_(module.types.size()), constants_(module.types.size()) {}

  bool step(const Op &op); // false: of another level
  const Fingerprints &value(ValueId id);
  void drop(ValueId id) { values_[id] = {}; }

private:
  // Of a linear op. A constant's are looked at where they are: a copy might be as large as the model.
  struct Weights {
    const Shape &shape;
    const Tensor<float> *constant;
    const Fingerprints *computed;
    std::int64_t size() const { return elementCount(shape); }
    std::uint32_t operator[](std::size_t i) const { return constant ? of(constant->data[i]) : computed->data[i]; }
  };
  Weights weights(const Op &op, std::size_t i) {
    const ValueId id = op.operands[i];
    return {module_.type(id).shape, constants_[id], constants_[id] ? nullptr : &values_[id]};
  }

  const Fingerprints &operand(const Op &op, std::size_t i) { return value(op.operands[i]); }
  Fingerprints empty(const Op &op) const { return Fingerprints(module_.type(op.result).shape, 0); }

  Fingerprints elementwise(const Op &op);
  Fingerprints vecDot(const Op &op);
  Fingerprints matMul(const Op &op);
  Fingerprints conv(const Op &op);
  Fingerprints batchNorm(const Op &op);
  Fingerprints windows(const Op &op, const Fingerprints &x, std::span<const std::int64_t> kernel) const;
  Fingerprints pool(const Op &op);
  Fingerprints transpose(const Op &op);
  Fingerprints concat(const Op &op);
  Fingerprints pad(const Op &op);
  Fingerprints gather(const Op &op);
  Fingerprints along(const Op &op);

  const Module &module_;
  const std::map<std::string, Fingerprints> &inputs_;
  std::vector<Fingerprints> values_;
  std::vector<const Tensor<float> *> constants_; // by value; null: no constant
};

const Fingerprints &Walk::value(ValueId id) {
  Fingerprints &known = values_[id];
  if (constants_[id] && known.data.empty()) {
    known = Fingerprints(constants_[id]->shape, 0);
    std::ranges::transform(constants_[id]->data, known.data.begin(), [](float v) { return of(v); });
  }
  return known;
}

Fingerprints Walk::elementwise(const Op &op) {
  Fingerprints out = empty(op);
  const std::uint32_t salt = saltOf(op);
  if (op.operands.size() == 1) {
    const auto &x = operand(op, 0);
    for (std::size_t i = 0; i < out.data.size(); ++i)
      out.data[i] = mixed(x.data[i], salt);
    return out;
  }
  const auto &a = operand(op, 0), &b = operand(op, 1);
  const auto left = broadcastPositions(a.shape, out.shape), right = broadcastPositions(b.shape, out.shape);
  for (std::size_t i = 0; i < out.data.size(); ++i)
    out.data[i] = mixed(mixed(a.data[left[i]], b.data[right[i]]), salt);
  return out;
}

Fingerprints Walk::vecDot(const Op &op) {
  Fingerprints out = empty(op);
  const auto &a = operand(op, 0), &b = operand(op, 1);
  Shape whole = out.shape;
  const std::int64_t length = std::max(a.shape.back(), b.shape.back());
  whole.push_back(length);
  const auto left = broadcastPositions(a.shape, whole), right = broadcastPositions(b.shape, whole);
  for (std::size_t i = 0; i < left.size(); ++i)
    out.data[i / static_cast<std::size_t>(length)] += mixed(a.data[left[i]], b.data[right[i]]);
  return out;
}

Fingerprints Walk::matMul(const Op &op) {
  Fingerprints out = empty(op);
  const std::size_t factor = op.kind == OpKind::AtMost ? 2 : 1, summand = 3 - factor;
  const auto &x = operand(op, 0);
  const Weights w = weights(op, factor);
  const auto from = static_cast<std::size_t>(w.shape[0]), to = static_cast<std::size_t>(w.shape[1]);
  std::vector<std::uint32_t> columns(to, saltOf(op));
  for (std::size_t k = 0; k < from; ++k)
    for (std::size_t m = 0; m < to; ++m)
      columns[m] = mixed(columns[m], w[k * to + m]);
  for (std::size_t m = 0; m < to && op.operands.size() > 2; ++m)
    columns[m] = mixed(columns[m], operand(op, summand).data[m]);
  for (std::size_t row = 0; row < x.data.size() / from; ++row) {
    std::uint32_t sum = 0;
    for (std::size_t k = 0; k < from; ++k)
      sum += factorOf(static_cast<std::int64_t>(k)) * x.data[row * from + k];
    for (std::size_t m = 0; m < to; ++m)
      out.data[row * to + m] = mixed(sum, columns[m]);
  }
  return out;
}

// Sums over windows of x [N,C,...], each tap with a factor of its position; axis by axis.
Fingerprints Walk::windows(const Op &op, const Fingerprints &x, std::span<const std::int64_t> kernel) const {
  const std::vector<WindowAxis> axes = windowAxes(x.shape, kernel, op.attrs);
  Fingerprints sums = x;
  for (std::size_t a = 0; a < axes.size(); ++a) {
    Shape shape = sums.shape;
    shape[a + 2] = windowOutputs(axes[a]).value();
    Fingerprints next(shape, 0);
    const AxisView from(sums.shape, static_cast<std::int64_t>(a + 2)), to(shape, static_cast<std::int64_t>(a + 2));
    for (std::int64_t o = 0; o < to.length; ++o) {
      const WindowTaps taps = windowTaps(axes[a], o);
      for (std::int64_t tap = taps.begin; tap < taps.end; ++tap) {
        const std::uint32_t factor = factorOf(tap + static_cast<std::int64_t>(a) * kMaxWindow);
        const std::int64_t at = taps.first + tap * axes[a].dilation;
        for (std::int64_t outer = 0; outer < from.outer; ++outer)
          for (std::int64_t i = 0; i < from.inner; ++i)
            next.data[to.at(outer, o, i)] += factor * sums.data[from.at(outer, at, i)];
      }
    }
    sums = std::move(next);
  }
  return sums;
}

Fingerprints Walk::conv(const Op &op) {
  Fingerprints out = empty(op);
  const auto &x = operand(op, 0);
  const Weights w = weights(op, 1);
  const std::int64_t group = op.attrs.i(Attr::Group), channels = w.shape[1];
  Shape summed = x.shape;
  summed[1] = group;
  Fingerprints sums(summed, 0); // over the channels of each group
  const AxisView from(x.shape, 1), to(summed, 1);
  for (std::int64_t n = 0; n < from.outer; ++n)
    for (std::int64_t c = 0; c < from.length; ++c) {
      const std::uint32_t factor = factorOf(c % channels);
      for (std::int64_t i = 0; i < from.inner; ++i)
        sums.data[to.at(n, c / channels, i)] += factor * x.data[from.at(n, c, i)];
    }
  sums = windows(op, sums, std::span(w.shape).subspan(2));
  const AxisView shared(sums.shape, 1), result(out.shape, 1);
  const std::int64_t each = w.size() / w.shape[0], perGroup = result.length / group;
  for (std::int64_t m = 0; m < result.length; ++m) {
    std::uint32_t filter = saltOf(op);
    for (std::int64_t i = 0; i < each; ++i)
      filter = mixed(filter, w[static_cast<std::size_t>(m * each + i)]);
    if (op.operands.size() > 2) filter = mixed(filter, operand(op, 2).data[static_cast<std::size_t>(m)]);
    for (std::int64_t n = 0; n < result.outer; ++n)
      for (std::int64_t i = 0; i < result.inner; ++i)
        out.data[result.at(n, m, i)] = mixed(sums.data[shared.at(n, m / perGroup, i)], filter);
  }
  return out;
}

Fingerprints Walk::batchNorm(const Op &op) {
  Fingerprints out = empty(op);
  const auto &x = operand(op, 0);
  const AxisView view(x.shape, 1);
  for (std::int64_t c = 0; c < view.length; ++c) {
    std::uint32_t channel = saltOf(op);
    for (std::size_t i = 1; i < 5; ++i)
      channel = mixed(channel, operand(op, i).data[static_cast<std::size_t>(c)]);
    for (std::int64_t n = 0; n < view.outer; ++n)
      for (std::int64_t i = 0; i < view.inner; ++i)
        out.data[view.at(n, c, i)] = mixed(x.data[view.at(n, c, i)], channel);
  }
  return out;
}

Fingerprints Walk::pool(const Op &op) {
  const auto &x = operand(op, 0);
  const auto &kernel = op.attrs.ints(Attr::Kernel);
  Fingerprints out = windows(op, x, kernel);
  // An average also depends on how many elements it is of.
  Fingerprints counts(out.shape, saltOf(op));
  if (op.kind == OpKind::AvgPool && !op.attrs.has(Attr::Shift)) {
    const std::vector<WindowAxis> axes = windowAxes(x.shape, kernel, op.attrs);
    for (std::size_t a = 0; a < axes.size(); ++a) {
      const AxisView view(out.shape, static_cast<std::int64_t>(a + 2));
      for (std::int64_t o = 0; o < view.length; ++o) {
        const std::int64_t taps = countedTaps(axes[a], o, op.attrs.i(Attr::CountIncludePad));
        for (std::int64_t outer = 0; outer < view.outer; ++outer)
          for (std::int64_t i = 0; i < view.inner; ++i)
            counts.data[view.at(outer, o, i)] *= static_cast<std::uint32_t>(2 * taps + 1);
      }
    }
  }
  for (std::size_t i = 0; i < out.data.size(); ++i)
    out.data[i] = mixed(out.data[i], counts.data[i]);
  return out;
}

Fingerprints Walk::transpose(const Op &op) {
  Fingerprints out = empty(op);
  const auto &x = operand(op, 0);
  const auto &perm = op.attrs.ints(Attr::Perm);
  const Shape strides = rowMajorStrides(x.shape);
  std::vector<std::int64_t> index(perm.size(), 0);
  for (auto &element : out.data) {
    std::int64_t from = 0;
    for (std::size_t a = 0; a < perm.size(); ++a)
      from += index[a] * strides[static_cast<std::size_t>(perm[a])];
    element = x.data[static_cast<std::size_t>(from)];
    for (std::size_t a = perm.size(); a-- > 0;) {
      if (++index[a] < out.shape[a]) break;
      index[a] = 0;
    }
  }
  return out;
}

Fingerprints Walk::concat(const Op &op) {
  Fingerprints out = empty(op);
  const AxisView whole(out.shape, op.attrs.i(Attr::Axis));
  std::int64_t first = 0;
  for (std::size_t part = 0; part < op.operands.size(); ++part) {
    const auto &x = operand(op, part);
    const AxisView view(x.shape, op.attrs.i(Attr::Axis));
    for (std::int64_t o = 0; o < view.outer; ++o)
      std::copy_n(x.data.begin() + o * view.length * view.inner, view.length * view.inner,
                  out.data.begin() + static_cast<std::ptrdiff_t>(whole.at(o, first, 0)));
    first += view.length;
  }
  return out;
}

Fingerprints Walk::pad(const Op &op) {
  Fingerprints out = empty(op);
  std::ranges::fill(out.data, of(static_cast<float>(op.attrs.f(Attr::Fill))));
  const auto &x = operand(op, 0);
  const auto &pads = op.attrs.ints(Attr::Pads);
  const Shape strides = rowMajorStrides(out.shape);
  std::vector<std::int64_t> index(x.shape.size(), 0);
  for (const auto element : x.data) {
    std::int64_t to = 0;
    for (std::size_t a = 0; a < index.size(); ++a)
      to += (index[a] + pads[a]) * strides[a];
    out.data[static_cast<std::size_t>(to)] = element;
    for (std::size_t a = index.size(); a-- > 0;) {
      if (++index[a] < x.shape[a]) break;
      index[a] = 0;
    }
  }
  return out;
}

Fingerprints Walk::gather(const Op &op) {
  Fingerprints out = empty(op);
  const auto &x = operand(op, 0);
  const auto &indices = op.attrs.ints(Attr::Indices);
  const AxisView from(x.shape, op.attrs.i(Attr::Axis)), to(out.shape, op.attrs.i(Attr::Axis));
  for (std::int64_t o = 0; o < to.outer; ++o)
    for (std::int64_t i = 0; i < to.length; ++i)
      std::copy_n(x.data.begin() + static_cast<std::ptrdiff_t>(from.at(o, indices[static_cast<std::size_t>(i)], 0)),
                  from.inner, out.data.begin() + static_cast<std::ptrdiff_t>(to.at(o, i, 0)));
  return out;
}

// Softmax, ArgMax and the like: each result depends on all elements along an axis.
Fingerprints Walk::along(const Op &op) {
  Fingerprints out = empty(op);
  const auto &x = operand(op, 0);
  const AxisView view(x.shape, op.attrs.i(Attr::Axis, std::ssize(x.shape) - 1)); // a norm's is the last
  const bool keepsElements = op.kind == OpKind::Softmax || op.kind == OpKind::LogSoftmax || op.kind == OpKind::Function;
  const bool namesPositions = op.kind == OpKind::ArgMax || op.kind == OpKind::ArgTopK;
  const std::int64_t results = out.size() / (view.outer * view.inner);
  const std::uint32_t salt = saltOf(op);
  for (std::int64_t o = 0; o < view.outer; ++o)
    for (std::int64_t i = 0; i < view.inner; ++i) {
      std::uint32_t sum = salt;
      for (std::int64_t j = 0; j < view.length; ++j)
        sum += mixed(x.data[view.at(o, j, i)], namesPositions ? factorOf(j) : salt);
      for (std::int64_t j = 0; j < results; ++j)
        out.data[static_cast<std::size_t>((o * results + j) * view.inner + i)] =
            mixed(sum, keepsElements ? x.data[view.at(o, j, i)] : factorOf(j));
    }
  return out;
}

bool Walk::step(const Op &op) {
  if (!info(op.kind).hasResult()) return true;
  Fingerprints &result = values_[op.result];
  switch (op.kind) {
  case OpKind::Input:
    result = inputs_.at(op.attrs.str(Attr::Name));
    break;
  case OpKind::Constant:
    constants_[op.result] = &op.attrs.floats(Attr::Value);
    break;
  case OpKind::Identity:
    result = operand(op, 0);
    break;
  case OpKind::Reshape:
    result = Fingerprints(module_.type(op.result).shape, operand(op, 0).data);
    break;
  case OpKind::Conv:
    result = conv(op);
    break;
  case OpKind::MatMul:
    result = matMul(op);
    break;
  case OpKind::AtMost:
    result = op.operands.size() > 2 ? matMul(op) : elementwise(op);
    break;
  case OpKind::BatchNorm:
    result = batchNorm(op);
    break;
  case OpKind::VecDot:
    result = vecDot(op);
    break;
  case SD_NN_POOLS:
    result = pool(op);
    break;
  case OpKind::Transpose:
    result = transpose(op);
    break;
  case OpKind::Concat:
    result = concat(op);
    break;
  case OpKind::Pad:
    result = pad(op);
    break;
  case OpKind::Gather:
    result = gather(op);
    break;
  case OpKind::Softmax:
  case OpKind::LogSoftmax:
  case SD_NN_RANKING:
  case OpKind::ReduceSum:
    result = along(op);
    break;
  case OpKind::Function:
    result = rowFunction(op.attrs.str(Attr::Function)) ? along(op) : elementwise(op);
    break;
  case SD_NN_ARITHMETIC:
  case OpKind::Relu:
  case OpKind::Piecewise:
  case OpKind::Sigmoid:
  case SD_NN_SMOOTH:
    result = elementwise(op);
    break;
  case OpKind::Return:
#include "ir/core/ShareCases.def"
    return false;
  }
  return true;
}

} // namespace

std::uint32_t mixed(std::uint32_t a, std::uint32_t b) {
  return scrambled(a * 0x9e3779b1u + scrambled(b + 0x7f4a7c15u));
}

std::optional<std::vector<Fingerprints>>
fingerprints(const Module &module, const std::map<std::string, Fingerprints> &inputs,
             const std::function<void(const Op &, const Fingerprints &)> &seen) {
  std::vector<std::size_t> lastUse(module.types.size(), 0);
  for (std::size_t i = 0; i < module.ops.size(); ++i)
    for (const ValueId id : module.ops[i].operands)
      lastUse[id] = i;
  Walk walk(module, inputs);
  for (std::size_t i = 0; i < module.ops.size(); ++i) {
    const Op &op = module.ops[i];
    if (!walk.step(op)) return std::nullopt;
    if (op.kind == OpKind::Return) continue;
    if (seen && op.kind != OpKind::Constant) seen(op, walk.value(op.result));
    for (const ValueId id : op.operands)
      if (lastUse[id] == i) walk.drop(id);
  }
  std::vector<Fingerprints> outputs;
  for (const ValueId id : module.ops.back().operands)
    outputs.push_back(walk.value(id));
  return outputs;
}

} // namespace sd
