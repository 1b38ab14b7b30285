"""vgg.py MEGABYTES OUT.onnx: a network like VGG-16, five convolutions and three dense layers, the first of which has
three quarters of the weights, with random weights, in a file of about that size. Written by hand, as a stream."""
import array
import random
import sys


def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def integer(number, value):
    return varint(number << 3) + varint(value)


def text(number, value):
    return field(number, value.encode())


def valueInfo(name, shape):
    dims = b"".join(field(1, integer(1, d)) for d in shape)
    return text(1, name) + field(2, field(1, integer(1, 1) + field(2, dims)))


def node(kind, inputs, output, attributes=b""):
    return field(1, b"".join(text(1, i) for i in inputs) + text(2, output) + text(4, kind) + attributes)


def ints(name, values):
    return field(5, text(1, name) + b"".join(integer(8, v) for v in values) + integer(20, 7))


class Weights:
    """Random floats, a block of them again and again: what compiles them takes them for different."""

    def __init__(self):
        draw = random.Random(1)
        self.block = array.array("f", (draw.gauss(0, 1) for _ in range(1 << 16)))

    def tensor(self, name, shape, deviation):
        count = 1
        for size in shape:
            count *= size
        scaled = array.array("f", (v * deviation for v in self.block)).tobytes()
        head = b"".join(integer(1, d) for d in shape) + integer(2, 1) + text(8, name)
        head += varint(9 << 3 | 2) + varint(4 * count)  # raw_data
        yield varint(5 << 3 | 2) + varint(len(head) + 4 * count) + head  # initializer
        left = 4 * count
        while left:
            yield scaled[:left]
            left -= min(left, len(scaled))


def layers(megabytes):
    width = max(16, int((megabytes * 1e6 / 4 / 7.4) ** 0.5) // 16 * 16)  # of the dense layers
    channels = [3, 16, 32, 64, 128, 6 * width // 64]
    convolutions = [(f"c{i}", [channels[i + 1], channels[i], 3, 3]) for i in range(5)]
    return convolutions, [("d0", [width, 64 * channels[5]]), ("d1", [width, width]), ("d2", [10, width])]


def main(megabytes, path):
    convolutions, dense = layers(megabytes)
    nodes, value = [], "x"
    for name, _ in convolutions:
        nodes.append(node("Conv", [value, name], name + "v", ints("pads", [1, 1, 1, 1])))
        nodes.append(node("Relu", [name + "v"], name + "r"))
        value = name + "r"
        if name in ("c1", "c3"):
            nodes.append(node("MaxPool", [value], name + "p", ints("kernel_shape", [2, 2]) + ints("strides", [2, 2])))
            value = name + "p"
    nodes.append(node("Flatten", [value], "f"))
    value = "f"
    for name, _ in dense:
        nodes.append(node("Gemm", [value, name], name + "v", field(5, text(1, "transB") + integer(3, 1) + integer(20, 2))))
        value = name + "v"
        if name != "d2":
            nodes.append(node("Relu", [value], name + "r"))
            value = name + "r"
    weights = Weights()
    tensors = convolutions + dense
    graph = [field(11, valueInfo("x", [1, 3, 32, 32])), field(12, valueInfo(value, [1, 10])), text(2, "vgg"), *nodes]
    size = sum(map(len, graph))
    for name, shape in tensors:
        parts = weights.tensor(name, shape, 1)
        head = next(parts)
        count = 4
        for extent in shape:
            count *= extent
        size += len(head) + count
    with open(path, "wb") as file:
        file.write(integer(1, 8) + field(8, text(1, "") + integer(2, 13)) + varint(7 << 3 | 2) + varint(size))
        file.write(b"".join(graph))
        for name, shape in tensors:
            inputs = shape[1] * (9 if len(shape) == 4 else 1)
            for part in weights.tensor(name, shape, (2 / inputs) ** 0.5):
                file.write(part)


main(float(sys.argv[1]), sys.argv[2])
