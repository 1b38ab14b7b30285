"""fused.py records.npy DIR: what fused.onnxtext means, in doubles, against DIR/NAME.npy of each output."""
import math
import sys

import numpy as np

x = np.load(sys.argv[1]).astype("d").reshape(-1, 1, 2, 3)
w = np.reshape([1, -0.5, 0.25, 0.75], (2, 2))
c = np.einsum("mj,nhwj->nmhw", w, np.stack([x[:, 0, :, 0:2], x[:, 0, :, 1:3]], -1)) + np.reshape([0.1, -0.2], (2, 1, 1))
flat = x.reshape(-1, 6)
u = np.reshape([1, 2, -1, 0.5, 0.25, -2, -1, 1, 0.5, 0.5, -0.25, 1], (2, 6))
s = flat @ u.T
t = s + [0.5, -0.5]
v = np.reshape([1, -1, 0.5, 0.5, 0.25, -1], (2, 3))
expected = {
    "c": np.where(c >= 0, c, 0.25 * c),
    "g": np.maximum(t, 0),
    "m": 0.5 * (x.reshape(-1, 2, 3) @ v.T),
    "b": t * 0.5 * (1 + np.vectorize(math.erf)(t / math.sqrt(2))),
    "f": t * 0.5 * (1 + np.tanh(math.sqrt(2 / math.pi) * (t + 0.044715 * t**3))),
    "k": s / (1 + np.exp(-1.5 * s)),
}
APPROXIMATION, UNIT = 2**-8, 2**-10
for name, wanted in expected.items():
    got = np.load(f"{sys.argv[2]}/{name}.npy").reshape(wanted.shape)
    allowed = 8 * UNIT + (APPROXIMATION if name in "bfk" else 0)
    worst = np.max(np.abs(got - wanted)) / allowed
    print(name, "ok" if worst <= 1 else f"off by {worst:.3g} times what is allowed")
