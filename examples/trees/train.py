#!/usr/bin/python3
"""Trains a forest and a boosted ensemble on the Wisconsin breast cancer data that scikit-learn ships, and writes into a folder

    forest.onnx, boosting.onnx    the ensembles, by sdc.sklearn
    schema.json                   name and range of each measurement, so that each is compared as finely as its range allows
    records.npy, labels.npy       records that the training never saw, and their diagnoses

Packages: python3-sklearn, python3-onnx.
"""
import json
import os
import sys

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.model_selection import train_test_split

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "python"))
import sdc.sklearn  # noqa: E402

folder = sys.argv[1]
data = load_breast_cancer()
x = data.data.astype(np.float32)
malignant = (data.target == 0).astype(np.int64)
train_x, test_x, train_y, test_y = train_test_split(x, malignant, test_size=0.2, stratify=malignant, random_state=0)

for name, model in (("forest", RandomForestClassifier(100, random_state=0)),
                    ("boosting", GradientBoostingClassifier(n_estimators=50, random_state=0))):
    model.fit(train_x, train_y)
    sdc.sklearn.export(model, f"{folder}/{name}.onnx")
    np.save(f"{folder}/{name}-labels.npy", model.predict(test_x).astype(np.int64))
    print(f"{name}: {100 * model.score(test_x, test_y):.2f} % of {len(test_y)} records right")

# What a measurement may be: twice what was seen.
columns = [{"name": name, "range": [0, float(np.float32(2 * column.max()))]} for name, column in zip(data.feature_names, x.T)]
with open(f"{folder}/schema.json", "w") as out:
    json.dump({"inputs": [{"name": "X", "columns": columns}]}, out, indent=1)
np.save(f"{folder}/records.npy", test_x)
np.save(f"{folder}/labels.npy", test_y)
np.save(f"{folder}/patients.npy", test_x[:4])
