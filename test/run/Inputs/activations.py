"""activations.py record.npy DIR: what activations.onnxtext means, in doubles, against DIR/NAME.npy of each output."""
import math
import sys

import numpy as np

x = np.load(sys.argv[1]).astype("d").reshape(1, 2, 4, 4)
w = np.array([[2, -1], [1, 1.5]])
v = np.einsum("oi,nihw->nohw", w, x)


def sigmoid(t):
    return 1 / (1 + np.exp(-t))


erf = np.vectorize(math.erf)
softplus = np.log1p(np.exp(-np.abs(v))) + np.maximum(v, 0)
elu = np.where(v > 0, v, np.expm1(v))
gate = sigmoid(np.einsum("oi,ni->no", w, v.mean((2, 3))))
expected = {
    "tanh": np.tanh(v),
    "sigmoid": sigmoid(v) + np.array([0.25, -0.25]).reshape(1, 2, 1, 1),
    "silu": v * sigmoid(v),
    "gelu": v / 2 * (1 + erf(v / math.sqrt(2))),
    "mish": v * np.tanh(softplus),
    "softplus": softplus,
    "elu": elu,
    "selu": 1.05070102 * np.where(v > 0, v, 1.67326319 * np.expm1(v)),
    "hardswish": v * np.clip(v / 6 + 0.5, 0, 1),
    "leaky": np.where(v > 0, v, v / 4),
    "square": v * v,
    "gated": v * gate[:, :, None, None],
}
APPROXIMATION, UNIT = 2**-8, 2**-10
smooth = {"tanh", "sigmoid", "silu", "gelu", "mish", "softplus", "elu", "selu", "gated"}
for name, wanted in expected.items():
    got = np.load(f"{sys.argv[2]}/{name}.npy").reshape(wanted.shape)
    # Rounding of v and of the result, v's error times what it is multiplied by, and that of a gate.
    allowed = 6 * UNIT * (1 + np.abs(v)) + (APPROXIMATION if name in smooth else 0) * (
        np.abs(v) if name == "gated" else 1
    )
    worst = np.max(np.abs(got - wanted) / allowed)
    print(name, "ok" if worst <= 1 else f"off by {worst:.3g} times what is allowed")
