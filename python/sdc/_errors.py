"""What sdc raises, by kind; the numbers are the exit codes of the tools."""
import itertools


class Error(Exception):
    """Something failed; the message says what, and what to do."""


class ResourcesError(Error, MemoryError):
    """Memory, threads or descriptors ran out."""


class UsageError(Error, ValueError):
    """An option that makes no sense, or a call at the wrong time."""


class InputError(Error, ValueError):
    """A file, model, program or record is not as it must be. A model's problems stand in `problems`, one each."""

    @property
    def problems(self) -> list[str]:
        """The lines after the first: for a model that can't be compiled, what stands in the way, node by node. Without
        the compiler's warnings and notes, which come last."""
        lines = itertools.takewhile(lambda line: not line.startswith(("warning: ", "note: ")), str(self).splitlines()[1:])
        return [line.strip() for line in lines]


class OutputError(Error, OSError):
    """A file can't be written."""


class NetworkError(Error, ConnectionError):
    """No peer was reached, or the link to it was lost or too slow."""


class RefusedError(Error, PermissionError):
    """The peer ended the session; the message says why."""


class InterruptedError_(Error):
    """The run was cancelled."""


_KINDS = {1: ResourcesError, 2: UsageError, 3: InputError, 4: OutputError, 5: NetworkError, 6: RefusedError,
          8: InterruptedError_}


def error_of(kind: int, message: str) -> Error:
    return _KINDS.get(kind, Error)(message)
