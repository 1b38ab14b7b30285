#include "ir/core/ReferenceLinear.h"

#include <algorithm>
#include <numeric>

#include "ir/core/OpFamilies.h"
#include "ir/core/Ring.h"
#include "ir/core/Windows.h"

namespace sd::reference {

namespace {

template <class T>
Tensor<T> transpose(const Tensor<T> &x, const Shape &perm, const Shape &shape) {
  Tensor<T> result(shape);
  const Shape strides = rowMajorStrides(x.shape);
  Shape at(shape.size());
  std::int64_t from = 0;
  for (auto &element : result.data) {
    element = x.data[from];
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      from += strides[perm[axis]];
      if (++at[axis] < shape[axis]) break;
      from -= strides[perm[axis]] * shape[axis];
      at[axis] = 0;
    }
  }
  return result;
}

template <class T>
Tensor<T> concat(Operands<T> operands, std::int64_t axis, const Shape &shape) {
  Tensor<T> result(shape);
  const AxisSplit whole = splitAt(shape, axis);
  std::int64_t offset = 0;
  for (auto *operand : operands) {
    const std::int64_t run = operand->shape[axis] * whole.inner;
    for (std::int64_t o = 0; o < whole.outer; ++o)
      std::copy_n(operand->data.begin() + o * run, run, result.data.begin() + o * whole.length * whole.inner + offset);
    offset += run;
  }
  return result;
}

template <class T>
Tensor<T> gather(const Tensor<T> &x, std::int64_t axis, const Shape &indices, const Shape &shape) {
  Tensor<T> result(shape);
  const AxisSplit split = splitAt(x.shape, axis);
  auto to = result.data.begin();
  for (std::int64_t o = 0; o < split.outer; ++o)
    for (auto index : indices)
      to = std::copy_n(x.data.begin() + (o * split.length + index) * split.inner, split.inner, to);
  return result;
}

template <class T>
Tensor<T> pad(const Tensor<T> &x, const Shape &pads, const Shape &shape, T fill) {
  Tensor<T> result(shape, fill);
  const Shape strides = rowMajorStrides(shape);
  Shape at(x.shape.size());
  std::int64_t to = 0;
  for (std::size_t i = 0; i < at.size(); ++i)
    to += pads[i] * strides[i];
  for (auto element : x.data) {
    result.data[to] = element;
    for (std::size_t axis = at.size(); axis-- > 0;) {
      to += strides[axis];
      if (++at[axis] < x.shape[axis]) break;
      to -= strides[axis] * x.shape[axis];
      at[axis] = 0;
    }
  }
  return result;
}

// The three spatial axes of a window op; those that it lacks come first, with size 1.
struct Plane {
  WindowAxis slices{1, 1, 1, 0, 0, 1}, rows{1, 1, 1, 0, 0, 1}, columns{};
  std::int64_t outSlices = 1, outRows = 1, outColumns = 1;

  Plane(const Shape &x, std::span<const std::int64_t> kernel, const Attrs &attrs, const Shape &result) {
    auto axes = windowAxes(x, kernel, attrs);
    columns = axes.back();
    outColumns = result.back();
    if (axes.size() > 1) rows = axes[axes.size() - 2], outRows = result[result.size() - 2];
    if (axes.size() > 2) slices = axes.front(), outSlices = result[2];
  }
  std::int64_t in() const { return slices.size * rows.size * columns.size; }
  std::int64_t out() const { return outSlices * outRows * outColumns; }
  std::int64_t taps() const { return slices.kernel * rows.kernel * columns.kernel; }
};

// Outputs [begin, end) whose tap stands inside the input.
struct OutputRange {
  std::int64_t begin, end;
};
OutputRange outputsOf(const WindowAxis &axis, std::int64_t tap, std::int64_t outputs) {
  const std::int64_t offset = tap * axis.dilation - axis.padBegin; // input position for output 0
  const std::int64_t begin = offset >= 0 ? 0 : (-offset + axis.stride - 1) / axis.stride;
  const std::int64_t end = offset >= axis.size ? 0 : (axis.size - offset - 1) / axis.stride + 1;
  return {begin, std::min(end, outputs)};
}

// Calls f(tap, first input, first output, count) for each run of outputs in a row and the inputs under one tap of
// theirs, which lie a column stride apart.
template <class F>
void forEachRun(const Plane &plane, F f) {
  const auto position = [](const WindowAxis &axis, std::int64_t output, std::int64_t tap) {
    return output * axis.stride + tap * axis.dilation - axis.padBegin;
  };
  const WindowAxis &slice = plane.slices, &row = plane.rows, &column = plane.columns;
  for (std::int64_t tap = 0; tap < plane.taps(); ++tap) {
    const std::int64_t kx = tap % column.kernel, ky = tap / column.kernel % row.kernel;
    const std::int64_t kz = tap / column.kernel / row.kernel;
    const auto inSlices = outputsOf(slice, kz, plane.outSlices), inRows = outputsOf(row, ky, plane.outRows);
    const auto inColumns = outputsOf(column, kx, plane.outColumns);
    if (inColumns.begin >= inColumns.end) continue;
    for (std::int64_t oz = inSlices.begin; oz < inSlices.end; ++oz)
      for (std::int64_t oy = inRows.begin; oy < inRows.end; ++oy) {
        const std::int64_t z = position(slice, oz, kz), y = position(row, oy, ky);
        f(tap, (z * row.size + y) * column.size + position(column, inColumns.begin, kx),
          (oz * plane.outRows + oy) * plane.outColumns + inColumns.begin, inColumns.end - inColumns.begin);
      }
  }
}

// to[o] += weights[tap] x[input position of o under that tap], for one pair of input and output planes.
template <class T>
void accumulate(const Plane &plane, const T *x, const T *weights, T *to) {
  const std::int64_t stride = plane.columns.stride;
  forEachRun(plane, [&](std::int64_t tap, std::int64_t input, std::int64_t output, std::int64_t count) {
    const T weight = weights[tap], *from = x + input;
    T *out = to + output;
    if (stride == 1)
      for (std::int64_t i = 0; i < count; ++i)
        out[i] += weight * from[i];
    else
      for (std::int64_t i = 0; i < count; ++i)
        out[i] += weight * from[i * stride];
  });
}

// The transpose: gx[input position of o under each tap] += weights[tap] g[o].
void accumulateBack(const Plane &plane, const float *g, const float *weights, float *gx) {
  const std::int64_t stride = plane.columns.stride;
  forEachRun(plane, [&](std::int64_t tap, std::int64_t input, std::int64_t output, std::int64_t count) {
    const float weight = weights[tap], *from = g + output;
    float *to = gx + input;
    if (stride == 1)
      for (std::int64_t i = 0; i < count; ++i)
        to[i] += weight * from[i];
    else
      for (std::int64_t i = 0; i < count; ++i)
        to[i * stride] += weight * from[i];
  });
}

template <class T>
Tensor<T> convolve(Operands<T> operands, const Attrs &attrs, const Shape &shape) {
  const Tensor<T> &x = *operands[0], &w = *operands[1];
  const Plane plane(x.shape, std::span(w.shape).subspan(2), attrs, shape);
  const std::int64_t channels = x.shape[1], filters = w.shape[0], perGroup = w.shape[1];
  const std::int64_t filtersPerGroup = filters / attrs.i(Attr::Group);
  Tensor<T> result(shape);
  for (std::int64_t n = 0; n < shape[0]; ++n)
    for (std::int64_t m = 0; m < filters; ++m) {
      T *to = result.data.data() + (n * filters + m) * plane.out();
      if (operands.size() > 2) std::fill_n(to, plane.out(), operands[2]->data[m]);
      for (std::int64_t c = 0; c < perGroup; ++c) {
        const std::int64_t channel = m / filtersPerGroup * perGroup + c;
        accumulate(plane, x.data.data() + (n * channels + channel) * plane.in(),
                   w.data.data() + (m * perGroup + c) * plane.taps(), to);
      }
    }
  return result;
}

template <class T>
Tensor<T> sumPool(const Tensor<T> &x, const Attrs &attrs, const Shape &shape) {
  const Plane plane(x.shape, attrs.ints(Attr::Kernel), attrs, shape);
  const std::vector<T> ones(plane.taps(), T{1});
  Tensor<T> result(shape);
  for (std::int64_t i = 0; i < shape[0] * shape[1]; ++i)
    accumulate(plane, x.data.data() + i * plane.in(), ones.data(), result.data.data() + i * plane.out());
  return result;
}

template <class T>
Tensor<T> matMul(Operands<T> operands, const Shape &shape) {
  const Tensor<T> &x = *operands[0], &w = *operands[1];
  const std::int64_t inner = w.shape[0], columns = w.shape[1], rows = x.size() / inner;
  Tensor<T> result(shape);
  for (std::int64_t row = 0; row < rows; ++row) {
    T *to = result.data.data() + row * columns;
    if (operands.size() > 2) std::ranges::copy(operands[2]->data, to);
    for (std::int64_t k = 0; k < inner; ++k) {
      const T element = x.data[row * inner + k];
      const T *weights = w.data.data() + k * columns;
      for (std::int64_t m = 0; m < columns; ++m)
        to[m] += element * weights[m];
    }
  }
  return result;
}

template <class T, class F>
Tensor<T> elementwise(const Tensor<T> &a, const Tensor<T> &b, const Shape &shape, F f) {
  Tensor<T> result(shape);
  forEachBroadcast(shape, a.shape, b.shape,
                   [&](auto i, auto ia, auto ib) { result.data[i] = f(a.data[ia], b.data[ib]); });
  return result;
}

} // namespace

Tensor<float> convolveBack(const Tensor<float> &g, const Tensor<float> &w, const Attrs &attrs, const Shape &x) {
  const Plane plane(x, std::span(w.shape).subspan(2), attrs, g.shape);
  const std::int64_t filters = w.shape[0], perGroup = w.shape[1], filtersPerGroup = filters / attrs.i(Attr::Group);
  Tensor<float> result(x);
  for (std::int64_t n = 0; n < x[0]; ++n)
    for (std::int64_t m = 0; m < filters; ++m) {
      const float *from = g.data.data() + (n * filters + m) * plane.out();
      if (std::all_of(from, from + plane.out(), [](float v) { return v == 0; })) continue;
      for (std::int64_t c = 0; c < perGroup; ++c) {
        const std::int64_t channel = m / filtersPerGroup * perGroup + c;
        accumulateBack(plane, from, w.data.data() + (m * perGroup + c) * plane.taps(),
                       result.data.data() + (n * x[1] + channel) * plane.in());
      }
    }
  return result;
}

Tensor<float> sumPoolBack(const Tensor<float> &g, const Attrs &attrs, const Shape &x) {
  const Plane plane(x, attrs.ints(Attr::Kernel), attrs, g.shape);
  const std::vector<float> ones(plane.taps(), 1);
  Tensor<float> result(x);
  for (std::int64_t i = 0; i < x[0] * x[1]; ++i)
    accumulateBack(plane, g.data.data() + i * plane.out(), ones.data(), result.data.data() + i * plane.in());
  return result;
}

template <class T>
Tensor<T> evaluateLayout(OpKind kind, Operands<T> operands, const Attrs &attrs, const Shape &shape, T fill) {
  const Tensor<T> &x = *operands[0];
  switch (kind) {
  case OpKind::Transpose:
  case OpKind::ShareTranspose:
    return transpose(x, attrs.ints(Attr::Perm), shape);
  case OpKind::Concat:
  case OpKind::ShareConcat:
    return concat(operands, attrs.i(Attr::Axis), shape);
  case OpKind::Pad:
  case OpKind::SharePad:
    return pad(x, attrs.ints(Attr::Pads), shape, fill);
  case OpKind::Gather:
  case OpKind::ShareGather:
    return gather(x, attrs.i(Attr::Axis), attrs.ints(Attr::Indices), shape);
  case OpKind::Reshape:
  case OpKind::ShareReshape:
    return Tensor<T>(shape, x.data);
  case SD_NN_ENDS:
  case OpKind::Identity:
  case SD_NN_PRODUCTS:
  case OpKind::BatchNorm:
  case SD_NN_ARITHMETIC:
  case OpKind::VecDot:
  case OpKind::Relu:
  case SD_NN_SMOOTH:
  case OpKind::Piecewise:
  case OpKind::AtMost:
  case SD_NN_POOLS:
  case SD_NN_FINAL:
  case OpKind::Function:
  case OpKind::ShareConstant:
  case OpKind::ShareInput:
  case SD_SHARE_PACKED:
  case OpKind::ShareAddW:
  case SD_SHARE_SUMS:
  case SD_SHARE_CONSTANTS:
  case SD_SHARE_COMPARISONS:
  case SD_SHARE_PRODUCTS:
  case OpKind::ShareOutput:
    break;
  }
  assert(false && "not a layout op");
  return x;
}

namespace {

// x [B,M,K] times y [B,N,K], transposed.
template <class T>
Tensor<T> dot(const Tensor<T> &x, const Tensor<T> &y, const Shape &shape) {
  Tensor<T> out(shape);
  const std::int64_t length = x.shape[2], rows = shape[1], columns = shape[2];
  for (std::int64_t i = 0; i < out.size(); ++i) {
    const T *a = x.data.data() + i / columns * length;
    const T *b = y.data.data() + (i / (rows * columns) * columns + i % columns) * length;
    out.data[static_cast<std::size_t>(i)] = std::inner_product(a, a + length, b, T{});
  }
  return out;
}

} // namespace

template <class T>
Tensor<T> evaluateLinear(OpKind kind, Operands<T> operands, const Attrs &attrs, const Shape &shape) {
  auto plus = [](T a, T b) { return a + b; };
  auto times = [](T a, T b) { return a * b; };
  const Tensor<T> &x = *operands[0];
  switch (kind) {
  case OpKind::Conv:
  case OpKind::ShareConv:
    return convolve(operands, attrs, shape);
  case OpKind::MatMul:
  case OpKind::ShareMatMul:
    return matMul(operands, shape);
  case OpKind::ShareSumPool:
    return sumPool(x, attrs, shape);
  case OpKind::Add:
  case OpKind::ShareAdd:
  case OpKind::ShareAddW:
    return elementwise(x, *operands[1], shape, plus);
  case OpKind::Sub:
  case OpKind::ShareSub:
    return elementwise(x, *operands[1], shape, [](T a, T b) { return a - b; });
  case OpKind::Mul:
  case OpKind::ShareMul:
    return elementwise(x, *operands[1], shape, times);
  case OpKind::ShareDot:
    return dot(x, *operands[1], shape);
  case OpKind::ShareScale: {
    auto product = elementwise(x, *operands[1], shape, times);
    return operands.size() > 2 ? elementwise(product, *operands[2], shape, plus) : product;
  }
  case OpKind::ShareMulC:
    return map<T>(x, [factor = static_cast<T>(attrs.i(Attr::Factor))](T a) { return a * factor; });
  case OpKind::ShareAddC:
    return map<T>(x, [addend = static_cast<T>(attrs.i(Attr::Addend))](T a) { return a + addend; });
  case OpKind::ShareRescale:
    return x;
  case SD_SHARE_LAYOUT:
    return evaluateLayout<T>(kind, operands, attrs, shape,
                             kind == OpKind::SharePad ? static_cast<T>(attrs.i(Attr::IntFill)) : T{});
  case SD_NN_ENDS:
  case OpKind::Identity:
  case OpKind::BatchNorm:
  case OpKind::Div:
  case OpKind::VecDot:
  case OpKind::Relu:
  case SD_NN_SMOOTH:
  case OpKind::Piecewise:
  case OpKind::AtMost:
  case SD_NN_POOLS:
  case SD_NN_FINAL:
  case OpKind::Function:
  case SD_NN_LAYOUT:
  case OpKind::ShareConstant:
  case OpKind::ShareInput:
  case SD_SHARE_COMPARISONS:
  case OpKind::ShareOutput:
    break;
  }
  assert(false && "not a linear op");
  return x;
}

template Tensor<float> evaluateLayout(OpKind, Operands<float>, const Attrs &, const Shape &, float);
template Tensor<double> evaluateLayout(OpKind, Operands<double>, const Attrs &, const Shape &, double);
template Tensor<Ring32> evaluateLayout(OpKind, Operands<Ring32>, const Attrs &, const Shape &, Ring32);
template Tensor<Ring64> evaluateLayout(OpKind, Operands<Ring64>, const Attrs &, const Shape &, Ring64);
template Tensor<double> evaluateLinear(OpKind, Operands<double>, const Attrs &, const Shape &);
template Tensor<Ring32> evaluateLinear(OpKind, Operands<Ring32>, const Attrs &, const Shape &);
template Tensor<Ring64> evaluateLinear(OpKind, Operands<Ring64>, const Attrs &, const Shape &);

} // namespace sd::reference
