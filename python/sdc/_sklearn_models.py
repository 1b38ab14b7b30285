"""Classifiers and regressors: a float matrix to the graph's outputs."""
from __future__ import annotations

import numpy as np
from onnx import TensorProto

from ._sklearn_graph import Graph, NotSupported
from ._sklearn_trees import Ensemble, add_histogram_tree, add_tree


def apply(graph: Graph, model, x: str) -> list:
    """Appends a fitted model to the graph; gives the graph's outputs."""
    kind = type(model).__name__
    if kind not in TABLE:
        raise NotSupported(f"{kind} is not supported as a model; supported: {', '.join(sorted(TABLE))}")
    return TABLE[kind](graph, model, x)


def _labels(model) -> list[int]:
    """The classes, if they are integers, else their positions."""
    classes = np.asarray(model.classes_)
    if classes.ndim != 1:
        raise NotSupported("several outputs")
    whole = np.issubdtype(classes.dtype, np.integer) or classes.dtype == bool
    return [int(c) for c in classes] if whole else list(range(len(classes)))


def _classified(graph, label, scores, classes):
    return [graph.rename(label, "label", TensorProto.INT64, ["N"]),
            graph.rename(scores, "scores", TensorProto.FLOAT, ["N", classes])]


def _value(graph, value, targets=1):
    return [graph.rename(graph.add("Reshape", value, graph.constant([-1, targets], np.int64)), "value",
                         TensorProto.FLOAT, ["N", targets])]


# Linear models

def _linear_classifier(graph, model, x, transform="NONE", normalized=False):
    coefficients = np.atleast_2d(model.coef_)
    intercepts = np.broadcast_to(model.intercept_, coefficients.shape[0])
    if coefficients.shape[0] == 1:  # one row, for the second of two classes
        coefficients, intercepts = np.vstack([-coefficients, coefficients]), np.hstack([-intercepts, intercepts])
    label, scores = graph.ml("LinearClassifier", x, outputs=2, coefficients=[float(c) for c in coefficients.ravel()],
                             intercepts=[float(b) for b in intercepts], multi_class=1, post_transform=transform,
                             classlabels_ints=_labels(model))
    if normalized:
        scores = graph.ml("Normalizer", scores, norm="L1")
    return _classified(graph, label, scores, coefficients.shape[0])


def _logistic_regression(graph, model, x):
    one_versus_rest = model.multi_class == "ovr" or (
        model.multi_class == "auto" and (len(model.classes_) <= 2 or model.solver == "liblinear"))
    if len(model.classes_) == 2 and not one_versus_rest:
        raise NotSupported("LogisticRegression(multi_class='multinomial') of two classes")
    if len(model.classes_) == 2:
        return _linear_classifier(graph, model, x, "LOGISTIC")
    return _linear_classifier(graph, model, x, "LOGISTIC", True) if one_versus_rest else _linear_classifier(
        graph, model, x, "SOFTMAX")


def _sgd_classifier(graph, model, x):
    if model.loss in ("log_loss", "log"):
        return _linear_classifier(graph, model, x, "LOGISTIC", len(model.classes_) > 2)
    return _linear_classifier(graph, model, x)


def _linear_regressor(graph, model, x):
    coefficients = np.atleast_2d(model.coef_)
    intercepts = np.broadcast_to(model.intercept_, coefficients.shape[0])
    value = graph.add("Gemm", x, graph.constant(coefficients.T), graph.constant(intercepts))
    return _value(graph, value, coefficients.shape[0])


# Networks

_ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid", "identity": None, "softmax": None}


def _network(graph, model, x):
    for i, (weights, biases) in enumerate(zip(model.coefs_, model.intercepts_)):
        x = graph.add("Gemm", x, graph.constant(weights), graph.constant(biases))
        if i + 1 < len(model.coefs_) and _ACTIVATIONS[model.activation]:
            x = graph.add(_ACTIVATIONS[model.activation], x)
    return x


def _mlp_classifier(graph, model, x):
    if getattr(model, "_label_binarizer").y_type_.startswith("multilabel"):
        raise NotSupported("MLPClassifier with several labels a record")
    x = _network(graph, model, x)
    if model.out_activation_ == "softmax":
        scores = graph.add("Softmax", x, axis=1)
    else:  # the score of the second class; that of the first is its negative
        scores = graph.add("Sigmoid", graph.add("Concat", graph.add("Neg", x), x, axis=1))
    return _voted(graph, model, scores)


def _mlp_regressor(graph, model, x):
    return _value(graph, _network(graph, model, x), model.coefs_[-1].shape[1])


def _voted(graph, model, scores):
    """The class of the largest score."""
    label = graph.add("ArgMax", scores, axis=1, keepdims=0)
    classes = _labels(model)
    if classes != list(range(len(classes))):
        label = graph.ml("ArrayFeatureExtractor", graph.constant(classes, np.int64), label)
        label = graph.add("Reshape", label, graph.constant([-1], np.int64))
    return _classified(graph, label, scores, len(classes))


# Trees

def _forest_classifier(graph, model, x, trees=None):
    trees = [e.tree_ for e in model.estimators_] if trees is None else trees
    ensemble, classes = Ensemble("class"), len(_labels(model))
    for tree in trees:
        votes = tree.value[:, 0, :]
        votes = votes / votes.sum(axis=1, keepdims=True) / len(trees)
        # Of two classes the second one's alone: with weights of both, onnxruntime takes the second wherever it has any.
        add_tree(ensemble, tree, votes[:, 1:] if classes == 2 else votes)
    label, scores = graph.ml("TreeEnsembleClassifier", x, outputs=2, post_transform="NONE", **ensemble.attributes(),
                             classlabels_int64s=_labels(model))
    return _classified(graph, label, scores, classes)


def _forest_regressor(graph, model, x, trees=None):
    trees = [e.tree_ for e in model.estimators_] if trees is None else trees
    ensemble, targets = Ensemble("target"), trees[0].n_outputs
    for tree in trees:
        add_tree(ensemble, tree, tree.value[:, :, 0] / len(trees))
    value = graph.ml("TreeEnsembleRegressor", x, n_targets=targets, post_transform="NONE", **ensemble.attributes())
    return _value(graph, value, targets)


def _tree_classifier(graph, model, x):
    return _forest_classifier(graph, model, x, [model.tree_])


def _tree_regressor(graph, model, x):
    return _forest_regressor(graph, model, x, [model.tree_])


def _boosted(graph, model, x, ensemble, start):
    """A sum of trees, as a regressor with a target for each score."""
    return graph.ml("TreeEnsembleRegressor", x, n_targets=len(start), base_values=[float(v) for v in start],
                    post_transform="NONE", **ensemble.attributes())


def _boosting_classifier(graph, model, x):
    # The raw scores of no tree at all: what the initial estimator gives, which is the same for every record.
    if model.init is not None and model.init != "zero":
        raise NotSupported("GradientBoostingClassifier with an estimator as init")
    if model.loss == "exponential":
        raise NotSupported("GradientBoostingClassifier(loss='exponential')")
    start = model._raw_predict_init(np.zeros((1, model.n_features_in_), dtype=np.float32))[0]
    ensemble = Ensemble("target")
    for stage in model.estimators_:
        for k, regressor in enumerate(stage):
            weights = np.zeros((regressor.tree_.node_count, len(start)))
            weights[:, k] = model.learning_rate * regressor.tree_.value[:, 0, 0]
            add_tree(ensemble, regressor.tree_, weights)
    return _link(graph, model, _boosted(graph, model, x, ensemble, start), len(start))


def _link(graph, model, raw, scores):
    if scores == 1:  # of the second class
        return _voted(graph, model, graph.add("Sigmoid", graph.add("Concat", graph.add("Neg", raw), raw, axis=1)))
    return _voted(graph, model, graph.add("Softmax", raw, axis=1))


def _boosting_regressor(graph, model, x):
    if model.init is not None and model.init != "zero":
        raise NotSupported("GradientBoostingRegressor with an estimator as init")
    start = model._raw_predict_init(np.zeros((1, model.n_features_in_), dtype=np.float32))[0]
    ensemble = Ensemble("target")
    for (regressor,) in model.estimators_:
        add_tree(ensemble, regressor.tree_, model.learning_rate * regressor.tree_.value[:, 0, :])
    return _value(graph, _boosted(graph, model, x, ensemble, start))


def _histogram_ensemble(model):
    ensemble, start = Ensemble("target"), np.ravel(model._baseline_prediction)
    for stage in model._predictors:
        for k, predictor in enumerate(stage):
            add_histogram_tree(ensemble, predictor, k, len(start))
    return ensemble, start


def _histogram_classifier(graph, model, x):
    ensemble, start = _histogram_ensemble(model)
    return _link(graph, model, _boosted(graph, model, x, ensemble, start), len(start))


def _histogram_regressor(graph, model, x):
    if model.loss not in ("squared_error", "absolute_error", "quantile"):
        raise NotSupported(f"HistGradientBoostingRegressor(loss='{model.loss}')")
    ensemble, start = _histogram_ensemble(model)
    return _value(graph, _boosted(graph, model, x, ensemble, start))


# Support vector machines

def _kernel(model) -> dict:
    kernels = {"linear": "LINEAR", "poly": "POLY", "rbf": "RBF", "sigmoid": "SIGMOID"}
    if model.kernel not in kernels:
        raise NotSupported(f"{type(model).__name__}(kernel={model.kernel!r})")
    if not isinstance(model.support_vectors_, np.ndarray):
        raise NotSupported(f"{type(model).__name__} that was fitted on a sparse matrix")
    return {"kernel_type": kernels[model.kernel],
            "kernel_params": [float(model._gamma), float(model.coef0), float(model.degree)]}


def _svc(graph, model, x):
    if len(model.classes_) > 2 and model.decision_function_shape != "ovr":
        raise NotSupported("SVC(decision_function_shape='ovo')")
    probabilities = {}
    if model.probability:
        probabilities = {"prob_a": [float(v) for v in model.probA_], "prob_b": [float(v) for v in model.probB_]}
    label, scores = graph.ml(
        "SVMClassifier", x, outputs=2, **_kernel(model), classlabels_ints=_labels(model), **probabilities, post_transform="NONE",
        support_vectors=[float(v) for v in model.support_vectors_.ravel()],
        vectors_per_class=[int(n) for n in model.n_support_],
        coefficients=[float(v) for v in model._dual_coef_.ravel()], rho=[float(v) for v in model._intercept_])
    if len(model.classes_) == 2:  # the operator gives the second class's score first
        scores = graph.add("Gather", scores, graph.constant([1, 0], np.int64), axis=1)
    return _classified(graph, label, scores, len(model.classes_))


def _svr(graph, model, x):
    value = graph.ml("SVMRegressor", x, **_kernel(model), n_supports=len(model.support_vectors_), one_class=0,
                     post_transform="NONE", support_vectors=[float(v) for v in model.support_vectors_.ravel()],
                     coefficients=[float(v) for v in model._dual_coef_.ravel()],
                     rho=[float(v) for v in model._intercept_])
    return _value(graph, value)


TABLE = {
    "LogisticRegression": _logistic_regression, "LogisticRegressionCV": _logistic_regression,
    "SGDClassifier": _sgd_classifier, "LinearSVC": _linear_classifier, "RidgeClassifier": _linear_classifier,
    "Perceptron": _linear_classifier,
    "LinearRegression": _linear_regressor, "Ridge": _linear_regressor, "Lasso": _linear_regressor,
    "ElasticNet": _linear_regressor, "LinearSVR": _linear_regressor, "SGDRegressor": _linear_regressor,
    "BayesianRidge": _linear_regressor, "HuberRegressor": _linear_regressor,
    "MLPClassifier": _mlp_classifier, "MLPRegressor": _mlp_regressor,
    "DecisionTreeClassifier": _tree_classifier, "ExtraTreeClassifier": _tree_classifier,
    "RandomForestClassifier": _forest_classifier, "ExtraTreesClassifier": _forest_classifier,
    "DecisionTreeRegressor": _tree_regressor, "ExtraTreeRegressor": _tree_regressor,
    "RandomForestRegressor": _forest_regressor, "ExtraTreesRegressor": _forest_regressor,
    "GradientBoostingClassifier": _boosting_classifier, "GradientBoostingRegressor": _boosting_regressor,
    "HistGradientBoostingClassifier": _histogram_classifier, "HistGradientBoostingRegressor": _histogram_regressor,
    "SVC": _svc, "SVR": _svr,
}
