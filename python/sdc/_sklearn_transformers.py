"""Transformers: a float matrix to a float matrix."""
from __future__ import annotations

import numpy as np

from ._sklearn_graph import Graph, NotSupported


def apply(graph: Graph, step, x: str) -> str:
    """Appends a fitted transformer to the graph; gives the name of its result."""
    if isinstance(step, str) or step is None:
        if step in ("passthrough", None):
            return x
        raise NotSupported(f"the step '{step}'")
    kind = type(step).__name__
    if kind == "Pipeline":
        for _, inner in step.steps:
            x = apply(graph, inner, x)
        return x
    if kind not in TABLE:
        raise NotSupported(f"{kind} is not supported as a transformer; supported: {', '.join(sorted(TABLE))}")
    return TABLE[kind](graph, step, x)


def _scaled(graph, x, offset, scale):
    return graph.ml("Scaler", x, offset=[float(v) for v in offset], scale=[float(v) for v in scale])


def _standard_scaler(graph, step, x):
    n = step.n_features_in_
    return _scaled(graph, x, step.mean_ if step.with_mean else np.zeros(n),
                   1 / step.scale_ if step.with_std else np.ones(n))


def _robust_scaler(graph, step, x):
    n = step.n_features_in_
    return _scaled(graph, x, step.center_ if step.with_centering else np.zeros(n),
                   1 / step.scale_ if step.with_scaling else np.ones(n))


def _max_abs_scaler(graph, step, x):
    return _scaled(graph, x, np.zeros(step.n_features_in_), 1 / step.scale_)


def _min_max_scaler(graph, step, x):
    # x scale + min = (x - (-min / scale)) scale
    x = _scaled(graph, x, -step.min_ / step.scale_, step.scale_)
    if step.clip:
        low, high = step.feature_range
        x = graph.add("Clip", x, graph.constant(low), graph.constant(high))
    return x


def _normalizer(graph, step, x):
    return graph.ml("Normalizer", x, norm=step.norm.upper())


def _imputer(graph, step, x):
    if step.add_indicator:
        raise NotSupported("SimpleImputer with add_indicator")
    if np.isnan(np.asarray(step.statistics_, dtype=float)).any():
        raise NotSupported("SimpleImputer with a column that holds no value")
    return graph.ml("Imputer", x, imputed_value_floats=[float(v) for v in step.statistics_],
                    replaced_value_float=float(step.missing_values))


def _binarizer(graph, step, x):
    return graph.ml("Binarizer", x, threshold=float(step.threshold))


def _columns(graph, x, indices):
    return graph.add("Gather", x, graph.constant(indices, np.int64), axis=1)


def _one_hot_encoder(graph, step, x):
    if getattr(step, "drop_idx_", None) is not None:
        raise NotSupported("OneHotEncoder with drop")
    encoded = []
    for i, categories in enumerate(step.categories_):
        values = np.asarray(categories, dtype=float)
        if not np.array_equal(values, np.round(values)):
            raise NotSupported(f"OneHotEncoder: the categories of column {i} are not whole numbers")
        column = graph.add("Cast", _columns(graph, x, [i]), to=7)  # INT64
        hot = graph.ml("OneHotEncoder", column, cats_int64s=[int(v) for v in values],
                       zeros=int(step.handle_unknown != "error"))
        encoded.append(graph.add("Reshape", hot, graph.constant([-1, len(values)], np.int64)))
    return graph.add("Concat", *encoded, axis=1)


def _pca(graph, step, x):
    if step.mean_ is not None:
        x = graph.add("Sub", x, graph.constant(step.mean_))
    matrix = step.components_.T
    if step.whiten:
        matrix = matrix / np.sqrt(step.explained_variance_)
    return graph.add("MatMul", x, graph.constant(matrix))


def _truncated_svd(graph, step, x):
    return graph.add("MatMul", x, graph.constant(step.components_.T))


def _selector(graph, step, x):
    return _columns(graph, x, np.flatnonzero(step.get_support()))


def _column_transformer(graph, step, x):
    parts = []
    for name, transformer, columns in step.transformers_:
        if isinstance(transformer, str) and transformer == "drop":
            continue
        indices = step._transformer_to_input_indices[name]
        if len(indices):
            parts.append(apply(graph, transformer, _columns(graph, x, indices)))
    return parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=1)


def _feature_union(graph, step, x):
    if step.transformer_weights:
        raise NotSupported("FeatureUnion with transformer_weights")
    return graph.add("Concat", *[apply(graph, t, x) for _, t in step.transformer_list if t != "drop"], axis=1)


TABLE = {
    "StandardScaler": _standard_scaler, "MinMaxScaler": _min_max_scaler, "MaxAbsScaler": _max_abs_scaler,
    "RobustScaler": _robust_scaler, "Normalizer": _normalizer, "SimpleImputer": _imputer, "Binarizer": _binarizer,
    "OneHotEncoder": _one_hot_encoder, "PCA": _pca, "TruncatedSVD": _truncated_svd, "SelectKBest": _selector,
    "SelectPercentile": _selector, "SelectFromModel": _selector, "VarianceThreshold": _selector, "RFE": _selector,
    "RFECV": _selector, "ColumnTransformer": _column_transformer, "FeatureUnion": _feature_union,
}
