#!/usr/bin/python3
"""Trains the example's model on the Wisconsin breast cancer data that scikit-learn ships, and writes

    model.onnx    a 30-16-16-2 network with ReLU and Softmax; class 1 is malignant
    records.npy   twelve records that the training never saw, six of each kind, scaled to [0, 1]
    patient.csv   the first of them alone
    labels.npy    their diagnoses
    scaling.csv   name, low and high of each measurement: a hospital scales its records with them

Packages: python3-sklearn, python3-onnx. The results depend on their versions in the last digits, so they are committed.
"""
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.neural_network import MLPClassifier

os.chdir(os.path.dirname(os.path.abspath(__file__)))

data = load_breast_cancer()
malignant = (data.target == 0).astype(np.int64)
train_raw, test_raw, train_y, test_y = train_test_split(
    data.data, malignant, test_size=0.2, stratify=malignant, random_state=0)

# Ranges from the training records alone; what lies outside is clipped, so that the declared range [0, 1] holds.
low, high = np.percentile(train_raw, [0.5, 99.5], axis=0)


def scale(raw):
    return np.clip((raw - low) / (high - low), 0, 1).astype(np.float32)


train_x, test_x = scale(train_raw), scale(test_raw)


def make(alpha):
    return MLPClassifier((16, 16), alpha=alpha, learning_rate_init=0.005, max_iter=1000, random_state=1)


# The weight decay with the best cross-validated accuracy on the training records.
alpha = max([0.03, 0.1, 0.3, 1.0], key=lambda a: cross_val_score(make(a), train_x, train_y, cv=5).mean())
network = make(alpha).fit(train_x, train_y)
print(f"weight decay {alpha}, accuracy {network.score(train_x, train_y):.4f} on {len(train_y)} training records, "
      f"{network.score(test_x, test_y):.4f} on {len(test_y)} others")

# scikit-learn's last layer is one logit z; [-z/2, z/2] has the same softmax.
weights = [w.astype(np.float32) for w in network.coefs_]
biases = [b.astype(np.float32) for b in network.intercepts_]
weights[-1] = np.concatenate([-weights[-1] / 2, weights[-1] / 2], axis=1)
biases[-1] = np.concatenate([-biases[-1] / 2, biases[-1] / 2])

nodes, initializers, value = [], [], "measurements"
for i, (w, b) in enumerate(zip(weights, biases)):
    initializers += [numpy_helper.from_array(w, f"w{i}"), numpy_helper.from_array(b, f"b{i}")]
    nodes.append(helper.make_node("Gemm", [value, f"w{i}", f"b{i}"], [f"gemm{i}"], f"Gemm_{i}"))
    value = f"gemm{i}"
    if i + 1 < len(weights):
        nodes.append(helper.make_node("Relu", [value], [f"relu{i}"], f"Relu_{i}"))
        value = f"relu{i}"
nodes.append(helper.make_node("Softmax", [value], ["diagnosis"], "Softmax", axis=1))
graph = helper.make_graph(
    nodes, "breast_cancer",
    [helper.make_tensor_value_info("measurements", TensorProto.FLOAT, [1, 30])],
    [helper.make_tensor_value_info("diagnosis", TensorProto.FLOAT, [1, 2])], initializers)
model = helper.make_model(graph, producer_name="train.py", opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
onnx.checker.check_model(model)
onnx.save(model, "model.onnx")

shown = np.sort(np.concatenate([np.flatnonzero(test_y == c)[:6] for c in (0, 1)]))
np.save("records.npy", test_x[shown])
np.save("labels.npy", test_y[shown])
np.savetxt("patient.csv", test_x[shown[:1]], fmt="%.7g", delimiter=",")
with open("scaling.csv", "w") as out:
    for name, lo, hi in zip(data.feature_names, low, high):
        out.write(f"{name},{lo:.7g},{hi:.7g}\n")
