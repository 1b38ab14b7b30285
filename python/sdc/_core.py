"""Programs, results, reports, and the two parties."""
from __future__ import annotations

import datetime
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from ._errors import Error, OutputError, UsageError

try:
    from . import _sdc
except ImportError as error:  # the package's sources alone, as for sdc.sklearn
    raise ImportError("sdc's compiled module is missing: build the project, and add build/release/python to PYTHONPATH, "
                      f"or install the package ({error})") from error

Progress = Callable[[int, int], None]


class PrecisionWarning(UserWarning):
    """What the compiler could not prove, or measured to be coarse."""


def _arrays(records) -> dict[str, np.ndarray]:
    """An array, or one by input, as float32; complex numbers, objects and text are refused."""
    given = records if isinstance(records, Mapping) else {"": records}
    arrays = {}
    for name, value in given.items():
        array = np.asarray(value)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"records are numbers; {'input ' + repr(name) if name else 'these'} are of type {array.dtype}")
        arrays[str(name)] = np.ascontiguousarray(array, dtype=np.float32)
    return arrays


@contextmanager
def _reporting(progress):
    """A callback (done, all) from a callback, a tqdm-like class or object, True for tqdm's own bar, or None."""
    if progress is None or progress is False:
        yield None
        return
    if progress is True:
        try:
            from tqdm.auto import tqdm as progress
        except ImportError as error:
            raise UsageError("progress=True shows a bar of tqdm, which is not installed; give a function (done, all)") from error
    bar = progress(unit="record") if isinstance(progress, type) else progress
    if not hasattr(bar, "update"):
        yield bar
        return
    seen = [0]

    def update(done, all_):
        bar.total = all_
        bar.update(done - seen[0])
        seen[0] = done

    try:
        yield update
    finally:
        if isinstance(progress, type):
            bar.close()


@contextmanager
def _model_file(model):
    """The path of a model that is a path, bytes, or an onnx.ModelProto."""
    if isinstance(model, (str, os.PathLike)):
        yield os.fspath(model)
        return
    content = model if isinstance(model, (bytes, bytearray)) else getattr(model, "SerializeToString", lambda: None)()
    if content is None:
        raise TypeError(f"a model is a path, the bytes of an ONNX file, or an onnx.ModelProto, not {type(model).__name__}")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.onnx")
        with open(path, "wb") as file:
            file.write(content)
        yield path


def compile(model, *, scale: int = 1024, weight_scale: int | None = None, ring: int | None = None,
            bound: int | None = None, input_range: tuple[float, float] | Mapping[str, tuple[float, float]] | None = None,
            batch: int | None = None, shapes: Mapping[str, tuple[int, ...]] | tuple[int, ...] | None = None,
            calibrate=None, schema: Mapping | str | os.PathLike | None = None, reveal: str = "scores",
            ranges: str = "warn", min_records: int = 100, approximation_error: float = 2**-8,
            private_normalization: bool = False, round_outputs: bool = False, network: str = "lan",
            accept_error: bool = False, keep_model: bool = True) -> "Program":
    """Compiles a model.

    model: a path (.onnx, .onnxtext or .sdir), the bytes of an ONNX file, or an onnx.ModelProto.
    scale: activations hold round(v scale), a power of two from 2 to 65536; weight_scale the same of weights.
    ring: 32 or 64 bits. bound: values before comparisons stay below 2^bound.
    input_range: (low, high) of every value, or one by input; others are refused at run time.
    batch, shapes: sizes of dynamic dimensions.
    calibrate: records [n, ...] to measure ranges on, or one array by input.
    schema: what records and results mean (docs/schema.md): a dict, JSON, or a file's path.
    reveal: "scores", or "class" for the decision alone.
    ranges: "warn", "measured" (on min_records at least) or "require" (proved).
    keep_model: for check(); without, a large model's floats are given back as the compilation goes on.

    What the compiler can't prove or measures to be coarse becomes PrecisionWarning; what else `sdc compile` says is in
    the program's `notes`. Raises InputError for a model that
    can't be compiled (`problems` lists why, node by node), UsageError for options that make no sense.
    """
    options = {"scale": scale, "reveal": reveal, "ranges": ranges, "min_records": min_records,
               "approximation_error": approximation_error, "private_normalization": private_normalization,
               "round_outputs": round_outputs, "network": network, "accept_error": accept_error,
               "keep_model": keep_model}
    for name, value in {"weight_scale": weight_scale, "ring": ring, "bound": bound, "batch": batch}.items():
        if value is not None:
            options[name] = value
    if isinstance(input_range, Mapping):
        options["input_ranges"] = {name: tuple(map(float, r)) for name, r in input_range.items()}
    elif input_range is not None:
        options["input_range"] = tuple(map(float, input_range))
    if shapes is not None:
        options["shapes"] = {k: list(v) for k, v in (shapes if isinstance(shapes, Mapping) else {"": shapes}).items()}
    if calibrate is not None:
        options["calibrate"] = _arrays(calibrate)
    if schema is not None:
        options["schema"] = _schema_text(schema)
    with _model_file(model) as path:
        try:
            program = Program(_sdc.Program.compile(path, options))
        except Error as error:
            if isinstance(model, (str, os.PathLike)):
                raise
            raise type(error)(str(error).replace(path, "the model")) from None
    for text in program.warnings:
        warnings.warn(text, PrecisionWarning, stacklevel=2)
    return program


def _schema_text(schema) -> str:
    if isinstance(schema, Mapping):
        return json.dumps(schema)
    if isinstance(schema, str) and schema.lstrip().startswith("{"):
        return schema
    with open(schema, encoding="utf-8") as file:
        return file.read()


def load(path: str | os.PathLike) -> "Program":
    """A program from its .sdb file, with the weights beside it (.sdw) if they are there."""
    return Program(_sdc.Program.load(os.fspath(path)))


class Program:
    """A compiled program: public, but for the weights that a service has with it."""

    def __init__(self, native):
        self._native = native

    name = property(lambda self: self._native.name, doc="The model's name.")
    digest = property(lambda self: self._native.digest, doc="SHA-256 of the program's file, hexadecimal.")
    ring = property(lambda self: self._native.ring, doc="Bits of the integers: 32 or 64.")
    inputs = property(lambda self: self._native.inputs, doc="(name, shape) of each input of one run.")
    outputs = property(lambda self: self._native.outputs, doc="(name, shape) of each output of one run.")
    has_weights = property(lambda self: self._native.has_weights, doc="Whether this is a service's copy.")
    warnings = property(lambda self: self._native.warnings, doc="What the compiler warned of.")
    notes = property(lambda self: self._native.notes, doc="What else the compiler said: approximations, settings tried.")

    @property
    def schema(self) -> dict:
        """What records and results mean."""
        return json.loads(self._native.schema())

    def save(self, path: str | os.PathLike) -> None:
        """Writes model.sdb (public), and model.sdw (the weights, mode 0600) if there are weights."""
        self._native.save(os.fspath(path))

    def inspect(self) -> str:
        """What is public, who learns what, and what it costs, as `sdc inspect` prints it."""
        return self._native.inspect()

    def estimate(self, network: str = "lan") -> "Estimate":
        """What one record takes on "lan", "wan" or "rtt=MS,bandwidth=MBIT"."""
        return Estimate(json.loads(self._native.inspect_json([network])), network)

    def check(self, records, labels=None) -> "Report":
        """The fixed-point program beside the model's floats on records [n, ...]; labels: one class a record.

        Needs a program that was compiled here.
        """
        labels = [] if labels is None else np.asarray(labels, dtype=np.float32).reshape(-1).tolist()
        return Report(self._native.check(_arrays(records), labels), labels)

    def run_local(self, records, *, threads: int = 0, progress: Progress | bool | None = None) -> "Result":
        """Both parties in this process, with the protocols of two, on records [n, ...].

        progress: a function (done, all), a tqdm class or object, or True for a bar.
        """
        with _reporting(progress) as report:
            return Result(self, self._native.run_local(_arrays(records), threads, report))

    def read_records(self, files, *, input: str | None = None, window: str | tuple[float, float] | None = None, fit: str | None = None,
                     modality: str | Sequence[str] = (), id: str | Sequence[str] = ()) -> tuple[np.ndarray, list[str]]:
        """Records [n, ...] and their identifiers from files, prepared exactly as `sd-run` and `sdc prepare-records` do it.

        files: a path or several: .npy, .npz, .csv, .tsv, PNG, JPEG, DICOM or FHIR files, folders, patterns such as "scans/*.png".
        input: which input they are for, if the program has several.
        window: the values of a DICOM file that are black and white: "stored", "file", "image", or a pair; None: as the
            schema says, or "stored".
        fit: how an image gets the program's form: "stretch", "crop" or "pad"; None: as the schema says, or "stretch".
        modality: refuses DICOM files of others, such as "CR" or ["CR", "DX"].
        id: columns of a table that name its records.
        The identifiers are empty if the files name no record. What was left out is a warning.
        """
        paths = [files] if isinstance(files, (str, os.PathLike)) else files
        bounds = window or "" if isinstance(window, str | None) else ",".join(f"{float(end):.17g}" for end in window)
        names = [[each] if isinstance(each, str) else list(each) for each in (modality, id)]
        table, identifiers, notes = self._native.read_records([os.fspath(path) for path in paths], input or "", bounds, fit or "", *names)
        for note in notes:
            warnings.warn(note, stacklevel=2)
        name, shape = next(each for each in self.inputs if input in (None, each[0]))
        return table.reshape(-1, *shape[1:]), identifiers

    def __repr__(self):
        kept = "with weights" if self.has_weights else "without weights"
        return f"<sdc.Program {self.name!r}, {self.ring} bits, {kept}, digest {self.digest[:12]}>"


class Result:
    """The outputs of a run, and what it took."""

    def __init__(self, program: Program, native):
        self._program, self._native = program, native
        self.outputs: dict[str, np.ndarray] = native.outputs  # by name, [records, ...]
        self.records: int = native.records
        self.offline: dict = native.offline  # bytes by party, seconds
        self.online: dict = native.online

    @property
    def values(self) -> np.ndarray:
        """The only output, or the first: [records, ...]."""
        return next(iter(self.outputs.values()))

    def describe(self, record: int) -> list[dict]:
        """A record's result in words: {output, name, unit, value, holds} of each class, finding or measurement."""
        return self._program._native.describe(self._native, record)

    def report(self, format: str = "html", path: str | os.PathLike | None = None, *, identifiers: Sequence[str] = (),
               service: str = "") -> str:
        """All records as "html", "csv", "json" or "fhir" (an R4 bundle), as `sd-run --format` writes them; also to `path`.

        identifiers: one a record, such as read_records() gives; by default their numbers. service: whom the results are from.
        The file is readable by its owner alone.
        """
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        text = self._program._native.report(self._native, format, [str(each) for each in identifiers], service, now)
        if path is not None:
            try:
                with open(path, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                    file.write(text)
            except OSError as error:
                raise OutputError(f"{os.fspath(path)}: {error.strerror}") from error
        return text

    @property
    def classes(self) -> list[str | None]:
        """Of each record the name of the class that was chosen; None where the result is no class."""
        return [next((cell["name"] for cell in self.describe(i) if cell["holds"]), None) for i in range(self.records)]

    def __len__(self):
        return self.records

    def __repr__(self):
        names = ", ".join(f"{name} {value.shape}" for name, value in self.outputs.items())
        return f"<sdc.Result of {self.records} records: {names}>"


class Report:
    """How far fixed point is from floats on records. A secure run gives exactly `fixed`, if `within_bounds`."""

    def __init__(self, values: dict, labels: list[float]):
        self.floats: dict[str, np.ndarray] = values["floats"]  # by output, [records, ...]
        self.fixed: dict[str, np.ndarray] = values["fixed"]
        self.records: int = values["records"]
        self.same_class: float = values["same_class"] / max(self.records, 1)  # a part of the records
        self.float_accuracy = self._part(values["float_right"])  # None without labels
        self.fixed_accuracy = self._part(values["fixed_right"])
        self.largest_error: float = values["largest_error"]
        self.mean_error: float = values["mean_error"]
        self.range_error: float = values["range_error"]  # largest error, as a part of its output's range
        self.within_bounds: bool = values["within_bounds"]
        self._labels = np.asarray(labels, dtype=np.int64)

    def _part(self, count):
        return None if count is None else count / max(self.records, 1)

    @property
    def errors(self) -> np.ndarray:
        """The largest error of each record's outputs."""
        parts = [np.abs(self.floats[name] - self.fixed[name]).reshape(len(self.floats[name]), -1).max(1)
                 for name in self.floats]
        return np.max(parts, axis=0)

    def confusion(self, output: str | None = None) -> np.ndarray:
        """[labels, classes of the fixed-point program], counts; of scores with one column a class, or one number."""
        if not len(self._labels):
            raise UsageError("a confusion matrix needs labels: check(X, y)")
        scores = self.fixed[output or next(iter(self.fixed))]
        scores = scores.reshape(len(self._labels), -1)
        chosen = scores.argmax(1) if scores.shape[1] > 1 else np.rint(scores[:, 0]).astype(np.int64)
        if scores.shape[1] == 1 and not np.array_equal(scores[:, 0], chosen):  # a score, not a class's number
            chosen = (scores[:, 0] > (0.5 if scores.min() >= 0 and scores.max() <= 1 else 0)).astype(np.int64)
        size = int(max(self._labels.max(), chosen.max())) + 1
        matrix = np.zeros((size, size), dtype=np.int64)
        np.add.at(matrix, (self._labels, chosen), 1)
        return matrix

    def plot_errors(self, ax=None):
        """A histogram of the records' largest errors (matplotlib); gives the axes back."""
        ax = ax if ax is not None else _axes()
        ax.hist(self.errors, bins=min(50, max(5, self.records // 5)))
        ax.set_xlabel("largest |float - fixed| of a record")
        ax.set_ylabel("records")
        ax.set_title(f"same class in {100 * self.same_class:.2f} % of {self.records} records")
        return ax

    def plot_confusion(self, ax=None):
        """The confusion matrix (matplotlib); gives the axes back."""
        ax, matrix = ax if ax is not None else _axes(), self.confusion()
        ax.imshow(matrix, cmap="Blues")
        for (row, column), count in np.ndenumerate(matrix):
            ax.text(column, row, str(count), ha="center", va="center", color="white" if count > matrix.max() / 2 else "black")
        ax.set_xticks(range(matrix.shape[1]))
        ax.set_yticks(range(matrix.shape[0]))
        ax.set_xlabel("class of the program")
        ax.set_ylabel("label")
        return ax

    def __repr__(self):
        text = f"{self.records} records, same class {100 * self.same_class:.2f} %, largest error {self.largest_error:.3g}"
        if self.float_accuracy is not None:
            text += f", accuracy {100 * self.float_accuracy:.2f} % in floats, {100 * self.fixed_accuracy:.2f} % in fixed point"
        return f"<sdc.Report: {text}{'' if self.within_bounds else ', OUT OF BOUNDS'}>"


class Estimate:
    """What one record takes, predicted: bytes, round trips, seconds, memory. `data` is all of `sdc inspect --json`."""

    def __init__(self, data: dict, network: str):
        self.data, self.network = data, network

    @property
    def rows(self) -> list[dict]:
        """By layer of the model: its name and ops, bytes, comparisons, messages, seconds; free layers are left out."""
        rows = []
        for layer in self.data["layers"]:
            predicted = layer["predicted"][0]
            rows.append({**{key: value for key, value in layer.items() if key != "predicted"},
                         "online_seconds": predicted["online_seconds"], "offline_seconds": predicted["offline_seconds"]})
        return rows

    @property
    def online_bytes(self) -> int:
        return self.data["cost"]["online"]["bytes"]

    @property
    def offline_bytes(self) -> int:
        """Beside those of the OT extension."""
        return self.data["cost"]["offline"]["bytes"]

    @property
    def online_seconds(self) -> float:
        return self.data["predicted"][0]["online_seconds"]

    @property
    def offline_seconds(self) -> float:
        """For each record; the session's set-up is data["predicted"][0]["set_up_seconds"]."""
        return self.data["predicted"][0]["offline_seconds"]

    @property
    def round_trips(self) -> int:
        return self.data["cost"]["online"]["round_trips"]

    def plot(self, ax=None):
        """Bytes online by layer (matplotlib); gives the axes back."""
        ax, rows = ax if ax is not None else _axes(), self.rows
        ax.barh([row["layer"] for row in rows], [row["online_bytes"] for row in rows])
        ax.invert_yaxis()
        ax.set_xlabel("bytes online, a record")
        return ax

    def __repr__(self):
        return (f"<sdc.Estimate on {self.network}: {self.online_seconds:.3g} s and {self.online_bytes} bytes online in "
                f"{self.round_trips} round trips, {self.offline_seconds:.3g} s and {self.offline_bytes} bytes offline>")


def _axes():
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("plots need matplotlib (Debian: python3-matplotlib)") from error
    return plt.subplots()[1]


class Client:
    """The hospital, at a service elsewhere. Each predict() is a session of its own.

    address: "HOST:PORT". program: a Program, or the path of its .sdb; its digest must be the service's.
    tls: {"cert": ..., "key": ..., "ca": ...}, PEM files; without, plain TCP on this machine alone, or anywhere with
    allow_plaintext=True.
    """

    def __init__(self, address: str, *, program, tls: Mapping[str, str] | None = None, allow_plaintext: bool = False,
                 timeout: float = 60):
        self.program = program if isinstance(program, Program) else load(program)
        files = {name: os.fspath(path) for name, path in (tls or {}).items()}
        self._native = _sdc.Client(self.program._native, address, files, allow_plaintext, _seconds(timeout))

    def predict(self, records, *, threads: int = 0, progress: Progress | bool | None = None) -> Result:
        """The secure results of records [n, ...]. Raises NetworkError, RefusedError, InputError."""
        if self._native is None:
            raise UsageError("the client is closed")
        with _reporting(progress) as report:
            return Result(self.program, self._native.predict(_arrays(records), threads, report))

    def close(self) -> None:
        """Ends its use; there is no connection between calls."""
        self._native = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Service:
    """The service, in threads of this process: for tests and notebooks. `sd-serve` is for those that run for years.

    >>> with sdc.Service(program) as service:
    ...     sdc.Client(service.address, program=program).predict(X)
    """

    def __init__(self, program: Program, *, address: str = "127.0.0.1:0", tls: Mapping[str, str] | None = None,
                 allow_plaintext: bool = False, timeout: float = 60, sessions: int = 8):
        files = {name: os.fspath(path) for name, path in (tls or {}).items()}
        self._native = _sdc.Service(program._native, address, files, allow_plaintext, _seconds(timeout), sessions)

    address = property(lambda self: self._native.address, doc='"HOST:PORT", with the port that was chosen.')
    sessions = property(lambda self: self._native.sessions, doc="Sessions that have ended well.")
    records_served = property(lambda self: self._native.records_served, doc="Records of those sessions.")

    def stop(self) -> None:
        """Takes no more sessions, and lets those that go on come to their end."""
        self._native.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def _seconds(timeout: float) -> float:
    if not 0.1 <= timeout <= 1e6:
        raise UsageError(f"timeout = {timeout}: it is from 0.1 to 10^6 seconds")
    return float(timeout)
