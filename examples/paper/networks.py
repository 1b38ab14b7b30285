"""The paper's seven networks: their layers, and their ONNX models from weights.npz."""
from dataclasses import dataclass
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))


@dataclass(frozen=True)
class Network:
    name: str
    title: str
    shape: tuple  # of one record
    layers: tuple  # "conv" and its padding, "relu", "pool", "flatten", "dense"
    paper_scale: int  # 0: not known here


def dense(depth):
    return ("dense", "relu") * (depth - 1) + ("dense",)


MINIONN_MNIST = (("conv", 0), "relu", "pool", ("conv", 0), "relu", "pool", "flatten", "dense", "relu", "dense")
MINIONN_CIFAR = (("conv", 1), "relu", ("conv", 1), "relu", "pool", ("conv", 1), "relu", ("conv", 1), "relu", "pool",
                 ("conv", 1), "relu", ("conv", 0), "relu", ("conv", 0), "relu", "flatten", "dense")

NETWORKS = {each.name: each for each in (
    Network("m1", "M1: MNIST, 784-128-128-10", (784,), dense(3), 1024),
    Network("m2", "M2: MNIST, 2 conv + 2 dense", (1, 28, 28), MINIONN_MNIST, 128),
    Network("c1", "C1: CIFAR-10, 7 conv + 1 dense", (3, 32, 32), MINIONN_CIFAR, 64),
    Network("bc", "breast cancer, 30-16-16-2", (30,), dense(3), 0),
    Network("di", "diabetes, 8-20-20-2", (8,), dense(3), 0),
    Network("li", "liver, 10-32-32-2", (10,), dense(3), 0),
    Network("th", "thyroid, 21-100-100-3", (21,), dense(3), 0),
)}


def model(network, trained=None):
    """The network as an onnx.ModelProto for one record. trained: train.py's file, of weights that go before those here."""
    weights = {}
    for path in filter(None, (os.path.join(HERE, "weights.npz"), trained)):
        with np.load(path) as stored:
            weights |= {name: stored[name].astype(np.float32) for name in stored.files if name.startswith(network.name + ".")}
    nodes, initializers, value, layer = [], [], "x", 0
    for number, kind in enumerate(network.layers):
        result = "scores" if number + 1 == len(network.layers) else f"v{number}"
        inputs, attributes = [value], {}
        if kind == "dense" or isinstance(kind, tuple):
            for part in "wb":
                initializers.append(numpy_helper.from_array(weights[f"{network.name}.{part}{layer}"], f"{part}{layer}"))
                inputs.append(f"{part}{layer}")
            layer += 1
        if kind == "dense":
            op, attributes = "Gemm", {"transB": 1}
        elif kind == "relu":
            op = "Relu"
        elif kind == "pool":
            op, attributes = "AveragePool", {"kernel_shape": [2, 2], "strides": [2, 2]}
        elif kind == "flatten":
            op = "Flatten"
        else:
            op, attributes = "Conv", {"pads": [kind[1]] * 4}
        nodes.append(helper.make_node(op, inputs, [result], f"{op}_{number}", **attributes))
        value = result
    classes = len(weights[f"{network.name}.b{layer - 1}"])
    return finish(network.name, nodes, (1, *network.shape), (1, classes), initializers)


def element(op, count):
    """One op alone: the Relu of `count` numbers, or 2 x 2 maxima of `count` windows."""
    if op == "Relu":
        return finish("relu", [helper.make_node("Relu", ["x"], ["scores"])], (1, count), (1, count), [])
    node = helper.make_node("MaxPool", ["x"], ["scores"], kernel_shape=[2, 2], strides=[2, 2])
    return finish("maxpool", [node], (1, 1, 2, 2 * count), (1, 1, 1, count), [])


def finish(name, nodes, shape, result, initializers):
    graph = helper.make_graph(nodes, name, [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info("scores", TensorProto.FLOAT, result)], initializers)
    made = helper.make_model(graph, producer_name="networks.py", opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    onnx.checker.check_model(made)
    return made
