#!/usr/bin/python3
"""Trains the example's model on the Wisconsin breast cancer data that scikit-learn ships, and writes

    model.onnx    a 30-16-16-2 network with ReLU and Softmax, behind a normalisation of the measurements
    schema.json   what its numbers mean: names, units and ranges of the measurements, names of the classes
    records.csv   twelve records that the training never saw, six of each kind, with names
    patient.csv   the first of them alone, its columns in alphabetical order
    labels.npy    their diagnoses: 0 benign, 1 malignant

Packages: python3-sklearn, python3-onnx. The results depend on their versions in the last digits, so they are committed.
"""
import json
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

# The normalisation comes from the training records alone, and is the model's first two nodes.
mean, deviation = train_raw.mean(axis=0).astype(np.float32), train_raw.std(axis=0).astype(np.float32)


def normalized(raw):
    return ((raw - mean) / deviation).astype(np.float32)


train_x, test_x = normalized(train_raw), normalized(test_raw)


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

initializers = [numpy_helper.from_array(mean, "mean"), numpy_helper.from_array(deviation, "deviation")]
nodes = [helper.make_node("Sub", ["measurements", "mean"], ["centred"], "Centre"),
         helper.make_node("Div", ["centred", "deviation"], ["normalized"], "Normalize")]
value = "normalized"
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

# What the columns may hold: nothing negative, and half as much again as the largest in the training data, to one digit.
names = [str(name) for name in data.feature_names]


def limit(largest):
    digit = 10.0 ** np.floor(np.log10(1.5 * largest))
    return float(f"{np.ceil(1.5 * largest / digit) * digit:.6g}")


def column(name, largest):
    unit = "u^2" if name.endswith("area") or name == "area error" else \
        "u" if any(word in name for word in ("radius", "perimeter")) else ""
    return {"name": name, **({"unit": unit} if unit else {}), "range": [0, limit(largest)]}


columns = [column(n, m) for n, m in zip(names, train_raw.max(axis=0))]
schema = {
    "model": {"name": "breast cancer", "version": "2", "description": "malignant or benign, of a cell sample"},
    "inputs": [{"name": "measurements", "columns": "COLUMNS", "identifiers": ["sample"]}],
    "outputs": [{"name": "diagnosis", "classes": ["benign", "malignant"]}],
}
with open("schema.json", "w") as out: # a column a line
    lines = ",\n        ".join(json.dumps(each) for each in columns)
    out.write(json.dumps(schema, indent=2).replace('"COLUMNS"', "[\n        " + lines + "\n      ]") + "\n")

shown = np.sort(np.concatenate([np.flatnonzero(test_y == c)[:6] for c in (0, 1)]))
np.save("labels.npy", test_y[shown])


def write(path, records, order):
    with open(path, "w") as out:
        out.write(",".join(["sample"] + [names[i] for i in order]) + "\n")
        for number, record in records:
            out.write(",".join([f"S{number}"] + [f"{record[i]:.7g}" for i in order]) + "\n")


records = list(enumerate(test_raw[shown], 1))
write("records.csv", records, range(30))
write("patient.csv", records[:1], np.argsort(names))
