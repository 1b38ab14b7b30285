# Random networks with unscaled inputs, tiny and large weights a channel, and normalisation anywhere, of images, of tables
# and of sequences with attention, with records:
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
        kind = rng.random()
        self.image, self.sequence = bool(kind < 0.45), bool(kind > 0.8)
        if self.sequence:
            self.opset = int(rng.choice([13, 14, 15, 17]))
            self.shape = [1, int(rng.integers(2, 25)), 4 * int(rng.integers(1, 6))]
        elif self.image:
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

    # --- sequences: [1, length, width]
    def project(self, value, width):
        self.node("MatMul", [value, self.weight(self.rng.standard_normal((self.shape[2], width)) / np.sqrt(self.shape[2]))],
                  [1, self.shape[1], width])
        if self.rng.random() < 0.5:
            self.node("Add", [self.value, self.weight(self.rng.standard_normal(width) * 0.3)])
        return self.value

    def normalise_rows(self):
        width = self.shape[2]
        scale, bias = self.weight(self.rng.uniform(0.3, 1.5, width)), self.weight(self.rng.standard_normal(width) * 0.3)
        epsilon = float(self.rng.choice([1e-5, 1e-3]))
        if self.opset >= 17 and self.rng.random() < 0.5:
            self.node("LayerNormalization", [self.value, scale, bias], axis=-1, epsilon=epsilon)
            return
        x = self.value
        centred = self.node("Sub", [x, self.node("ReduceMean", [x], axes=[-1])])
        square = self.node("Pow", [centred, self.weight(np.float32(2))]) if self.rng.random() < 0.5 else self.node(
            "Mul", [centred, centred])
        mean = self.node("ReduceMean", [square], axes=[-1])
        root = self.node("Sqrt", [self.node("Add", [mean, self.weight(np.float32(epsilon))])])
        self.node("Div", [centred, root])
        self.node("Add", [self.node("Mul", [self.value, scale]), bias])

    def mask(self, length):
        low = np.float32(self.rng.choice([-1e4, -1e9, -np.inf, np.finfo("f").min]))
        kept = np.tril(np.ones((length, length), bool)) if self.rng.random() < 0.6 else np.tile(
            np.arange(length) < self.rng.integers(1, length + 1), (length, 1))
        if self.rng.random() < 0.5:
            self.node("Add", [self.value, self.weight(np.where(kept, np.float32(0), low))])
        else:
            self.node("Where", [self.weight(kept, "?"), self.value, self.weight(low)])

    def attend(self):
        x, (_, length, width), before = self.value, self.shape, list(self.shape)
        heads = int(self.rng.choice([1, 2, 4]))
        each = width // heads
        split, whole = (self.weight(shape, "i8") for shape in ([1, length, heads, each], before))
        parts = []
        for order in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]):
            self.shape = before
            self.node("Reshape", [self.project(x, width), split])
            parts.append(self.node("Transpose", [self.value], perm=order))
        self.node("MatMul", parts[:2])
        self.node("Div", [self.value, self.weight(np.float32(np.sqrt(each)))])
        if self.rng.random() < 0.5:
            self.mask(length)
        self.node("MatMul", [self.node("Softmax", [self.value], axis=-1), parts[2]])
        self.node("Reshape", [self.node("Transpose", [self.value], perm=[0, 2, 1, 3]), whole], before)
        self.node("Add", [self.project(self.value, width), x], before)

    def feed_forward(self):
        x, before, width = self.value, list(self.shape), self.shape[2]
        hidden = self.project(x, 2 * width)
        if self.rng.random() < 0.5:
            self.node("Relu", [hidden])
        else:  # Gelu, written out
            erf = self.node("Erf", [self.node("Div", [hidden, self.weight(np.float32(np.sqrt(2)))])])
            half = self.node("Mul", [self.node("Add", [erf, self.weight(np.float32(1))]), self.weight(np.float32(0.5))])
            self.node("Mul", [hidden, half])
        self.node("Add", [self.project(self.value, width), x], before)

    def build_sequence(self):
        self.normalise_rows() if self.rng.random() < 0.7 else self.divide()
        for _ in range(int(self.rng.integers(1, 3))):
            self.attend()
            if self.rng.random() < 0.6:
                self.normalise_rows()
            if self.rng.random() < 0.6:
                self.feed_forward()
        if self.rng.random() < 0.5:
            self.node("ReduceMean", [self.value], [1, self.shape[2]], axes=[1], keepdims=0)
        else:
            self.node("Gather", [self.value, self.weight(0, "i8")], [1, self.shape[2]], axis=1)

    def build(self):
        if self.sequence:
            self.build_sequence()
            self.dense(int(self.rng.integers(1, 8)))
            return
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
