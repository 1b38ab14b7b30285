"""vision_transformer.py MODEL.onnx X.npy [SIZE WIDTH LAYERS HEADS]: a vision transformer with patches of 16 x 16 and random
weights (ViT-Tiny: 224 192 12 3, Dosovitskiy et al., ICLR 2021), and two records. What it computes is of no use; its shapes,
and so its costs and its rounding, are a trained one's."""
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

model, records, *sizes = sys.argv[1:]
SIZE, WIDTH, LAYERS, HEADS = (int(v) for v in (sizes or (224, 192, 12, 3)))
PATCH, CLASSES = 16, 1000
TOKENS = (SIZE // PATCH) ** 2 + 1
random = np.random.default_rng(1)
nodes, weights = [], []


def constant(value):
    weights.append(numpy_helper.from_array(np.asarray(value), f"w{len(weights)}"))
    return weights[-1].name


def normal(*shape):
    return constant((random.standard_normal(shape) / np.sqrt(shape[0])).astype("f"))


def node(op, *inputs, **attributes):
    nodes.append(helper.make_node(op, list(inputs), [f"v{len(nodes)}"], **attributes))
    return nodes[-1].output[0]


def dense(x, inputs, outputs):
    return node("Add", node("MatMul", x, normal(inputs, outputs)), constant(np.zeros(outputs, "f")))


def norm(x):
    return node("LayerNormalization", x, constant(np.ones(WIDTH, "f")), constant(np.zeros(WIDTH, "f")), epsilon=1e-6)


def heads(x, order):
    split = constant(np.array([1, TOKENS, HEADS, WIDTH // HEADS]))
    return node("Transpose", node("Reshape", dense(x, WIDTH, WIDTH), split), perm=order)


def attention(x):
    q, k, v = (heads(x, order) for order in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))
    scores = node("Mul", node("MatMul", q, k), constant(np.float32(1 / np.sqrt(WIDTH // HEADS))))
    mixed = node("Transpose", node("MatMul", node("Softmax", scores, axis=-1), v), perm=[0, 2, 1, 3])
    return dense(node("Reshape", mixed, constant(np.array([1, TOKENS, WIDTH]))), WIDTH, WIDTH)


def gelu(x):
    erf = node("Erf", node("Mul", x, constant(np.float32(np.sqrt(0.5)))))
    return node("Mul", node("Mul", x, node("Add", erf, constant(np.float32(1)))), constant(np.float32(0.5)))


patches = constant((random.standard_normal((WIDTH, 3, PATCH, PATCH)) / np.sqrt(3 * PATCH * PATCH)).astype("f"))
x = node("Conv", "x", patches, kernel_shape=[PATCH, PATCH], strides=[PATCH, PATCH])
x = node("Transpose", node("Reshape", x, constant(np.array([1, WIDTH, TOKENS - 1]))), perm=[0, 2, 1])
first = constant((random.standard_normal((1, 1, WIDTH)) * 0.5).astype("f"))
x = node("Add", node("Concat", first, x, axis=1), constant((random.standard_normal((1, TOKENS, WIDTH)) * 0.5).astype("f")))
for _ in range(LAYERS):
    x = node("Add", x, attention(norm(x)))
    x = node("Add", x, dense(gelu(dense(norm(x), WIDTH, 4 * WIDTH)), 4 * WIDTH, WIDTH))
x = node("Gather", norm(x), constant(np.int64(0)), axis=1)
dense(x, WIDTH, CLASSES)

info = helper.make_tensor_value_info
graph = helper.make_graph(nodes, "vision-transformer", [info("x", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
                          [info(nodes[-1].output[0], TensorProto.FLOAT, [1, CLASSES])], weights)
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), model)
smooth = random.uniform(-1, 1, (2, 3, SIZE // 8, SIZE // 8)).repeat(8, 2).repeat(8, 3) # as pictures are
np.save(records, np.clip(smooth + random.normal(scale=0.2, size=smooth.shape), -1, 1).astype("f"))
