"""top-k.py make X.npy: records for top-k.onnxtext, with ties; top-k.py DIR: its outputs against DIR/NAME.npy."""
import pathlib
import sys

import numpy as np

if sys.argv[1] == "make":
    rows = [[0, 0, 0], [1, 1, 1], [2, -1, 3]]
    rows += np.random.default_rng(3).integers(-2, 3, (20, 3)).tolist()
    np.save(sys.argv[2], np.array(rows, "f"))
    sys.exit()
folder = pathlib.Path(sys.argv[1])
x = np.load(folder / "x.npy")
y = x @ np.array([[1, 0, 1, -1, 2], [0, 1, 0, 1, 1], [1, 1, 1, 0, -2]], "f")
most, least = np.argsort(-y, kind="stable")[:, :3], np.argsort(y, kind="stable")[:, :2]
expected = {
    "v": np.take_along_axis(y, most, 1),
    "i": most,
    "lv": np.take_along_axis(y, least, 1),
    "li": least,
}
for name in sys.argv[2:]:
    got = np.load(folder / f"{name}.npy").reshape(len(x), -1)
    print(name, "ok" if np.array_equal(got, expected[name]) else f"is {got}, not {expected[name]}")
