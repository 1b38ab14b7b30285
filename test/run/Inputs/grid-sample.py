"""grid-sample.py SDC SD_RUN DIR: GridSample at constant places in all modes, against the definition in doubles."""
import itertools
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SDC, SD_RUN, DIR = sys.argv[1:]
random = np.random.default_rng(5)


def reflected(x, low, high):
    if high <= low:
        return low
    beyond = low - x if x < low else x - high
    if beyond <= 0:
        return x
    turns, rest = divmod(beyond, high - low)
    return low + rest if (x < low) == (turns % 2 == 0) else high - rest


def padded(x, low, high, size, padding):
    if low <= x <= high:
        return x
    return np.clip(x, 0, size - 1) if padding == "border" else reflected(x, low, high) if padding == "reflection" else x


def kernel(d):
    a, d = -0.75, abs(d)
    return ((a + 2) * d - (a + 3)) * d * d + 1 if d <= 1 else ((a * d - 5 * a) * d + 8 * a) * d - 4 * a if d < 2 else 0


def sampled(image, place, mode, padding, align):
    """Of one channel at one place, the last axis's coordinate first."""
    sizes = image.shape
    borders = [(0, s - 1) if align else (-0.5, s - 0.5) for s in sizes]
    xs = []
    for g, size, (low, high) in zip(place[::-1], sizes, borders):
        x = (g + 1) / 2 * (size - 1) if align else ((g + 1) * size - 1) / 2
        xs.append(padded(np.rint(x) if mode == "nearest" else x, low, high, size, padding))

    def pixel(index):
        at = [padded(i, low, high, size, padding) for i, size, (low, high) in zip(index, sizes, borders)]
        return image[tuple(int(i) for i in at)] if all(0 <= i < size for i, size in zip(at, sizes)) else 0

    if mode == "nearest":
        return pixel(np.rint(xs))
    taps, weight = (range(2), lambda d: 1 - abs(d)) if mode == "linear" else (range(-1, 3), kernel)
    total = 0
    for offsets in itertools.product(taps, repeat=len(sizes)):
        index = [np.floor(x) + o for x, o in zip(xs, offsets)]
        by = np.prod([weight(x - i) for x, i in zip(xs, index)])
        total += by * pixel(index) if by else 0
    return total


def check(mode, padding, align, sizes, places):
    channels, rank = 2, len(sizes)
    grid = random.uniform(-1.6, 1.6, (1, *places, rank)).astype("f")
    records = random.uniform(-1, 1, (3, channels, *sizes)).astype("f")
    wanted = np.zeros((3, channels, *places))
    for n, c, *at in np.ndindex(*wanted.shape):
        wanted[(n, c, *at)] = sampled(records[n, c].astype("d"), grid[(0, *at)].astype("d"), mode, padding, align)
    node = helper.make_node("GridSample", ["x", "grid"], ["y"], mode=mode, padding_mode=padding, align_corners=align)
    info = helper.make_tensor_value_info
    graph = helper.make_graph([node], "grid", [info("x", TensorProto.FLOAT, (1, channels, *sizes))],
                              [info("y", TensorProto.FLOAT, (1, channels, *places))], [numpy_helper.from_array(grid, "grid")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), DIR + "/m.onnx")
    np.save(DIR + "/x.npy", records)
    subprocess.run([SDC, "compile", DIR + "/m.onnx", "-o", DIR + "/m.sdb", "--input-range=-1,1"], check=True, capture_output=True)
    subprocess.run([SD_RUN, "--local", DIR + "/m.sdb", "--input", DIR + "/x.npy", "--output", DIR + "/y.npy", "--preprocess",
                    "dealer"], check=True, capture_output=True)
    return np.abs(np.load(DIR + "/y.npy").reshape(wanted.shape) - wanted).max()


for mode, padding in itertools.product(("nearest", "linear", "cubic"), ("zeros", "border", "reflection")):
    errors = [check(mode, padding, align, (5, 4), (3, 4)) for align in (0, 1)]
    if mode != "cubic":
        errors += [check(mode, padding, 0, (6,), (5,)), check(mode, padding, 1, (3, 1, 4), (2, 2, 3))]
    print(mode, padding, "ok" if max(errors) < 0.006 else f"off by {max(errors):.3g}")
