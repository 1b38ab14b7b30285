# Random networks with unscaled inputs, tiny and large weights a channel, and normalisation anywhere, with records:
#   generate.py FOLDER COUNT SEED     writes FOLDER/0000/{model.onnx,x.npy,shape,range} and so on
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RECORDS = 24
# What the records look like: least and greatest value of an element.
RANGES = [(0, 1), (-1, 1), (0, 255), (0, 255), (-3, 3), (20, 300), (0, 10000), (-0.01, 0.01)]


class Network:
    def __init__(self, rng):
        self.rng, self.nodes, self.weights = rng, [], []
        self.opset = int(rng.choice([7, 9, 11, 12, 13, 14, 15, 17]))
        self.low, self.high = RANGES[rng.integers(len(RANGES))]
        self.image = bool(rng.random() < 0.55)
        if self.image:
            size = int(rng.integers(4, 11))
            self.shape = [1, int(rng.integers(1, 4)), size, size + int(rng.integers(0, 3))]
        else:
            self.shape = [1, int(rng.integers(2, 40))]
        self.input = list(self.shape)
        self.value = "x"

    def name(self):
        return f"v{len(self.nodes) + len(self.weights)}"

    def weight(self, array, kind="f"):
        name = "w" + self.name()
        self.weights.append(numpy_helper.from_array(np.asarray(array, kind), name))
        return name

    def node(self, op, inputs, shape=None, **attributes):
        output = self.name()
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"{op}{len(self.nodes)}", **attributes))
        self.value = output
        if shape is not None:
            self.shape = list(shape)
        return output

    # Weights whose channels differ by powers of ten, as trained networks and folded normalisations have them.
    def matrix(self, channels, each):
        spread = self.rng.choice([0, 0, 0.5, 1, 1.5])
        scale = 10 ** self.rng.uniform(-spread, spread, (channels, 1))
        return self.rng.standard_normal((channels, each)) * scale / np.sqrt(each)

    def dense(self, width=None):
        if len(self.shape) != 2:
            self.node("Flatten", [self.value], [1, int(np.prod(self.shape))])
        features = self.shape[1]
        width = width or int(self.rng.integers(2, 33))
        w = self.matrix(width, features)
        bias = self.rng.standard_normal(width) * 10 ** self.rng.uniform(-2, 1)
        if self.rng.random() < 0.3:
            self.node("MatMul", [self.value, self.weight(w.T)], [1, width])
            self.node("Add", [self.value, self.weight(bias)])
        elif self.rng.random() < 0.5:
            self.node("Gemm", [self.value, self.weight(w), self.weight(bias)], [1, width], transB=1)
        else:
            alpha = float(self.rng.choice([1, 0.5, 2]))
            self.node("Gemm", [self.value, self.weight(w.T), self.weight(bias)], [1, width], alpha=alpha)

    def conv(self):
        channels, h, w = self.shape[1:]
        k = int(self.rng.choice([1, 3, 3, 5]))
        stride = int(self.rng.choice([1, 1, 2]))
        pad = int(self.rng.integers(0, k // 2 + 1))
        if min(h, w) + 2 * pad < k:
            return
        depthwise = self.rng.random() < 0.25
        out = channels if depthwise else int(self.rng.integers(2, 9))
        each = (1 if depthwise else channels) * k * k
        weights = self.matrix(out, each).reshape(out, -1, k, k)
        inputs = [self.value, self.weight(weights)]
        if self.rng.random() < 0.7:
            inputs.append(self.weight(self.rng.standard_normal(out)))
        shape = [1, out] + [(size + 2 * pad - k) // stride + 1 for size in (h, w)]
        self.node("Conv", inputs, shape, kernel_shape=[k, k], strides=[stride, stride], pads=[pad] * 4,
                  group=channels if depthwise else 1)

    def normalise(self):
        channels = self.shape[1]
        size = max(abs(self.low), abs(self.high)) if self.value == "x" else 10 ** self.rng.uniform(-1, 1)
        scale = self.rng.uniform(0.2, 2, channels) * self.rng.choice([1, 1, -1], channels)
        mean = self.rng.uniform(-1, 1, channels) * size
        variance = (self.rng.uniform(0.1, 1, channels) * size) ** 2
        self.node("BatchNormalization",
                  [self.value] + [self.weight(v) for v in (scale, self.rng.standard_normal(channels), mean, variance)],
                  epsilon=float(self.rng.choice([1e-5, 1e-3])))

    def activate(self):
        op = self.rng.choice(["Relu", "Relu", "Relu", "LeakyRelu", "Clip", "Sigmoid", "Tanh", "PRelu", "HardSwish", "Abs"])
        if op == "HardSwish" and self.opset < 14:
            op = "HardSigmoid"
        if op == "LeakyRelu":
            self.node(op, [self.value], alpha=float(self.rng.uniform(0.01, 0.3)))
        elif op == "Clip" and self.opset < 11:
            self.node(op, [self.value], min=0.0, max=6.0)
        elif op == "Clip":
            self.node(op, [self.value, self.weight(np.float32(0)), self.weight(np.float32(6))])
        elif op == "PRelu":
            slopes = self.rng.uniform(0.05, 0.5, [self.shape[1]] + [1] * (len(self.shape) - 2))
            self.node(op, [self.value, self.weight(slopes)])
        else:
            self.node(op, [self.value])

    def pool(self):
        h, w = self.shape[2:]
        if min(h, w) < 2:
            return
        op = self.rng.choice(["MaxPool", "AveragePool"])
        shape = self.shape[:2] + [(h - 2) // 2 + 1, (w - 2) // 2 + 1]
        self.node(op, [self.value], shape, kernel_shape=[2, 2], strides=[2, 2])

    def branch(self):
        before, shape = self.value, list(self.shape)
        self.activate()
        if self.rng.random() < 0.5:
            self.node("Add", [self.value, before])
        else:
            joined = list(shape)
            joined[1] *= 2
            self.node("Concat", [self.value, before], joined, axis=1)

    def divide(self):
        self.node("Div", [self.value, self.weight(np.float32(max(abs(self.low), abs(self.high))))])

    def build(self):
        if self.rng.random() < 0.3:
            self.divide() if self.rng.random() < 0.5 else self.normalise()
        if self.image:
            for _ in range(int(self.rng.integers(1, 4))):
                self.rng.choice([self.conv, self.conv, self.pool, self.branch])()
                if self.rng.random() < 0.5:
                    self.normalise()
                if self.rng.random() < 0.8:
                    self.activate()
            if self.rng.random() < 0.4:
                self.node("GlobalAveragePool", [self.value], self.shape[:2] + [1, 1])
        for _ in range(int(self.rng.integers(0, 3))):
            self.dense()
            if self.rng.random() < 0.4:
                self.normalise()
            self.activate()
            if self.rng.random() < 0.2:
                self.branch()
        self.dense(int(self.rng.integers(1, 8)))
        tail = self.rng.random()
        if tail < 0.3:
            self.node("Softmax", [self.value], axis=1)
        elif tail < 0.4:
            self.node("Sigmoid", [self.value])

    def model(self):
        float_ = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, "random", [float_("x", self.input)], [float_(self.value, self.shape)],
                                  self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version = 7
        onnx.checker.check_model(model)
        return model


def main(folder, count, seed):
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        network = Network(rng)
        network.build()
        path = os.path.join(folder, f"{i:04}")
        os.makedirs(path, exist_ok=True)
        onnx.save(network.model(), os.path.join(path, "model.onnx"))
        records = rng.uniform(network.low, network.high, [RECORDS] + network.input[1:])
        np.save(os.path.join(path, "x.npy"), np.clip(records.astype("f"), network.low, network.high))
        with open(os.path.join(path, "shape"), "w") as file: # of one record
            file.write(",".join(map(str, network.input)))
        with open(os.path.join(path, "range"), "w") as file:
            file.write(f"{network.low},{network.high}")


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
