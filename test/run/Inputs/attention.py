"""attention.py record.npy DIR: what attention.onnxtext means, in doubles, against DIR/NAME.npy of each output."""
import sys

import numpy as np

x = np.load(sys.argv[1]).astype("d").reshape(12, 6)
wq = np.reshape([1, -1, 0.5, 0, 0, 1, 1, -0.5, 0.5, 0, -1, 1, -1, 0.5, 0, 1, 0, 0.5, 1, -1, 1, 1, 0, 0.5], (6, 4))
wk = np.reshape([0.5, 1, 0, -1, 1, 0, 0.5, 1, -1, 1, 0, 0, 0, -0.5, 1, 1, 1, 0.5, -1, 0, 0, 1, 0.5, -1], (6, 4))
wv = np.reshape([1, 0, 0, 0.5, 0, 1, 0.5, 0, 0, 0, 1, -0.5, 0.5, 0, 0, 1, 0, 0.5, -1, 0, 1, -1, 0, 0], (6, 4))


def softmax(t):
    e = np.exp(t - t.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


q, k, v = x @ wq, x @ wk, x @ wv
weights = softmax((v @ np.array([[1.5], [-2], [1], [0.5]])).T)
expected = {
    "own": softmax(q @ k.T / 2) @ v,
    "weights": weights,
    "bag": weights @ v,
    "gated": softmax(q) * v,
}
APPROXIMATION, UNIT = 2**-8, 2**-10
# A row's errors are of both signs, since its probabilities sum up to 1: their products with v do not add up.
for name, wanted in expected.items():
    got = np.load(f"{sys.argv[2]}/{name}.npy").reshape(wanted.shape)
    allowed = (APPROXIMATION + 4 * UNIT) * (1 if name == "weights" else np.abs(v).max())
    worst = np.max(np.abs(got - wanted)) / allowed
    print(name, "ok" if worst <= 1 else f"off by {worst:.3g} times what is allowed")
