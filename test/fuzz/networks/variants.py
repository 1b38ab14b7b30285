# One op a network, in many opsets and with random attributes, with records: what the importer makes of each.
#   variants.py FOLDER COUNT SEED     writes FOLDER/0000/{model.onnx,x.npy,shape,range} and so on
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RECORDS = 3


# Whether a last window would start behind the elements: onnxruntime has it, against ONNX's text, and fills it with nothing.
def starts_in_padding(sizes, attributes):
    axes = len(sizes)
    pads = attributes.get("pads", [0] * 2 * axes)
    for i, size in enumerate(sizes):
        extent = (attributes["kernel_shape"][i] - 1) * attributes.get("dilations", [1] * axes)[i] + 1
        stride = attributes.get("strides", [1] * axes)[i]
        if -(-(size + pads[i] + pads[axes + i] - extent) // stride) * stride >= size + pads[i]:
            return True
    return False


class Variant:
    def __init__(self, rng):
        self.rng, self.weights = rng, []

    def pick(self, *values):
        return values[self.rng.integers(len(values))]

    def some(self, **attributes):
        return {name: value for name, value in attributes.items() if self.rng.random() < 0.6}

    def weight(self, array, kind="f"):
        self.weights.append(numpy_helper.from_array(np.asarray(array, kind), f"w{len(self.weights)}"))
        return self.weights[-1].name

    def randoms(self, *shape):
        return self.weight(self.rng.standard_normal(shape))

    def ints(self, *values):
        return self.weight(values, "i8")

    def sizes(self, least, most, count):
        return [int(v) for v in self.rng.integers(least, most + 1, count)]

    def window(self, axes, kernel, padded=True):
        found = self.some(strides=self.sizes(1, 3, axes))
        if padded and self.rng.random() < 0.5:
            found["pads"] = [min(p, k // 2) for p, k in zip(self.sizes(0, 2, 2 * axes), kernel * 2)]
        elif self.rng.random() < 0.4:
            found["auto_pad"] = self.pick("SAME_UPPER", "SAME_LOWER", "VALID")
        return found

    # Each gives (op, inputs, attributes, input shape, outputs).
    def conv(self):
        axes, group = self.pick(1, 2, 2, 3), self.pick(1, 1, 2)
        shape = [1, 2 * group] + self.sizes(5, 9, axes)
        kernel = self.sizes(1, 3, axes)
        out = group * self.pick(1, 2)
        attributes = self.window(axes, kernel) | self.some(kernel_shape=kernel)
        if "auto_pad" not in attributes:
            attributes |= self.some(dilations=self.sizes(1, 2, axes))
        inputs = ["x", self.randoms(out, 2, *kernel)] + ([self.randoms(out)] if self.rng.random() < 0.5 else [])
        return "Conv", inputs, attributes | {"group": group}, shape, 1

    def conv_transpose(self):
        axes, group = self.pick(1, 2), self.pick(1, 2)
        shape, kernel = [1, 2 * group] + self.sizes(3, 6, axes), self.sizes(1, 3, axes)
        strides = self.sizes(1, 2, axes)
        attributes = {"strides": strides, "group": group} | self.some(
            pads=[min(p, k - 1) for p, k in zip(self.sizes(0, 1, 2 * axes), kernel * 2)],
            output_padding=[s - 1 for s in strides], dilations=self.sizes(1, 2, axes))
        inputs = ["x", self.randoms(2 * group, self.pick(1, 2), *kernel)]
        return "ConvTranspose", inputs, attributes, shape, 1

    def pool(self):
        op, axes = self.pick("MaxPool", "AveragePool"), self.pick(1, 2, 2, 3)
        kernel = self.sizes(1, 3, axes)
        attributes = {"kernel_shape": kernel} | self.window(axes, kernel)
        if self.opset >= 10 and "auto_pad" not in attributes:
            attributes |= self.some(ceil_mode=1)
        # Up to opset 18 onnxruntime also counts what lies beyond the padding, against ONNX's text.
        if op == "AveragePool" and self.opset >= 7 and ("ceil_mode" not in attributes or self.opset >= 19):
            attributes |= self.some(count_include_pad=1)
        if self.opset >= (10 if op == "MaxPool" else 19) and "auto_pad" not in attributes:
            attributes |= self.some(dilations=self.sizes(1, 2, axes))
        shape = [1, 2] + self.sizes(6, 9, axes)
        if "ceil_mode" in attributes and starts_in_padding(shape[2:], attributes):
            del attributes["ceil_mode"]
        return op, ["x"], attributes, shape, 1

    def global_pool(self):
        return self.pick("GlobalAveragePool", "GlobalMaxPool"), ["x"], {}, [1, 3] + self.sizes(1, 5, self.pick(1, 2, 3)), 1

    def reduce(self):
        op = self.pick("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceSumSquare")
        rank = self.pick(1, 2, 3, 4)
        count = self.pick(0, 1, 1, 2)
        axes = [int(a) for a in self.rng.permutation(rank)[:count]]
        if self.opset >= 11:
            axes = [a - rank if self.rng.random() < 0.5 else a for a in axes]
        attributes, inputs = self.some(keepdims=self.pick(0, 1)), ["x"]
        if self.opset >= (13 if op == "ReduceSum" else 18):
            attributes |= self.some(noop_with_empty_axes=self.pick(0, 1))
            if axes:
                inputs.append(self.ints(*axes))
        elif axes:
            attributes["axes"] = axes
        return op, inputs, attributes, [1] + self.sizes(2, 4, rank - 1), 1

    def softmax(self):
        rank = self.pick(2, 3, 4)
        axis = int(self.rng.integers(-rank if self.opset >= 11 else 0, rank))
        return self.pick("Softmax", "LogSoftmax"), ["x"], self.some(axis=axis), [1] + self.sizes(2, 4, rank - 1), 1

    def gemm(self):
        k, n = self.sizes(2, 5, 2)
        b = self.rng.standard_normal((k, n))
        attributes = self.some(alpha=0.5, beta=2.0, transB=1)
        inputs = ["x", self.weight(b.T if attributes.get("transB") else b)]
        if self.opset < 11 or self.rng.random() < 0.7:
            inputs.append(self.randoms(*self.pick([n], [1, n], [1], [1, 1])))
        return "Gemm", inputs, attributes, [1, k], 1

    def matmul(self):
        a = self.pick([1, 3], [1, 2, 3], [1, 2, 2, 3])
        b = self.pick([3, 2], [3], [2, 3, 2])
        if len(b) == 3 and len(a) < 3:
            a = [1, 2, 3]
        return "MatMul", ["x", self.randoms(*b)], {}, a, 1

    def batch_norm(self):
        shape = [1, 3] + self.sizes(1, 4, self.pick(0, 1, 2))
        inputs = ["x"] + [self.randoms(3) for _ in range(3)] + [self.weight(self.rng.uniform(0.1, 2, 3))]
        return "BatchNormalization", inputs, self.some(epsilon=0.01, momentum=0.5), shape, 1

    def unary(self):
        op = self.pick("Relu", "LeakyRelu", "Elu", "Selu", "Sigmoid", "Tanh", "HardSigmoid", "Softplus", "Softsign",
                       "Abs", "Neg", "Identity", "Dropout", "Erf", "Celu", "HardSwish", "Flatten", "Transpose")
        if self.opset < {"Erf": 9, "Celu": 12, "HardSwish": 14}.get(op, 0):
            op = "Relu"
        attributes = {}
        if op in ("LeakyRelu", "Elu", "HardSigmoid", "Celu", "Selu"):
            attributes = self.some(alpha=0.3)
        if op == "Selu":
            attributes |= self.some(gamma=1.5)
        if op == "HardSigmoid":
            attributes |= self.some(beta=0.4)
        if op == "Flatten":
            attributes = self.some(axis=self.pick(0, 1, 2, 3))
        if op == "Transpose":
            attributes = self.some(perm=[int(v) for v in self.rng.permutation(3)])
        return op, ["x"], attributes, [1, 3, 4], 1

    def binary(self):
        op = self.pick("Add", "Sub", "Mul", "Div", "PRelu", "Pow", "Max", "Min", "Sum", "Mean")
        b = self.pick([3, 4], [4], [3, 1], [1])
        if op == "Pow":
            return op, ["x", self.weight(np.full(self.pick([], [1], [1, 1, 1, 1]), self.pick(1, 2, 3, 4)))], {}, [1, 3, 4], 1
        if op == "Div":
            return op, ["x", self.weight(self.rng.uniform(0.5, 2, b))], {}, [1, 3, 4], 1
        turned = op in ("Add", "Sub", "Mul") and self.rng.random() < 0.4
        inputs = [self.randoms(*b), "x"] if turned else ["x", self.randoms(*b)]
        return op, inputs, {}, [1, 3, 4], 1

    def clip(self):
        if self.opset < 11:
            return "Clip", ["x"], self.some(min=-0.5, max=0.75), [1, 6], 1
        low = self.weight(np.float32(-0.5)) if self.rng.random() < 0.7 else ""
        high = [self.weight(np.float32(0.75))] if self.rng.random() < 0.7 else []
        return "Clip", ["x", low] + high if low or high else ["x"], {}, [1, 6], 1

    def slice(self):
        shape = [1] + self.sizes(3, 6, 2)
        axes = self.pick([1], [2], [1, 2], [-1])
        if self.opset < 10:
            axes = [a % 3 for a in axes]
        starts = [int(self.rng.integers(-4, 3)) for _ in axes]
        ends = [int(self.pick(-1, 3, 100, 2**31 - 1)) for _ in axes]
        probe = np.zeros(shape)
        step = [1] * len(axes)
        if self.opset >= 10:
            step = [int(self.pick(1, 1, 2, -1, -2)) for _ in axes]
            for i, s in enumerate(step):
                if s < 0:
                    starts[i], ends[i] = int(self.pick(-1, 2, 100)), int(self.pick(0, -100))
        for a, s, e, t in zip(axes, starts, ends, step):
            size = probe.shape[a]
            first = min(max(s + size if s < 0 else s, 0), size - 1 if t < 0 else size)
            last = e + size if e < 0 else e
            last = min(max(last, -1 if t < 0 else 0), size)
            if (last - first) * t <= 0:
                return self.clip()
        if self.opset < 10:
            return "Slice", ["x"], {"starts": starts, "ends": ends, "axes": axes}, shape, 1
        return "Slice", ["x"] + [self.ints(*v) for v in (starts, ends, axes, step)], {}, shape, 1

    def pad(self):
        pads = self.sizes(0, 2, 6)
        pads[0] = pads[3] = 0
        mode = self.some(mode=self.pick("constant", "edge", "reflect"))
        shape = [1] + self.sizes(3, 5, 2)
        if self.opset < 11:
            return "Pad", ["x"], mode | {"pads": pads} | self.some(value=1.5), shape, 1
        inputs = ["x", self.ints(*pads)]
        if self.rng.random() < 0.5:
            inputs.append(self.weight(np.float32(1.5)))
        return "Pad", inputs, mode, shape, 1

    def split(self):
        shape = [1, 6, 2]
        parts = self.pick([2, 4], [3, 3], [1, 2, 3])
        if self.opset < 13:
            return "Split", ["x"], {"axis": 1, "split": parts}, shape, len(parts)
        return "Split", ["x", self.ints(*parts)], {"axis": self.pick(1, -2)}, shape, len(parts)

    def shapes(self):
        op = self.pick("Squeeze", "Unsqueeze", "Reshape", "Expand", "Tile", "Gather", "Concat", "CumSum")
        if op in ("Squeeze", "Unsqueeze"):
            axes = [int(v) for v in (self.pick([1], [1, 3]) if op == "Squeeze" else self.pick([0], [1, 4], [2]))]
            if self.opset < 13:
                return op, ["x"], {"axes": axes}, [1, 1, 3, 1], 1
            return op, ["x", self.ints(*axes)], {}, [1, 1, 3, 1], 1
        if op == "Reshape":
            return op, ["x", self.ints(*self.pick([0, -1], [-1], [2, 6], [1, 0, 2, 2], [3, 4, 1]))], {}, [1, 3, 4], 1
        if op == "Expand" and self.opset >= 8:
            return op, ["x", self.ints(*self.pick([2, 1, 3, 4], [1, 3, 4], [3, 1]))], {}, [1, 3, 1], 1
        if op == "Tile":
            return op, ["x", self.ints(1, 2, 3)], {}, [1, 2, 2], 1
        if op == "CumSum" and self.opset >= 11:
            return op, ["x", self.weight(self.pick(1, 2, -1), "i8")], self.some(exclusive=1, reverse=1), [1, 3, 4], 1
        if op == "Concat":
            return op, ["x", self.randoms(1, 2, 4), "x"], {"axis": 1}, [1, 3, 4], 1
        where = np.array(self.pick([0, 2], [[1, 0], [2, 2]], [-1] if self.opset >= 11 else [1]))
        return "Gather", ["x", self.weight(where, "i8")], self.some(axis=self.pick(1, 1)) or {"axis": 1}, [1, 3, 4], 1

    def resize(self):
        shape = [1, 2] + self.sizes(2, 5, 2)
        scales = np.array([1, 1, self.pick(1, 2, 3), self.pick(1, 2, 1.5)], "f")
        if self.opset < 9:
            return "Upsample", ["x"], {"mode": "nearest", "scales": [1.0, 1.0, 2.0, 2.0]}, shape, 1
        if self.opset < 10:
            return "Upsample", ["x", self.weight(np.array([1, 1, 2, 2]))], {"mode": self.pick("nearest", "linear")}, shape, 1
        mode = self.pick("nearest", "linear")
        if self.opset < 11:
            return "Resize", ["x", self.weight(scales)], {"mode": mode}, shape, 1
        attributes = {"mode": mode} | self.some(
            coordinate_transformation_mode=self.pick("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"))
        if mode == "nearest":
            attributes |= self.some(nearest_mode=self.pick("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"))
        roi = "" if self.opset >= 13 else self.weight(np.zeros(0))
        if self.rng.random() < 0.5 and attributes.get("coordinate_transformation_mode") != "align_corners":
            return "Resize", ["x", roi, self.weight(scales)], attributes, shape, 1
        sizes = [1, 2] + [s * self.pick(1, 2, 3) for s in shape[2:]]
        return "Resize", ["x", roi, "" if self.opset >= 13 else self.weight(np.zeros(0)), self.ints(*sizes)], attributes, shape, 1

    def recurrent(self):
        op = self.pick("LSTM", "GRU", "RNN")
        gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
        steps, features, hidden = self.sizes(1, 4, 3)
        direction = self.pick("forward", "reverse", "bidirectional")
        directions = 2 if direction == "bidirectional" else 1
        inputs = ["x", self.randoms(directions, gates * hidden, features), self.randoms(directions, gates * hidden, hidden)]
        if self.rng.random() < 0.7:
            inputs.append(self.randoms(directions, 2 * gates * hidden))
        attributes = {"hidden_size": hidden, "direction": direction}
        if op == "GRU":
            attributes |= self.some(linear_before_reset=1)
        return op, inputs, attributes, [steps, 1, features], 3 if op == "LSTM" else 2

    def build(self, kind):
        self.opset = int(self.pick(7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 21))
        op, inputs, attributes, shape, outputs = getattr(self, kind)()
        names = [f"y{i}" for i in range(outputs)]
        node = helper.make_node(op, inputs, names, **attributes)
        shown = names[int(self.rng.integers(outputs))]
        value = helper.make_tensor_value_info
        graph = helper.make_graph([node], op, [value("x", TensorProto.FLOAT, shape)],
                                  [value(shown, TensorProto.FLOAT, None)], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        model.ir_version = 8
        return model, shape


KINDS = [name for name in vars(Variant) if name not in ("pick", "some", "weight", "randoms", "ints", "sizes", "window", "build")
         and not name.startswith("_")]


def main(folder, count, seed):
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        model, shape = Variant(rng).build(KINDS[i % len(KINDS)])
        path = os.path.join(folder, f"{i:04}")
        os.makedirs(path, exist_ok=True)
        onnx.save(model, os.path.join(path, "model.onnx"))
        records = rng.uniform(-2, 2, [RECORDS * shape[0]] + shape[1:]).astype("f")
        np.save(os.path.join(path, "x.npy"), records)
        with open(os.path.join(path, "shape"), "w") as file: # of one record
            file.write(",".join(map(str, shape)))
        with open(os.path.join(path, "range"), "w") as file:
            file.write("-2,2")


main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
