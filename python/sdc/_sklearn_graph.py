"""An ONNX graph in the making."""
from __future__ import annotations

import numpy as np
from onnx import helper, numpy_helper


class NotSupported(ValueError):
    """An estimator, or one of its options, has no exact form in ONNX here."""


class Graph:
    def __init__(self):
        self.nodes, self.initializers, self._count = [], [], 0

    def _name(self, what: str) -> str:
        self._count += 1
        return f"{what}_{self._count}"

    def constant(self, array, dtype=np.float32) -> str:
        """An initializer; floats are rounded to float32."""
        name = self._name("constant")
        self.initializers.append(numpy_helper.from_array(np.asarray(array, dtype=dtype), name))
        return name

    def add(self, op: str, *inputs: str, outputs: int = 1, **attributes):
        """A node; the name of its output, or a list of several."""
        names = [self._name(op) for _ in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, names[0], **attributes))
        return names[0] if outputs == 1 else names

    def ml(self, op: str, *inputs: str, outputs: int = 1, **attributes):
        """The same in the domain ai.onnx.ml."""
        return self.add(op, *inputs, outputs=outputs, domain="ai.onnx.ml", **attributes)

    def rename(self, value: str, name: str, kind: int, shape):
        """Makes a value an output of the graph, under this name."""
        self.nodes.append(helper.make_node("Identity", [value], [name], name))
        return helper.make_tensor_value_info(name, kind, shape)
