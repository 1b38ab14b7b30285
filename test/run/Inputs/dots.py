"""dots.py SDC SD_RUN DIR: products of two computed matrices in all layouts, in secure runs against doubles. A line a form:
which op they became, and "ok" or how far they are off."""
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SDC, SD_RUN, DIR = sys.argv[1:]
WIDTH, RECORDS = 960, 2
random = np.random.default_rng(9)


def check(name, left, right, node, meaning, *options):
    """`left`, `right`: shapes that x is cut into, from its start and from its end; `meaning`: node's, of one record."""
    sizes = [int(np.prod(shape)) for shape in (left, right)]
    constants = {"one": [0], "a_end": [sizes[0]], "b_start": [WIDTH - sizes[1]], "all": [WIDTH], "axis": [1],
                 "left": left, "right": right}
    nodes = [helper.make_node("Slice", ["x", "one", "a_end", "axis"], ["a1"]),
             helper.make_node("Slice", ["x", "b_start", "all", "axis"], ["b1"]),
             helper.make_node("Reshape", ["a1", "left"], ["a"]), helper.make_node("Reshape", ["b1", "right"], ["b"]), node]
    records = random.uniform(-1, 1, (RECORDS, WIDTH)).astype("f")
    values = records.astype("d")
    wanted = np.stack([meaning(v[:sizes[0]].reshape(left), v[WIDTH - sizes[1]:].reshape(right)) for v in values])
    info = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "dots", [info("x", TensorProto.FLOAT, [1, WIDTH])],
                              [info("y", TensorProto.FLOAT, list(wanted.shape[1:]))],
                              [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in constants.items()])
    stem = f"{DIR}/{name.replace(' ', '-')}"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), f"{stem}.onnx")
    np.save(f"{stem}.npy", records)
    subprocess.run([SDC, "compile", f"{stem}.onnx", "-o", f"{stem}.sdb", "--input-range=-1,1"], check=True,
                   stderr=subprocess.DEVNULL)
    said = subprocess.run([SDC, "inspect", f"{stem}.sdb"], check=True, capture_output=True, text=True).stdout
    op = "matrices" if "= share.dot" in said else "elements"
    subprocess.run([SD_RUN, "--local", f"{stem}.sdb", "--input", f"{stem}.npy", "--output", f"{stem}-out.npy", *options],
                   check=True, stdout=subprocess.DEVNULL)
    worst = np.abs(np.load(f"{stem}-out.npy").reshape(wanted.shape) - wanted).max()
    print(f"{name}: {op},", "ok" if worst < 0.02 else f"off by {worst:.3g}")


def product(name, left, right, *options):
    check(name, left, right, helper.make_node("MatMul", ["a", "b"], ["y"]), lambda a, b: a @ b, *options)


def sums(name, left, right, equation, *options):
    check(name, left, right, helper.make_node("Einsum", ["a", "b"], ["y"], equation=equation),
          lambda a, b: np.einsum(equation, a, b), *options)


DEALER = "--preprocess", "dealer"
product("one matrix", (1, 30, 20), (1, 20, 30))
product("small", (1, 4, 5), (1, 5, 3), *DEALER)
product("batch", (1, 2, 30, 10), (1, 2, 10, 40), *DEALER)
product("one right for all", (1, 3, 20, 12), (1, 1, 12, 30), *DEALER)
product("one left for all", (1, 1, 30, 10), (1, 4, 10, 20), *DEALER)
product("batches of both", (1, 3, 1, 20, 8), (1, 1, 4, 8, 20), *DEALER)
sums("queries by keys", (1, 30, 2, 12), (1, 40, 2, 12), "bqhd,bkhd->bhqk")
sums("weights by values", (1, 2, 30, 15), (1, 15, 2, 30), "bhqk,bkhd->bqhd", *DEALER)
sums("outer", (1, 45), (1, 50), "bi,bj->bij", *DEALER)
sums("turned result", (1, 40, 12), (1, 30, 12), "bmk,bnk->bnm", *DEALER)
