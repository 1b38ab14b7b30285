"""Secure two-party inference of ONNX models.

>>> program = sdc.compile("model.onnx", scale=1024, input_range=(0, 1))    # also an onnx.ModelProto
>>> report = program.check(X, y)                                           # fixed point beside floats
>>> result = program.run_local(X)                                          # both parties, in this process
>>> result.classes
>>> program.save("model.sdb")                                              # and model.sdw, the service's weights

A service elsewhere: `Client`. One in this process, for tests and notebooks: `Service`. Models of scikit-learn and PyTorch:
`sdc.sklearn.export`, `sdc.torch.export`. An estimator for scikit-learn: `SecureClassifier`.
"""
from ._errors import Error, InputError, NetworkError, OutputError, RefusedError, ResourcesError, UsageError

_NATIVE = ("compile", "load", "Program", "Result", "Report", "Estimate", "Client", "Service", "PrecisionWarning")
_ESTIMATORS = ("SecureClassifier", "SecureRegressor")

__all__ = [*_NATIVE, *_ESTIMATORS, "Error", "InputError", "NetworkError", "OutputError", "RefusedError",
           "ResourcesError", "UsageError"]


def __getattr__(name):  # what needs the compiled module, when it is asked for
    import importlib

    if name in _NATIVE:
        return getattr(importlib.import_module("._core", __name__), name)
    if name in _ESTIMATORS:
        return getattr(importlib.import_module("._estimator", __name__), name)
    if name in ("sklearn", "torch"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module 'sdc' has no attribute '{name}'")


def __dir__():
    return sorted([*__all__, "sklearn", "torch"])
