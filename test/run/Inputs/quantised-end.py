"""quantised-end.py SDC SD_RUN DIR: QuantizeLinear at the end of a network and of constants, DequantizeLinear in blocks,
against numpy. Records and scales are such that fixed point is exact: every half is one, and goes to the even side."""
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SDC, SD_RUN, DIR = sys.argv[1:]
random = np.random.default_rng(3)
RANGES = {"uint8": (0, 255), "int8": (-128, 127), "uint16": (0, 65535), "int16": (-32768, 32767)}


def run(name, nodes, record, constants, result, low=-40, high=40):
    info = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "end", [info("x", onnx.mapping.NP_TYPE_TO_TENSOR_TYPE[record.dtype], record.shape)],
                              [info("y", TensorProto.UNDEFINED, None)],
                              [numpy_helper.from_array(value, key) for key, value in constants.items()])
    for output in graph.output:
        output.ClearField("type")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), DIR + "/m.onnx")
    np.save(DIR + "/x.npy", record.astype("f"))
    said = subprocess.run([SDC, "compile", DIR + "/m.onnx", "-o", DIR + "/m.sdb", f"--input-range={low},{high}"], check=True,
                          capture_output=True, text=True)
    subprocess.run([SD_RUN, "--local", DIR + "/m.sdb", "--input", DIR + "/x.npy", "--output", DIR + "/y.npy", "--preprocess",
                    "dealer"], check=True, capture_output=True)
    worst = np.abs(np.load(DIR + "/y.npy").reshape(result.shape) - result).max()
    warns = "rounded to integers by the hospital" in said.stderr + said.stdout
    print(name, "ok" if worst == 0 else f"off by {worst}", "warned" if warns else "")


def rounded(x, scale, zero, kind):
    return np.clip(np.rint(x / scale) + zero, *RANGES[kind])


grid = (np.arange(-160, 160) / 4).astype("f").reshape(1, 4, 80)
for kind, scale, zero in (("uint8", 0.5, 128), ("int8", 0.25, -3), ("uint8", 2, 0), ("int16", 0.5, 7), ("uint16", 1, 9)):
    node = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])
    run(kind, [node], grid, {"s": np.float32(scale), "z": np.array(zero, kind)}, rounded(grid, scale, zero, kind))
run("without a zero point", [helper.make_node("QuantizeLinear", ["x", "s"], ["y"])], grid, {"s": np.float32(0.5)},
    rounded(grid, 0.5, 0, "uint8"))
run("output_dtype", [helper.make_node("QuantizeLinear", ["x", "s"], ["y"], output_dtype=TensorProto.INT8)], grid,
    {"s": np.float32(0.5)}, rounded(grid, 0.5, 0, "int8"))
scales = np.array([0.5, 1, 2, 4], "f")
run("by channel", [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"], axis=-2)], grid,
    {"s": scales, "z": np.full(4, 5, "int8")}, rounded(grid, scales[:, None], 5, "int8"))
blocks = 2.0 ** random.integers(-1, 3, (1, 2, 80)).astype("f")
run("by block", [helper.make_node("QuantizeLinear", ["x", "s"], ["y"], axis=1, block_size=3)], grid, {"s": blocks},
    rounded(grid, blocks[:, [0, 0, 0, 1]], 0, "uint8"))
nodes = [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]), helper.make_node("Reshape", ["q", "to"], ["r"]),
         helper.make_node("Transpose", ["r"], ["y"])]
run("moved", nodes, grid, {"s": np.float32(0.5), "z": np.uint8(100), "to": np.array([4, 80])},
    rounded(grid, 0.5, 100, "uint8").reshape(4, 80).T)
w, by, zeros = random.uniform(-9, 9, (4, 80)).astype("f"), np.array([0.5, 0.25, 1, 2], "f"), np.array([0, 1, -2, 3], "int8")
nodes = [helper.make_node("QuantizeLinear", ["w", "s", "z"], ["q"], axis=0),
         helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"], axis=0), helper.make_node("Add", ["x", "d"], ["y"])]
run("weights by channel", nodes, grid, {"w": w, "s": by, "z": zeros},
    grid + (rounded(w, by[:, None], zeros[:, None], "int8") - zeros[:, None]) * by[:, None])
whole = random.integers(0, 256, (2, 5)).astype("uint8")
by, zeros = 2.0 ** random.integers(-2, 2, (2, 3)).astype("f"), random.integers(0, 30, (2, 3)).astype("uint8")
spread = [0, 0, 1, 1, 2]
run("integers in blocks", [helper.make_node("DequantizeLinear", ["x", "s", "z"], ["y"], axis=1, block_size=2)], whole,
    {"s": by, "z": zeros}, (whole.astype("f") - zeros[:, spread]) * by[:, spread], 0, 255)
