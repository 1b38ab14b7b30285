"""Decision trees as ONNX's TreeEnsemble operators."""
from __future__ import annotations

import numpy as np


def float_below(threshold: float) -> float:
    """The largest float32 that is at most `threshold`.

    scikit-learn compares float32 values with thresholds of 64 bits; x <= threshold then is x <= float_below(threshold).
    """
    rounded = np.float32(threshold)
    return float(rounded if rounded <= threshold else np.nextafter(rounded, np.float32(-np.inf)))


class Ensemble:
    """Collects trees; `attributes()` are those of TreeEnsembleClassifier ("class") or TreeEnsembleRegressor ("target")."""

    def __init__(self, prefix: str):
        self._prefix, self._trees = prefix, 0
        self._nodes = {key: [] for key in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids",
                                           "falsenodeids", "missing_value_tracks_true", "hitrates")}
        self._leaves = {key: [] for key in ("treeids", "nodeids", "ids", "weights")}

    def begin_tree(self):
        self._tree, self._trees = self._trees, self._trees + 1

    def _node(self, node, mode, feature=0, value=0.0, left=0, right=0, missing_left=False):
        row = dict(treeids=self._tree, nodeids=node, featureids=feature, values=value, modes=mode, truenodeids=left,
                   falsenodeids=right, missing_value_tracks_true=int(missing_left), hitrates=1.0)
        for key, entry in row.items():
            self._nodes[key].append(entry)

    def branch(self, node, feature, threshold, left, right, missing_left=False):
        """x[feature] <= threshold goes to `left`."""
        self._node(int(node), "BRANCH_LEQ", int(feature), float_below(threshold), int(left), int(right), missing_left)

    def leaf(self, node, weights):
        """`weights`: what the leaf adds, by class or target."""
        self._node(int(node), "LEAF")
        for i, weight in enumerate(weights):
            row = dict(treeids=self._tree, nodeids=int(node), ids=i, weights=float(weight))
            for key, entry in row.items():
                self._leaves[key].append(entry)

    def attributes(self) -> dict:
        named = {f"nodes_{key}": values for key, values in self._nodes.items()}
        named.update({f"{self._prefix}_{key}": values for key, values in self._leaves.items()})
        return named


def add_tree(ensemble: Ensemble, tree, values):
    """A sklearn.tree `Tree`; `values[i]` are the weights of node i, should it be a leaf."""
    ensemble.begin_tree()
    for node in range(tree.node_count):
        if tree.children_left[node] == -1:
            ensemble.leaf(node, values[node])
        else:
            ensemble.branch(node, tree.feature[node], tree.threshold[node], tree.children_left[node],
                            tree.children_right[node])


def add_histogram_tree(ensemble: Ensemble, predictor, index: int, outputs: int):
    """A tree of HistGradientBoosting, for output `index` of `outputs`."""
    ensemble.begin_tree()
    for i, node in enumerate(predictor.nodes):
        if node["is_leaf"]:
            weights = np.zeros(outputs)
            weights[index] = node["value"]
            ensemble.leaf(i, weights)
        else:
            if node["is_categorical"]:
                raise ValueError("categorical splits of HistGradientBoosting")
            ensemble.branch(i, node["feature_idx"], node["num_threshold"], node["left"], node["right"],
                            bool(node["missing_go_to_left"]))
