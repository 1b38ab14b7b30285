"""losses.py SDC SD_RUN DIR: losses of many constant targets, in secure runs against doubles. A line a form: "ok", how far it is
off, or the compiler's message."""
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SDC, SD_RUN, DIR = sys.argv[1:]
N, CLASSES, INNER = 40, 5, 50
random = np.random.default_rng(3)
TARGETS = random.integers(0, CLASSES, (N, INNER))
WEIGHTS = random.uniform(0.2, 2, CLASSES).astype("f")


def check(name, op, reduction, weighted=False, ignored=None, targets=TARGETS):
    constants = {"t": targets} | ({"w": WEIGHTS} if weighted else {})
    attributes = {"reduction": reduction} | ({} if ignored is None else {"ignore_index": ignored})
    x = random.uniform(-3, 0, (2, N, CLASSES, INNER)).astype("f")
    wanted = []
    for each in x.astype("d"):
        if op == "SoftmaxCrossEntropyLoss":
            each = each - np.log(np.exp(each).sum(1, keepdims=True))
        kept = np.ones_like(targets, bool) if ignored is None else targets != ignored
        weights = kept * (WEIGHTS.astype("d")[targets % CLASSES] if weighted else 1.0)
        losses = -np.take_along_axis(each, targets[:, None] % CLASSES, 1)[:, 0] * weights
        wanted.append({"none": losses, "sum": losses.sum(), "mean": losses.sum() / weights.sum()}[reduction])
    wanted = np.array(wanted)
    info = helper.make_tensor_value_info
    graph = helper.make_graph([helper.make_node(op, ["x", *constants], ["y"], **attributes)], "loss",
                              [info("x", TensorProto.FLOAT, list(x.shape[1:]))],
                              [info("y", TensorProto.FLOAT, list(wanted.shape[1:]))],
                              [numpy_helper.from_array(v, k) for k, v in constants.items()])
    stem = f"{DIR}/{name.replace(' ', '-')}"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), f"{stem}.onnx")
    compiled = subprocess.run([SDC, "compile", f"{stem}.onnx", "-o", f"{stem}.sdb", "--input-range=-3,0"],
                              capture_output=True, text=True)
    if compiled.returncode:
        print(name, compiled.stderr.split("\n  ")[-1].strip())
        return
    np.save(f"{stem}.npy", x)
    subprocess.run([SD_RUN, "--local", f"{stem}.sdb", "--input", f"{stem}.npy", "--preprocess", "dealer", "--output",
                    f"{stem}-out.npy"], check=True, stdout=subprocess.DEVNULL)
    worst = np.abs(np.load(f"{stem}-out.npy").reshape(wanted.shape) / wanted - 1).max() if reduction != "none" else np.abs(
        np.load(f"{stem}-out.npy").reshape(wanted.shape) - wanted).max()
    print(name, "ok" if worst < 0.01 else f"off by {worst:.3g}")


NLL, CROSS = "NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss"
check("mean", NLL, "mean")
check("weighted mean", NLL, "mean", weighted=True)
check("some ignored", NLL, "mean", weighted=True, ignored=2)
check("sum", NLL, "sum", ignored=1)
check("each", NLL, "none", weighted=True)
check("cross entropy", CROSS, "mean")
check("cross entropy of each", CROSS, "none", ignored=0)
check("weights in the clear", CROSS, "mean", weighted=True)
check("unknown class", NLL, "mean", targets=TARGETS + 1)
check("all ignored", NLL, "mean", ignored=7, targets=np.full_like(TARGETS, 7))
