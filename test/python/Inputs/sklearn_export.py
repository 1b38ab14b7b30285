"""Exports scikit-learn pipelines; their own predictions are the labels that `sdc check` compares with."""
import sys
import warnings

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC, OneClassSVM

import sdc.sklearn

warnings.filterwarnings("ignore")
folder = sys.argv[1]
cancer, iris = load_breast_cancer(return_X_y=True), load_iris(return_X_y=True)
columns = ColumnTransformer([("a", StandardScaler(), [0, 2]), ("b", MinMaxScaler(), [3, 1])])
for name, pipeline, (X, y) in (
        ("logistic", make_pipeline(StandardScaler(), LogisticRegression()), cancer),
        ("linear-svc", make_pipeline(MinMaxScaler(), LinearSVC(random_state=0)), iris),
        ("network", make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=80, random_state=0)), iris),
        ("columns", make_pipeline(columns, LogisticRegression()), iris)):
    X = X.astype(np.float32)
    sdc.sklearn.export(pipeline.fit(X, y), f"{folder}/{name}.onnx")
    np.save(f"{folder}/{name}.npy", X)
    np.save(f"{folder}/{name}-labels.npy", pipeline.predict(X).astype(np.int64))
try:
    sdc.sklearn.export(OneClassSVM().fit(iris[0]))
except sdc.sklearn.NotSupported as error:
    print(error)
# Outputs that are left out, and what they alone need, are not in the model.
network = MLPClassifier((8,), max_iter=80, random_state=0).fit(*iris)
whole, scores, label = (sdc.sklearn.export(network, outputs=kept) for kept in (None, ["scores"], ["label"]))
print([[each.name for each in model.graph.output] for model in (whole, scores, label)],
      "ArgMax" in {node.op_type for node in whole.graph.node}, "ArgMax" in {node.op_type for node in scores.graph.node})
for kept in (["score"], [], ["label", "label"]):
    try:
        sdc.sklearn.export(network, outputs=kept)
        print("no error")
    except ValueError as error:
        print(error)
