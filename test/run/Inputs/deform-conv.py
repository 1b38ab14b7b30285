"""deform-conv.py SDC SD_RUN DIR: DeformConv with constant offsets in its variations, against the definition in doubles."""
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SDC, SD_RUN, DIR = sys.argv[1:]
random = np.random.default_rng(11)


def element(image, y, x):
    """Linear between the four elements around a place; zeros outside."""
    total, y0, x0 = 0.0, int(np.floor(y)), int(np.floor(x))
    for i in (y0, y0 + 1):
        for j in (x0, x0 + 1):
            if 0 <= i < image.shape[0] and 0 <= j < image.shape[1]:
                total += image[i, j] * (1 - abs(y - i)) * (1 - abs(x - j))
    return total


def deformed(x, w, offset, bias, mask, strides, pads, dilations, group, offset_group):
    (count, channels, *_), (outputs, own, kh, kw), (rows, columns) = x.shape, w.shape, offset.shape[2:]
    y = np.zeros((count, outputs, rows, columns))
    for n, m, i, j, c, ky, kx in np.ndindex(count, outputs, rows, columns, own, kh, kw):
        channel = m // (outputs // group) * own + c
        tap = (channel // (channels // offset_group) * kh + ky) * kw + kx
        at = (i * strides[0] - pads[0] + ky * dilations[0] + offset[n, 2 * tap, i, j],
              j * strides[1] - pads[1] + kx * dilations[1] + offset[n, 2 * tap + 1, i, j])
        y[n, m, i, j] += w[m, c, ky, kx] * element(x[n, channel], *at) * (1 if mask is None else mask[n, tap, i, j])
    return y if bias is None else y + bias[:, None, None]


def check(count=1, channels=2, outputs=2, kernel=(2, 2), strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), group=1,
          offset_group=1, bias=False, mask=False, far=0.7, named=True):
    size = (5, 4)
    taps = offset_group * kernel[0] * kernel[1]
    places = [(size[a] + pads[a] + pads[a + 2] - dilations[a] * (kernel[a] - 1) - 1) // strides[a] + 1 for a in (0, 1)]
    constants = {"w": random.uniform(-1, 1, (outputs, channels // group, *kernel)),
                 "offset": random.uniform(-far, far, (count, 2 * taps, *places))}
    if bias:
        constants["b"] = random.uniform(-1, 1, outputs)
    if mask:
        constants["mask"] = random.uniform(0, 1, (count, taps, *places))
    constants = {name: value.astype("f") for name, value in constants.items()}
    record = random.uniform(-1, 1, (count, channels, *size)).astype("f")
    inputs = ["x", "w", "offset", "b" if bias else "", "mask" if mask else ""]
    attributes = dict(strides=strides, pads=pads, dilations=dilations, group=group, offset_group=offset_group)
    if named:
        attributes["kernel_shape"] = kernel
    node = helper.make_node("DeformConv", inputs, ["y"], **attributes)
    info = helper.make_tensor_value_info
    graph = helper.make_graph([node], "deform", [info("x", TensorProto.FLOAT, record.shape)],
                              [info("y", TensorProto.FLOAT, (count, outputs, *places))],
                              [numpy_helper.from_array(value, name) for name, value in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10), DIR + "/m.onnx")
    np.save(DIR + "/x.npy", record)
    subprocess.run([SDC, "compile", DIR + "/m.onnx", "-o", DIR + "/m.sdb", "--input-range=-1,1"], check=True, capture_output=True)
    subprocess.run([SD_RUN, "--local", DIR + "/m.sdb", "--input", DIR + "/x.npy", "--output", DIR + "/y.npy", "--preprocess",
                    "dealer"], check=True, capture_output=True)
    wanted = deformed(record.astype("d"), constants["w"], constants["offset"].astype("d"), constants.get("b"),
                      constants.get("mask"), strides, pads, dilations, group, offset_group)
    return np.abs(np.load(DIR + "/y.npy").reshape(wanted.shape) - wanted).max()


for name, variation in {
        "plain": {}, "far": dict(far=6), "whole": dict(far=0), "kernel": dict(kernel=(3, 2), named=False),
        "window": dict(strides=(2, 1), pads=(1, 0, 2, 1), dilations=(1, 2)), "groups": dict(channels=4, outputs=6, group=2),
        "offset groups": dict(channels=4, offset_group=2), "both groups": dict(channels=4, outputs=4, group=4, offset_group=2),
        "bias and mask": dict(channels=4, offset_group=2, bias=True, mask=True), "batch": dict(count=2, mask=True)}.items():
    error = check(**variation)
    print(name, "ok" if error < 0.01 else f"off by {error:.3g}")
