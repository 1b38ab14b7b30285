"""scikit-learn estimators and pipelines to ONNX, without skl2onnx.

>>> model = sdc.sklearn.export(pipeline)          # an onnx.ModelProto
>>> sdc.sklearn.export(pipeline, "model.onnx")    # and a file

Every exported model takes one float tensor ``X`` of shape [N, features]. A classifier gives ``label`` (int64, [N]: the
class, or its position where classes are no integers) and ``scores`` (float, [N, classes], or the decision function of a
linear SVM; for three and more classes of an `SVC`, those of its pairs of classes); a regressor gives ``value`` (float, [N, targets]).
"""
from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from . import _sklearn_models, _sklearn_transformers
from ._sklearn_graph import Graph, NotSupported

__all__ = ["export", "supported", "NotSupported"]

OPSET, ML_OPSET, IR_VERSION = 13, 3, 8


def supported() -> list[str]:
    """The names of the estimators that `export` knows."""
    return sorted({**_sklearn_transformers.TABLE, **_sklearn_models.TABLE, "Pipeline": None})


def export(estimator, path=None, *, feature_names=None, outputs=None) -> onnx.ModelProto:
    """A fitted estimator or pipeline as an ONNX model.

    estimator: fitted; `supported()` lists the kinds.
    path: also written there, unless None.
    feature_names: names of the columns, for the model's metadata; taken from the estimator where it was fitted on a
        table with names.
    outputs: names of those to keep, such as ["scores"]; each that is left out is neither computed nor opened. All by default.

    Raises NotSupported for an estimator or an option that has no exact form in ONNX.
    """
    features = getattr(estimator, "n_features_in_", None)
    if features is None:
        raise NotSupported(f"{type(estimator).__name__} is not fitted, or does not say how many features it takes")
    graph = Graph()
    steps = [step for _, step in estimator.steps] if type(estimator).__name__ == "Pipeline" else [estimator]
    value, last = "X", steps[-1]
    for step in steps[:-1]:
        value = _sklearn_transformers.apply(graph, step, value)
    if hasattr(last, "predict"):
        made = _sklearn_models.apply(graph, last, value)
    else:
        value = _sklearn_transformers.apply(graph, last, value)
        made = [graph.rename(value, "value", TensorProto.FLOAT, ["N", None])]
    kept = [each for each in made if outputs is None or each.name in outputs]
    if not kept or (outputs is not None and sorted(outputs) != sorted(each.name for each in kept)):
        raise ValueError(f"outputs are some of {[each.name for each in made]}, each once, not {list(outputs)}")
    nodes, initializers = _needed(graph, {each.name for each in kept})

    model = helper.make_model(
        helper.make_graph(nodes, type(last).__name__,
                          [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["N", features])], kept, initializers),
        producer_name="sdc.sklearn",
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)])
    model.ir_version = IR_VERSION
    names = feature_names if feature_names is not None else getattr(estimator, "feature_names_in_", None)
    metadata = {}
    if names is not None:
        if len(names) != features:
            raise ValueError(f"{len(names)} feature names for {features} features")
        metadata["feature_names"] = ",".join(map(str, names))
    if hasattr(estimator, "classes_"):
        metadata["class_names"] = ",".join(map(str, np.asarray(estimator.classes_).tolist()))
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    if path is not None:
        onnx.save(model, path)
    return model


def _needed(graph, values):
    """The nodes and initializers that these values are computed from."""
    nodes = []
    for node in reversed(graph.nodes):
        if not values.isdisjoint(node.output):
            nodes.append(node)
            values = values | set(node.input)
    return nodes[::-1], [each for each in graph.initializers if each.name in values]
