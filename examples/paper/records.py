"""Test records of the paper's data sets: the few that are here, or whole test sets from a folder of the original files."""
import csv
import gzip
import json
import os

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = {
    "m1": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
    "m2": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
    "c1": ("test_batch.bin", "test_lossless_100.bin"),  # either
    "bc": ("wdbc.data",),
    "di": ("pima-indians-diabetes.data.csv",),
    "li": ("Indian Liver Patient Dataset (ILPD).csv",),
    "th": ("ann-test.data",),
}


def load(network, folder):
    """Records in 0 to 1 by steps of 1/255, as the paper takes them, and their classes or None. folder: None for what is here."""
    pixels, classes = original(network.name, folder) if folder else (None, None)
    if pixels is None:
        pixels, classes = here(network)
    return (pixels.reshape(-1, *network.shape) / np.float32(255)).astype(np.float32), classes


def here(network):
    with np.load(os.path.join(HERE, "records.npz")) as stored:
        if f"{network.name}.x" in stored.files:
            return stored[f"{network.name}.x"], stored[f"{network.name}.y"].astype(np.int64)
    # No image of MNIST and CIFAR-10 is here. What a run takes does not depend on its record.
    return np.random.default_rng(1).integers(0, 256, (24, *network.shape), np.uint8), None


def original(name, folder):
    found = [path for path in (find(folder, file) for file in FILES[name]) if path]
    if not found or (name != "c1" and len(found) < len(FILES[name])):
        return None, None
    if name in ("m1", "m2"):
        return images(*found)
    if name == "c1":
        rows = np.fromfile(found[0], np.uint8).reshape(-1, 3073)
        return rows[:, 1:], rows[:, 0].astype(np.int64)
    pixels, classes, rows = table(name, found[0])
    return pixels[rows], classes[rows]


def table(name, path):
    """A medical file's records of 8 bits, their classes, and which rows are the test set."""
    values, classes = {"bc": wisconsin, "di": pima, "li": liver, "th": thyroid}[name](path)
    with open(os.path.join(HERE, "preparation.json")) as file:
        how = json.load(file)[name]
    low, high = np.array(how["low"]), np.array(how["high"])
    values = np.where(np.isnan(values), how["missing"], values)
    pixels = np.clip(np.round((values - low) / (high - low) * 255), 0, 255).astype(np.uint8)
    return pixels, classes, np.array(how.get("test_rows", range(len(pixels))))


def training(name, folder):
    """What a network may learn from: records of 8 bits and their classes, none of them in the test set. None without the files."""
    file = {"m1": "train-images-idx3-ubyte.gz", "th": "ann-train.data"}.get(name, FILES[name][0])
    path = find(folder, file)
    if not path:
        return None
    if name == "m1":
        labels = find(folder, "train-labels-idx1-ubyte.gz")
        return images(path, labels) if labels else None
    pixels, classes, tested = table(name, path)
    if name == "th":  # a file of its own
        return pixels, classes
    learnt = np.setdiff1d(np.arange(len(pixels)), tested)
    return pixels[learnt], classes[learnt]


def images(pixels, labels):
    with gzip.open(pixels) as first, gzip.open(labels) as second:
        return (np.frombuffer(first.read(), np.uint8, offset=16).reshape(-1, 784),
                np.frombuffer(second.read(), np.uint8, offset=8).astype(np.int64))


def find(folder, file):
    for where, _, files in sorted(os.walk(folder)):
        if file in files:
            return os.path.join(where, file)
    return None


def wisconsin(path):
    with open(path) as file:
        rows = [row for row in csv.reader(file) if row]
    return np.array([row[2:] for row in rows], float), np.array([int(row[1] == "M") for row in rows])


def pima(path):
    rows = np.loadtxt(path, delimiter=",")
    rows[:, 1:6][rows[:, 1:6] == 0] = np.nan  # glucose, pressure, skin, insulin, BMI: 0 stands for not measured
    return rows[:, :-1], rows[:, -1].astype(np.int64)


def liver(path):
    with open(path, newline="") as file:
        rows = [row for row in csv.reader(file) if row and row[0].isdigit()]
    sex = {"Male": 1, "Female": 0}
    values = [[float(sex.get(cell, cell or "nan")) for cell in row[:10]] for row in rows]
    return np.array(values), np.array([int(row[10] == "1") for row in rows])


def thyroid(path):
    with open(path) as file:
        rows = np.array([line.replace(",", " ").split() for line in file], float)
    return rows[:, :-1], rows[:, -1].astype(np.int64) - 1
