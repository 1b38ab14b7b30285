#!/usr/bin/python3
"""show.py MODEL RECORDS LABELS DIAGNOSES STATS: prints secure diagnoses beside those of the plaintext model."""
import csv
import json
import sys

import numpy as np
import onnx
from onnx import numpy_helper


def plaintext(path, x):
    """The network of train.py in float64: Sub and Div, Gemm and Relu by turns, then Softmax."""
    graph = onnx.load(path).graph
    constants = {t.name: numpy_helper.to_array(t).astype(np.float64) for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "Sub":
            x = x - constants[node.input[1]]
        elif node.op_type == "Div":
            x = x / constants[node.input[1]]
        elif node.op_type == "Gemm":
            x = x @ constants[node.input[1]] + constants[node.input[2]]
        elif node.op_type == "Relu":
            x = np.maximum(x, 0)
        elif node.op_type == "Softmax":
            e = np.exp(x - x.max(axis=1, keepdims=True))
            x = e / e.sum(axis=1, keepdims=True)
        else:
            sys.exit(f"show.py: this model has a {node.op_type}")
    return x


model, records, labels, diagnoses, stats = sys.argv[1:]
with open(records) as file:
    x = np.array([line[1:] for line in list(csv.reader(file))[1:]], np.float64)
truth = np.load(labels)
plain, secure = plaintext(model, x), np.load(diagnoses).reshape(len(x), 2)
names = ["benign", "malignant"]


def told(p):
    return f"{names[int(p.argmax())]:<9} {p.max():.4f}"


print("record  truth      plaintext         secure            difference")
for i, (t, p, s) in enumerate(zip(truth, plain, secure)):
    print(f"{i:6}  {names[t]:<9}  {told(p):<16}  {told(s):<16}  {np.abs(p - s).max():.1e}")
same = (plain.argmax(1) == secure.argmax(1)).sum()
print(f"same diagnosis: {same} of {len(x)}; largest difference of a probability: {np.abs(plain - secure).max():.1e}")
with open(stats) as file:
    figures = json.load(file)
for phase in ("offline", "online"):
    f = figures[phase]
    print(f"{phase}: {f['seconds'] * 1e3:.1f} ms, {f['bytes_sent'] + f['bytes_received']:,} bytes in both directions")
sys.exit(0 if same == len(x) else 1)
