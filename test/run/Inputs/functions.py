"""functions.py SDC SD_RUN DIR: functions inside a network, between two linear layers, in secure runs against doubles. A
line a formula: "ok", how far it is off in parts of the output's range, or the compiler's message; then what the hospital
learns, if that is more than the result."""
import subprocess
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SDC, SD_RUN, DIR = sys.argv[1:]
RECORDS, WIDTH = 5, 8
random = np.random.default_rng(11)
W = (random.normal(size=(WIDTH, WIDTH)) / 2).astype("f")
V = (random.normal(size=(WIDTH, 4)) / 2).astype("f")
KERNEL = (random.normal(size=(6, 3, 3, 3)) / 2).astype("f")


def compare(name, made, constants, shape, low, high, meaning, opset, outputs):
    info = helper.make_tensor_value_info
    graph = helper.make_graph(made, "functions", [info("x", TensorProto.FLOAT, [1, *shape])],
                              [info(output, TensorProto.FLOAT, None) for output in outputs],
                              [numpy_helper.from_array(np.asarray(v, "f"), k) for k, v in constants.items()])
    stem = f"{DIR}/{name.replace(' ', '-').replace('/', '-')}"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), f"{stem}.onnx")
    compiled = subprocess.run([SDC, "compile", f"{stem}.onnx", "-o", f"{stem}.sdb", f"--input-range={low},{high}"],
                              capture_output=True, text=True)
    if compiled.returncode:
        message = [line for line in compiled.stderr.splitlines() if "error: " in line or line.startswith("  node")]
        print(name, message[-1].strip())
        return
    records = random.uniform(low, high, (RECORDS, *shape)).astype("f")
    np.save(f"{stem}.npy", records)
    subprocess.run([SD_RUN, "--local", f"{stem}.sdb", "--input", f"{stem}.npy", "--preprocess", "dealer", "--output",
                    f"{stem}-out.npy"], check=True, stdout=subprocess.DEVNULL)
    wanted = meaning(records.astype("d"))
    worst = np.abs(np.load(f"{stem}-out.npy").reshape(wanted.shape) - wanted).max() / np.ptp(wanted)
    print(name, "ok" if worst < 0.01 else f"off by {worst:.3g}")
    for line in compiled.stderr.splitlines():
        if "hospital computes" in line:
            print(line)


def nodes(rows):
    return [helper.make_node(kind, inputs.split(), [output], **(attributes[0] if attributes else {}))
            for kind, inputs, output, *attributes in rows]


def check(name, formula, f, constants={}, opset=17, outputs=("y",), behind=(("MatMul", "g v", "y"),)):
    """`formula` makes 'g' of 'h'; `f`, the same of doubles."""
    made = nodes([("MatMul", "x w", "h"), *formula, *behind])
    meaning = (lambda x: f(x @ W) @ V) if behind else lambda x: f(x @ W)
    compare(name, made, {"w": W, "v": V, "one": 1, **constants}, [WIDTH], -1, 1, meaning, opset, outputs)


check("exp", [("Exp", "h", "g")], np.exp)
check("gaussian", [("Mul", "h h", "q"), ("Neg", "q", "m"), ("Exp", "m", "g")], lambda h: np.exp(-h * h))
check("swish", [("Neg", "h", "m"), ("Exp", "m", "e"), ("Add", "e one", "d"), ("Div", "h d", "g")], lambda h: h / (1 + np.exp(-h)))
check("tanh", [("Exp", "h", "a"), ("Neg", "h", "m"), ("Exp", "m", "b"), ("Sub", "a b", "u"), ("Add", "a b", "t"), ("Div", "u t", "g")],
      np.tanh)
check("softplus", [("Exp", "h", "a"), ("Add", "a one", "b"), ("Log", "b", "g")], lambda h: np.log1p(np.exp(h)))
check("root of squares", [("Mul", "h h", "q"), ("Add", "q one", "d"), ("Sqrt", "d", "s"), ("Div", "h s", "g")],
      lambda h: h / np.sqrt(1 + h * h))
check("reciprocal", [("Mul", "h h", "q"), ("Add", "q one", "d"), ("Reciprocal", "d", "g")], lambda h: 1 / (1 + h * h))
check("quotient", [("Mul", "h h", "q"), ("Add", "q one", "d"), ("Div", "h d", "g")], lambda h: h / (1 + h * h))
check("sqrt of relu", [("Relu", "h", "r"), ("Sqrt", "r", "g")], lambda h: np.sqrt(np.maximum(h, 0)))
check("log of relu", [("Relu", "h", "r"), ("Add", "r one", "s"), ("Log", "s", "g")], lambda h: np.log1p(np.maximum(h, 0)))
check("pow 1.5", [("Relu", "h", "r"), ("Pow", "r p", "g")], lambda h: np.maximum(h, 0) ** 1.5, {"p": 1.5})
check("pow 5", [("Pow", "h p", "g")], lambda h: h**5, {"p": 5})
check("pow -2", [("Mul", "h h", "q"), ("Add", "q one", "d"), ("Pow", "d p", "g")], lambda h: (1 + h * h) ** -2.0, {"p": -2})
check("times its exp", [("Exp", "h", "e"), ("Mul", "e h", "g")], lambda h: h * np.exp(h))
check("another gate", [("Exp", "h", "e"), ("MatMul", "e w", "t"), ("Mul", "t h", "g")], lambda h: (np.exp(h) @ W) * h)
check("share of a sum", [("Relu", "h", "r"), ("ReduceSum", "r", "t", {"keepdims": 1}), ("Add", "t one", "d"), ("Div", "r d", "g")],
      lambda h: np.maximum(h, 0) / (1 + np.maximum(h, 0).sum(-1, keepdims=True)))
check("atan", [("Atan", "h", "g")], np.arctan)
check("in the clear", [("Exp", "h", "y")], np.exp, behind=())
check("log", [("Log", "h", "g")], np.log)
check("sqrt", [("Sqrt", "h", "g")], np.sqrt)
check("share without a least sum", [("Relu", "h", "r"), ("ReduceSum", "r", "t", {"keepdims": 1}), ("Div", "r t", "g")], None)
check("sin", [("Sin", "h", "g")], np.sin)
check("floor", [("Floor", "h", "g")], np.floor)


def lrn(x, size, alpha, beta, bias):
    sums = np.stack([(x[:, max(c - (size - 1) // 2, 0):c + size // 2 + 1] ** 2).sum(1) for c in range(x.shape[1])], 1)
    return x / (bias + alpha / size * sums) ** beta


def features(x):
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    out = sum(np.einsum("nchw,oc->nohw", padded[:, :, i:i + 4, j:j + 4], KERNEL[:, :, i, j].astype("d"))
              for i in range(3) for j in range(3))
    return np.maximum(out, 0)


for name, size, alpha, beta, bias, most in (("lrn of AlexNet", 5, 1e-4, 0.75, 1.0, 128), ("lrn 4", 4, 1.0, 0.5, 2.0, 1),
                                            ("lrn 1", 1, 0.1, 1.0, 1.0, 1)):
    made = nodes([("Conv", "x k", "c", {"pads": [1, 1, 1, 1]}), ("Relu", "c", "r"),
                  ("LRN", "r", "l", {"size": size, "alpha": alpha, "beta": beta, "bias": bias}), ("Flatten", "l", "f"),
                  ("MatMul", "f d", "y")])
    dense = (random.normal(size=(96, 3)) / 10).astype("f")
    compare(name, made, {"k": KERNEL, "d": dense}, [3, 4, 4], -most, most,
            lambda x: lrn(features(x), size, alpha, beta, bias).reshape(len(x), -1) @ dense, 13, ["y"])
made = nodes([("LRN", "x", "y", {"size": 3, "bias": 0.0})])
compare("lrn without bias", made, {}, [3, 4, 4], -1, 1, None, 13, ["y"])
