"""The compiled module, of which _core.py makes the package's interface."""
from collections.abc import Callable
from typing import Any

import numpy as np

class Result:
    outputs: dict[str, np.ndarray]
    records: int
    offline: dict[str, float]
    online: dict[str, float]

class Program:
    has_weights: bool
    has_model: bool
    warnings: list[str]
    notes: list[str]
    name: str
    digest: str
    ring: int
    inputs: list[tuple[str, tuple[int, ...]]]
    outputs: list[tuple[str, tuple[int, ...]]]
    @staticmethod
    def compile(model: str, options: dict[str, Any]) -> Program: ...
    @staticmethod
    def load(path: str) -> Program: ...
    def save(self, path: str) -> None: ...
    def schema(self) -> str: ...
    def inspect(self) -> str: ...
    def inspect_json(self, networks: list[str]) -> str: ...
    def check(self, records: dict[str, np.ndarray], labels: list[float]) -> dict[str, Any]: ...
    def run_local(self, records: dict[str, np.ndarray], threads: int, progress: Callable[[int, int], None] | None) -> Result: ...
    def describe(self, result: Result, record: int) -> list[dict[str, Any]]: ...

class Client:
    def __init__(self, program: Program, address: str, tls: dict[str, str], allow_plaintext: bool, timeout: float) -> None: ...
    def predict(self, records: dict[str, np.ndarray], threads: int, progress: Callable[[int, int], None] | None) -> Result: ...

class Service:
    address: str
    sessions: int
    records_served: int
    def __init__(self, program: Program, address: str, tls: dict[str, str], allow_plaintext: bool, timeout: float, sessions: int) -> None: ...
    def stop(self) -> None: ...
