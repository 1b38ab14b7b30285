#!/usr/bin/python3
"""train.py FOLDER W.npz [NAMES]: trains the paper's networks of dense layers (m1, bc, di, li, th; all by default) on the original files in
FOLDER, and writes their weights for run.sh --weights W.npz. README.md lists the files. Package: python3-sklearn.
"""
import sys
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

import records

HIDDEN = {"m1": (128, 128), "bc": (16, 16), "di": (20, 20), "li": (32, 32), "th": (100, 100)}
PASSES = {"m1": 12, "th": 200}  # the small sets have few records: 400

if len(sys.argv) not in (3, 4):
    sys.exit(__doc__)
folder, target = sys.argv[1:3]
names = sys.argv[3].split(",") if len(sys.argv) == 4 else list(HIDDEN)
if not set(names) <= set(HIDDEN):
    sys.exit(f"train.py: networks are {', '.join(HIDDEN)}")
warnings.simplefilter("ignore", ConvergenceWarning)  # so many passes are meant
weights = {}
for name in names:
    found = records.training(name, folder)
    if found is None:
        print(f"{name}: its training files are not in {folder}")
        continue
    x, y = found[0] / np.float32(255), found[1]
    network = MLPClassifier(HIDDEN[name], alpha=0.01, batch_size=64, max_iter=PASSES.get(name, 400), random_state=0).fit(x, y)
    layers = list(zip(network.coefs_, network.intercepts_))
    if network.n_outputs_ == 1:  # one logit z; [-z/2, z/2] has the same softmax
        w, b = layers[-1]
        layers[-1] = np.concatenate([-w / 2, w / 2], axis=1), np.concatenate([-b / 2, b / 2])
    for number, (w, b) in enumerate(layers):
        weights |= {f"{name}.w{number}": w.T.astype(np.float16), f"{name}.b{number}": b.astype(np.float16)}
    print(f"{name}: {100 * network.score(x, y):.1f} % of {len(y)} training records right")
if not weights:
    sys.exit("train.py: nothing to learn from")
np.savez_compressed(target, **weights)
