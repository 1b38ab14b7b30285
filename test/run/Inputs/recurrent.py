"""Writes a model of two recurrent layers, records and what it makes of them by the operators' text; compares results."""
import sys

import numpy as np

STEPS, FEATURES, HIDDEN, CLASSES = 6, 3, 4, 2


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(x, w, r, b):
    h = c = np.zeros(HIDDEN)
    states = []
    for row in x:
        i, o, f, g = np.split(w @ row + r @ h + b[: 4 * HIDDEN] + b[4 * HIDDEN :], 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        states.append(h)
    return np.array(states)


def gru(x, w, r, b):
    h = np.zeros(HIDDEN)
    for row in x:
        zi, ri, ni = np.split(w @ row + b[: 3 * HIDDEN], 3)
        zs, rs, ns = np.split(r @ h + b[3 * HIDDEN :], 3)
        z, n = sigmoid(zi + zs), np.tanh(ni + sigmoid(ri + rs) * ns)
        h = (1 - z) * n + z * h
    return h


def write(folder):
    draw = np.random.default_rng(3)
    weights = {
        name: draw.uniform(-0.7, 0.7, shape).round(3)
        for name, shape in {
            "w1": (2, 4 * HIDDEN, FEATURES), "r1": (2, 4 * HIDDEN, HIDDEN), "b1": (2, 8 * HIDDEN),
            "w2": (1, 3 * HIDDEN, 2 * HIDDEN), "r2": (1, 3 * HIDDEN, HIDDEN), "b2": (1, 6 * HIDDEN),
            "w3": (HIDDEN, CLASSES),
        }.items()
    }
    text = "".join(
        f"  {name} = Constant <value = float[{', '.join(map(str, v.shape))}] {{{', '.join(map(str, v.ravel()))}}}> ()\n"
        for name, v in weights.items()
    )
    with open(f"{folder}/model.onnxtext", "w") as file:
        file.write(
            f"""<ir_version: 8, opset_import: ["" : 14]>
net (float[{STEPS}, 1, {FEATURES}] x) => (float[1, {CLASSES}] y) {{
{text}  both = LSTM <hidden_size = {HIDDEN}, direction = "bidirectional"> (x, w1, r1, b1)
  turned = Transpose <perm = [0, 2, 1, 3]> (both)
  shape = Constant <value = int64[3] {{0, 0, -1}}> ()
  rows = Reshape (turned, shape)
  states, last = GRU <hidden_size = {HIDDEN}, linear_before_reset = 1> (rows, w2, r2, b2)
  flat = Constant <value = int64[2] {{1, -1}}> ()
  state = Reshape (last, flat)
  y = MatMul (state, w3)
}}
"""
        )
    x = draw.uniform(-2, 2, (STEPS, 1, FEATURES)).astype("f4")
    v = {name: value.astype(float) for name, value in weights.items()}
    rows = x[:, 0, :].astype(float)
    forward = lstm(rows, v["w1"][0], v["r1"][0], v["b1"][0])
    backward = lstm(rows[::-1], v["w1"][1], v["r1"][1], v["b1"][1])[::-1]
    y = gru(np.concatenate([forward, backward], 1), v["w2"][0], v["r2"][0], v["b2"][0]) @ v["w3"]
    np.save(f"{folder}/x.npy", x)
    np.save(f"{folder}/want.npy", y[None])


if sys.argv[1] == "write":
    write(sys.argv[2])
else:
    error = np.abs(np.load(f"{sys.argv[2]}/y.npy") - np.load(f"{sys.argv[2]}/want.npy")).max()
    print("ok" if error < 0.02 else f"off by {error}")
