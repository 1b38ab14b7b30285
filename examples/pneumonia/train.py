#!/usr/bin/python3
"""train.py PNEUMONIAMNIST.npz FOLDER: trains a network on chest radiographs of 28 x 28 pixels, and writes into the folder

    model.onnx           784-48-16-2 with ReLU and Softmax, on images [1, 1, 28, 28]
    schema.json          what its numbers mean: a grey image, two classes
    test_x.npy, test_y.npy   the test set: images in 0 to 1, and 0 normal or 1 pneumonia
    scans/               six of these images as DICOM files, as a hospital has them

Packages: python3-sklearn, python3-onnx. PNEUMONIAMNIST.npz: MedMNIST v2's pneumoniamnist.npz, or one of its form.
"""
import json
import os
import sys
import warnings

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

import dicom

if len(sys.argv) != 3:
    sys.exit(__doc__)
source, folder = sys.argv[1:]
os.makedirs(os.path.join(folder, "scans"), exist_ok=True)


def path(name):
    return os.path.join(folder, name)


with np.load(source) as data:
    images = {part: data[f"{part}_images"].reshape(-1, 1, 28, 28) for part in ("train", "val", "test")}
    labels = {part: data[f"{part}_labels"].ravel().astype(np.int64) for part in images}
x = {part: (values / np.float32(255)).astype(np.float32) for part, values in images.items()}

network = MLPClassifier((48, 16), alpha=0.01, learning_rate_init=0.001, max_iter=20, random_state=1)
warnings.simplefilter("ignore", ConvergenceWarning)  # twenty passes are meant
network.fit(x["train"].reshape(-1, 784), labels["train"])
for part in ("val", "test"):
    print(f"{100 * network.score(x[part].reshape(-1, 784), labels[part]):.1f} % of {len(labels[part])} {part} images right")

# scikit-learn's last layer is one logit z; [-z/2, z/2] has the same softmax.
weights = [w.astype(np.float32) for w in network.coefs_]
biases = [b.astype(np.float32) for b in network.intercepts_]
weights[-1] = np.concatenate([-weights[-1] / 2, weights[-1] / 2], axis=1)
biases[-1] = np.concatenate([-biases[-1] / 2, biases[-1] / 2])
initializers, nodes, value = [], [helper.make_node("Flatten", ["image"], ["flat"])], "flat"
for i, (w, b) in enumerate(zip(weights, biases)):
    initializers += [numpy_helper.from_array(w, f"w{i}"), numpy_helper.from_array(b, f"b{i}")]
    nodes.append(helper.make_node("Gemm", [value, f"w{i}", f"b{i}"], [f"gemm{i}"], f"Gemm_{i}"))
    value = f"gemm{i}"
    if i + 1 < len(weights):
        nodes.append(helper.make_node("Relu", [value], [f"relu{i}"], f"Relu_{i}"))
        value = f"relu{i}"
nodes.append(helper.make_node("Softmax", [value], ["finding"], "Softmax", axis=1))
graph = helper.make_graph(nodes, "pneumonia", [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 1, 28, 28])],
                          [helper.make_tensor_value_info("finding", TensorProto.FLOAT, [1, 2])], initializers)
model = helper.make_model(graph, producer_name="train.py", opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
onnx.checker.check_model(model)
onnx.save(model, path("model.onnx"))

with open(path("schema.json"), "w") as out:
    json.dump({
        "model": {"name": "pneumonia", "version": "1", "description": "normal or pneumonia, of a chest radiograph"},
        "inputs": [{"name": "image", "image": {"height": 28, "width": 28, "channels": ["grey"]}}],
        "outputs": [{"name": "finding", "classes": ["normal", "pneumonia"]}],
    }, out, indent=2)
np.save(path("test_x.npy"), x["test"])
np.save(path("test_y.npy"), labels["test"])
for number, (image, label) in enumerate(zip(images["test"][:6], labels["test"][:6]), 1):
    dicom.write(path(f"scans/scan{number}.dcm"), image[0], f"P-{number}")
print(f"wrote {folder}; scans 1 to 6 are: {', '.join(('normal', 'pneumonia')[label] for label in labels['test'][:6])}")
