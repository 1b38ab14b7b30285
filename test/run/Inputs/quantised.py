"""quantised.py records.npy DIR: what quantised.onnxtext means, with and without its roundings, against DIR/NAME.npy."""
import sys

import numpy as np

x = np.load(sys.argv[1]).astype("d").reshape(-1, 2, 2, 3)


def network(rounding):
    def put(t, scale, zero):
        integers = np.clip((np.round if rounding else np.asarray)(t / scale) + zero, 0, 255)
        return (integers - zero) * scale

    k = np.reshape([20, -30, 50, 10, 5, 60, -70, 40], (2, 2, 2)) * np.reshape([0.01, 0.02], (2, 1, 1))
    q = put(x, 0.02, 128)
    bias = np.array([100 * 0.01, -200 * 0.02]) * 0.02
    c = put(np.einsum("mcj,nchwj->nmhw", k, np.stack([q[..., 0:2], q[..., 1:3]], -1)) + bias[None, :, None, None], 0.03, 120)
    leaky = put(np.where(c >= 0, c, 0.1 * c), 0.025, 20)
    gate = put(1 / (1 + np.exp(-leaky)), 1 / 256, 0)
    m = put(leaky * gate, 0.02, 30)
    a = put(c + m, 0.05, 100)
    joined = put(np.concatenate([leaky, m, a], 1), 0.04, 110)
    flat = put(put(a.mean(2, keepdims=True), 0.04, 90).mean((2, 3)), 0.04, 90)
    w = np.reshape([10, 20, -30, 40, 50, -60], (3, 2)) * np.reshape([0.01, 0.02, 0.03], (3, 1))
    raw = flat @ w.T + np.array([50 * 0.01, -60 * 0.02, 70 * 0.03]) * 0.04
    u = np.reshape([30, -40, 20, 60], (2, 2)) * 0.02
    return {"joined": joined, "raw": raw, "scores": put(0.5 * (flat @ u + np.array([10, 20]) * 0.04 * 0.02), 0.05, 64)}


APPROXIMATION, UNIT = 2**-8, 2**-10
ROUNDED = {"joined": 0.12, "raw": 0.4, "scores": 0.2}  # half a unit of every scale on the way, times the weights after it
rounded, exact = network(True), network(False)
for name, wanted in exact.items():
    got = np.load(f"{sys.argv[2]}/{name}.npy").reshape(wanted.shape)
    worst = np.max(np.abs(got - wanted)) / (4 * APPROXIMATION + 16 * UNIT)
    near = np.max(np.abs(got - rounded[name])) < ROUNDED[name]
    print(name, "ok" if worst <= 1 and near and np.ptp(wanted) > 0.5 else f"off by {worst:.3g} times what is allowed, near {near}")
