"""masks.py SDC SD_RUN DIR: softmaxes of masked scores as exporters write them, in secure runs against doubles. A line a
form: "ok", how far it is off, or the compiler's message."""
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SDC, SD_RUN, DIR = sys.argv[1:]
LENGTH, WIDTH, RECORDS = 6, 4, 5
random = np.random.default_rng(5)
Q, K, V = ((random.normal(size=(WIDTH, WIDTH)) / 2).astype("f") for _ in range(3))
LOWER = np.tril(np.ones((LENGTH, LENGTH), bool))
INF = np.float32(np.inf)


def softmax(scores):
    e = np.exp(scores - scores.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def check(name, nodes, constants, meaning, opset=17):
    """`nodes` make 'weights' of 'scores'; `meaning`, the same in doubles."""
    before = [("MatMul", "x q", "a"), ("MatMul", "x k", "b"), ("Transpose", "b", "bt"), ("MatMul", "a bt", "scores")]
    behind = [("MatMul", "x v", "c"), ("MatMul", "weights c", "y")]
    made = []
    for kind, inputs, output, *attributes in before + nodes + behind:
        made.append(helper.make_node(kind, inputs.split(), [output], **(attributes[0] if attributes else {})))
    made[2].attribute.append(helper.make_attribute("perm", [0, 2, 1]))
    constants = {"q": Q, "k": K, "v": V, **constants}
    info = helper.make_tensor_value_info
    graph = helper.make_graph(made, "masked", [info("x", TensorProto.FLOAT, [1, LENGTH, WIDTH])],
                              [info("y", TensorProto.FLOAT, [1, LENGTH, WIDTH])],
                              [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()])
    stem = f"{DIR}/{name.replace(' ', '-')}"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), f"{stem}.onnx")
    compiled = subprocess.run([SDC, "compile", f"{stem}.onnx", "-o", f"{stem}.sdb", "--input-range=-2,2"],
                              capture_output=True, text=True)
    if compiled.returncode:
        print(name, compiled.stderr.split("\n  ")[-1].strip())
        return
    records = random.uniform(-2, 2, (RECORDS, LENGTH, WIDTH)).astype("f")
    np.save(f"{stem}.npy", records)
    subprocess.run([SD_RUN, "--local", f"{stem}.sdb", "--input", f"{stem}.npy", "--preprocess", "dealer", "--output",
                    f"{stem}-out.npy"], check=True, stdout=subprocess.DEVNULL)
    x = records.astype("d")
    wanted = meaning((x @ Q) @ np.swapaxes(x @ K, 1, 2)) @ (x @ V)
    worst = np.abs(np.load(f"{stem}-out.npy").reshape(wanted.shape) - wanted).max()
    print(name, "ok" if worst < 0.02 else f"off by {worst:.3g}")


SOFT = ("Softmax", "masked", "weights", {"axis": -1})
for name, low in ("minus infinity", -INF), ("the least float", np.finfo("f").min), ("-10000", np.float32(-1e4)):
    causal = np.where(LOWER, np.float32(0), low)
    check(f"causal {name}", [("Add", "scores m", "masked"), SOFT], {"m": causal}, lambda s: softmax(np.where(LOWER, s, -INF)))
    check(f"chosen {name}", [("Where", "keep scores low", "masked"), SOFT], {"keep": LOWER, "low": low},
          lambda s: softmax(np.where(LOWER, s, -INF)))
check("left out", [("Where", "drop low scores", "masked"), SOFT], {"drop": ~LOWER, "low": np.float32(-1e9)},
      lambda s: softmax(np.where(LOWER, s, -INF)))
BIAS = random.normal(size=(LENGTH, LENGTH)).astype("f")
check("bias and mask", [("Add", "scores bias", "s1"), ("Add", "m s1", "masked"), SOFT],
      {"bias": BIAS, "m": np.where(LOWER, np.float32(0), np.float32(-1e9))}, lambda s: softmax(np.where(LOWER, s + BIAS, -INF)))
check("taken away", [("Sub", "scores m", "masked"), SOFT], {"m": np.where(LOWER, np.float32(0), np.float32(1e9))},
      lambda s: softmax(np.where(LOWER, s, -INF)))
PAD = np.array([0, 0, 0, 0, -1e4, -1e4], "f")
check("padding", [("Add", "scores m", "masked"), SOFT], {"m": PAD}, lambda s: softmax(np.where(PAD == 0, s, -INF)))
check("opset 11", [("Add", "scores m", "masked"), ("Softmax", "masked", "weights", {"axis": 2})], {"m": PAD},
      lambda s: softmax(np.where(PAD == 0, s, -INF)), opset=11)
check("two masks", [("Add", "scores m", "s1"), ("Where", "keep s1 low", "masked"), SOFT],
      {"m": PAD, "keep": LOWER, "low": np.float32(-1e9)}, lambda s: softmax(np.where(LOWER & (PAD == 0), s, -INF)))
check("in heads", [("Reshape", "scores four", "s4"), ("Add", "s4 m", "s5"), ("Softmax", "s5", "w4", {"axis": -1}),
                   ("Reshape", "w4 three", "weights")],
      {"m": np.where(LOWER, np.float32(0), -INF)[None, None], "four": np.array([1, 1, LENGTH, LENGTH]),
       "three": np.array([1, LENGTH, LENGTH])}, lambda s: softmax(np.where(LOWER, s, -INF)))
check("along columns", [("Add", "scores m", "masked"), ("Softmax", "masked", "weights", {"axis": 1})],
      {"m": np.where(LOWER.T, np.float32(0), -INF)},
      lambda s: np.swapaxes(softmax(np.swapaxes(np.where(LOWER.T, s, -INF), 1, 2)), 1, 2))
check("all left out", [("Where", "keep scores low", "masked"), SOFT],
      {"keep": np.zeros((LENGTH, LENGTH), bool), "low": np.float32(-1e9)}, lambda s: np.full_like(s, 1 / LENGTH))
check("turned", [("Add", "scores m", "masked"), ("Transpose", "masked", "t1", {"perm": [1, 0, 2]}),
                 ("Softmax", "t1", "t2", {"axis": 2}), ("Transpose", "t2", "weights", {"perm": [1, 0, 2]})],
      {"m": np.where(LOWER, np.float32(0), -INF)}, lambda s: softmax(np.where(LOWER, s, -INF)))
check("no position", [("Add", "scores m", "masked"), SOFT], {"m": np.full((LENGTH, LENGTH), -INF)}, softmax)
check("no softmax", [("Add", "scores m", "weights")], {"m": np.where(LOWER, np.float32(0), -INF)}, None)
check("no softmax, chosen", [("Where", "keep scores low", "weights")], {"keep": LOWER, "low": -INF}, None)
check("another use", [("Add", "scores m", "masked"), ("Softmax", "masked", "w", {"axis": -1}), ("Relu", "masked", "r"),
                      ("Add", "w r", "weights")], {"m": np.where(LOWER, np.float32(0), -INF)},
      lambda s: softmax(np.where(LOWER, s, -INF)) + np.maximum(np.where(LOWER, s, 0), 0))
