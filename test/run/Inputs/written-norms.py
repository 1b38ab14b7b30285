"""written-norms.py SDC SD_RUN DIR: normalisations as exporters write them out, inside a network and at its end, against
doubles. A line a form: "ok", how far it is off, or the compiler's message."""
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SDC, SD_RUN, DIR = sys.argv[1:]
N, RECORDS, LOW, HIGH = 16, 8, -2, 2
random = np.random.default_rng(1)
BEFORE = (random.normal(size=(N, N)) / 4).astype("f")
BEHIND = (random.normal(size=(N, 5)) / 4).astype("f")
SCALE = random.uniform(0.5, 1.5, N).astype("f")
BIAS = (random.normal(size=N) * 0.3).astype("f")


class Graph:
    """Nodes in order; op() and constant() give names."""

    def __init__(self, shape):
        self.shape, self.nodes, self.initializers = shape, [], []

    def constant(self, value):
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def number(self, value):
        return self.constant(np.float32(value))

    def op(self, kind, *inputs, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def mean(self, x, axes=(-1,), **attributes):
        return self.op("ReduceMean", x, axes=list(axes), **attributes)

    def model(self, y, shape):
        self.nodes.append(helper.make_node("Identity", [y], ["y"]))
        info = helper.make_tensor_value_info
        graph = helper.make_graph(self.nodes, "norm", [info("x", TensorProto.FLOAT, self.shape)],
                                  [info("y", TensorProto.FLOAT, shape)], self.initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def check(name, body, meaning, inside=True, rows=6):
    shape = (1, rows, N)
    g = Graph(shape)
    x = g.op("MatMul", "x", g.constant(BEFORE)) if inside else "x"
    y = body(g, x)
    if inside:
        y = g.op("MatMul", y, g.constant(BEHIND))
    records = random.uniform(LOW, HIGH, (RECORDS,) + shape[1:]).astype("f")
    entered = records.astype("d") @ BEFORE if inside else records.astype("d")
    wanted = meaning(entered) if meaning else entered
    wanted = wanted @ BEHIND if inside else wanted
    stem = f"{DIR}/{name.replace(' ', '-')}"
    onnx.save(g.model(y, (1,) + wanted.shape[1:]), stem + ".onnx")
    np.save(stem + "_x.npy", records)
    compiled = subprocess.run([SDC, "compile", stem + ".onnx", "-o", stem + ".sdb", f"--input-range={LOW},{HIGH}"],
                              capture_output=True, text=True)
    if compiled.returncode:
        print(name, compiled.stderr.strip().splitlines()[-1].strip())
        return
    subprocess.run([SD_RUN, "--local", stem + ".sdb", "--input", stem + "_x.npy", "--output", stem + "_y.npy",
                    "--preprocess", "dealer"], check=True, capture_output=True)
    off = np.abs(np.load(stem + "_y.npy").reshape(wanted.shape) - wanted).max() / np.ptp(wanted)
    print(name, "ok" if off < 0.005 else f"is off by {100 * off:.3g} % of the range")


def square_root(g, square, epsilon=1e-5):
    return g.op("Sqrt", g.op("Add", square, g.number(epsilon)))


def moments(g, x, axes=(-1,)):
    centred = g.op("Sub", x, g.mean(x, axes))
    return centred, g.mean(g.op("Mul", centred, centred), axes)


def affine(g, y):
    return g.op("Add", g.op("Mul", y, g.constant(SCALE)), g.constant(BIAS))


def layer_norm(x, axes=-1, epsilon=1e-5):
    centred = x - x.mean(axes, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axes, keepdims=True) + epsilon)


def affine_layer_norm(x):
    return layer_norm(x) * SCALE + BIAS


def quotient(g, x):
    centred, variance = moments(g, x)
    return affine(g, g.op("Div", centred, square_root(g, variance)))


def power(g, x):
    centred = g.op("Sub", x, g.mean(x))
    variance = g.mean(g.op("Pow", centred, g.number(2)))
    return affine(g, g.op("Mul", centred, g.op("Pow", g.op("Add", variance, g.number(1e-5)), g.number(-0.5))))


def scaled_inverse(g, x):
    centred, variance = moments(g, x)
    inverse = g.op("Div", g.number(1), square_root(g, variance))
    return g.op("Add", g.op("Mul", centred, g.op("Mul", inverse, g.constant(SCALE))), g.constant(BIAS))


def shifted(form):
    """As the formula of batch normalisation has it: x g - mean g + bias, in three orders."""

    def body(g, x):
        mean = g.mean(x)
        centred = g.op("Sub", x, mean)
        variance = g.mean(g.op("Mul", centred, centred))
        by = g.op("Mul", g.op("Reciprocal", square_root(g, variance, 1e-3)), g.constant(SCALE))
        value, off, bias = g.op("Mul", x, by), g.op("Mul", mean, by), g.constant(BIAS)
        if form == 0:
            return g.op("Add", value, g.op("Sub", bias, off))
        if form == 1:
            return g.op("Add", g.op("Sub", value, off), bias)
        return g.op("Sub", value, g.op("Sub", off, bias))

    return body


def difference_of_squares(g, x):
    mean = g.mean(x)
    variance = g.op("Sub", g.mean(g.op("Mul", x, x)), g.op("Mul", mean, mean))
    return affine(g, g.op("Div", g.op("Sub", x, mean), square_root(g, variance)))


def without_axes_kept(g, x):
    mean = g.op("Unsqueeze", g.mean(x, keepdims=0), g.constant(np.array([-1])))
    centred = g.op("Sub", x, mean)
    variance = g.op("Unsqueeze", g.mean(g.op("Mul", centred, centred), keepdims=0), g.constant(np.array([2])))
    return affine(g, g.op("Div", centred, square_root(g, variance)))


def unbiased(g, x):
    centred, variance = moments(g, x)
    variance = g.op("Div", g.op("Mul", variance, g.number(N)), g.number(N - 1))
    return affine(g, g.op("Div", centred, g.op("Add", g.op("Sqrt", variance), g.number(1e-6))))


def along(axes):
    def body(g, x):
        centred, variance = moments(g, x, axes)
        return affine(g, g.op("Div", centred, square_root(g, variance)))

    return body


def other_axes(g, x):
    """The mean over one axis, the variance over another: the root mean square's normalisation of what is centred."""
    centred = g.op("Sub", x, g.mean(x, (1,)))
    return affine(g, g.op("Div", centred, square_root(g, g.mean(g.op("Mul", centred, centred)))))


def other_axes_meaning(x):
    centred = x - x.mean(1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(2, keepdims=True) + 1e-5) * SCALE + BIAS


def root_mean_square(g, x):
    by = g.op("Reciprocal", square_root(g, g.mean(g.op("Pow", x, g.number(2)))))
    return g.op("Mul", g.constant(SCALE), g.op("Mul", x, by))


def by_length(g, x):
    length = g.op("Clip", g.op("ReduceL2", x, axes=[-1]), g.number(1e-12))
    return g.op("Div", x, g.op("Expand", length, g.op("Shape", x)))


def by_greater_length(g, x):
    return g.op("Div", x, g.op("Max", g.op("ReduceL2", x, axes=[-1]), g.number(1e-12)))


def length(x):
    return np.linalg.norm(x, axis=-1, keepdims=True)


def rows_along_columns(g, x):
    """Means without their axis are broadcast along the last one: each column is divided by what is of a row."""
    return affine(g, g.op("Div", x, square_root(g, g.mean(g.op("Mul", x, x), keepdims=0))))


def centred_along_columns(g, x):
    centred = g.op("Sub", x, g.mean(x, keepdims=0))
    return affine(g, g.op("Div", centred, square_root(g, g.mean(g.op("Mul", centred, centred)))))


def centred_along_columns_meaning(x):
    centred = x - x.mean(-1)[:, None, :]
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * SCALE + BIAS


def moved_axes(g, x):
    """The same rows under another axis."""
    by = g.op("Reshape", square_root(g, g.mean(g.op("Mul", x, x))), g.constant(np.array([1, 1, N])))
    return affine(g, g.op("Div", x, by))


def shifted_by_moved_mean(g, x):
    mean = g.mean(x)
    centred = g.op("Sub", x, mean)
    by = g.op("Reciprocal", square_root(g, g.mean(g.op("Mul", centred, centred))))
    moved = g.op("Reshape", g.op("Mul", mean, by), g.constant(np.array([1, 1, N])))
    return affine(g, g.op("Sub", g.op("Mul", x, by), moved))


def another_value(g, x):
    return affine(g, g.op("Div", g.op("Relu", x), square_root(g, g.mean(g.op("Mul", x, x)))))


def mean_added(g, x):
    mean = g.mean(x)
    centred = g.op("Sub", x, mean)
    inverse = g.op("Reciprocal", square_root(g, g.mean(g.op("Mul", centred, centred))))
    return g.op("Add", g.op("Mul", x, inverse), g.op("Mul", mean, inverse))


check("quotient", quotient, affine_layer_norm)
check("quotient at the end", quotient, affine_layer_norm, inside=False)
check("power", power, affine_layer_norm)
check("scaled inverse", scaled_inverse, affine_layer_norm)
for form in range(3):
    check(f"shifted {form}", shifted(form), lambda x: layer_norm(x, epsilon=1e-3) * SCALE + BIAS)
check("difference of squares", difference_of_squares, affine_layer_norm)
check("axes not kept", without_axes_kept, affine_layer_norm)
check("unbiased", unbiased, lambda x: layer_norm(x, epsilon=1e-9) * np.sqrt((N - 1) / N) * SCALE + BIAS)
check("axis 1", along((1,)), lambda x: layer_norm(x, 1) * SCALE + BIAS)
check("two axes", along((1, 2)), lambda x: layer_norm(x, (1, 2)) * SCALE + BIAS)
check("other axes", other_axes, other_axes_meaning)
check("root mean square", root_mean_square, lambda x: x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * SCALE)
for inside in (True, False):
    where = "" if inside else " at the end"
    check("length" + where, by_length, lambda x: x / length(x), inside)
    check("LpNormalization" + where, lambda g, x: g.op("LpNormalization", x, axis=-1), lambda x: x / length(x), inside)
check("greater length", by_greater_length, lambda x: x / length(x))
check("as a feature", lambda g, x: g.op("Mul", g.op("ReduceL2", x, axes=[-1]), g.constant(SCALE)),
      lambda x: length(x) * SCALE)
# As many rows as columns, so that either could be meant.
check("rows along columns", rows_along_columns, None, rows=N)
check("centred along columns", centred_along_columns, centred_along_columns_meaning, rows=N)
check("moved axes", moved_axes, None, rows=N)
check("shifted by a moved mean", shifted_by_moved_mean, None, rows=N)
check("as many rows as columns", quotient, affine_layer_norm, rows=N)
check("another value", another_value, None)
check("mean added", mean_added, None)
