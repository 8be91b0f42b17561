"""The exceptions of delineate.

Every error is one sentence that names the thing, its path and the value received, and a ``hint`` in
the imperative that says what to do. The command line prints both and exits with ``exit_code``; the
server answers with the same two strings.
"""

from collections.abc import Mapping
from typing import Any

# Characters of a refused value that an error repeats.
LONGEST_VALUE = 100


class DelineateError(Exception):
    """Anything that delineate refuses or could not do.

    Attributes:
        message: One sentence: what happened, to what, with which value.
        hint: One sentence in the imperative: what to do about it.
        exit_code: The exit code of the command line: 1 failed, 2 asked wrongly.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the hint when the error crosses a process border."""
        return _rebuild, (type(self), self.message, self.hint)


def _rebuild(kind: type[DelineateError], message: str, hint: str) -> DelineateError:
    return kind(message, hint=hint)


def reason_of(error: BaseException) -> str:
    """Return what a library's error says, in one line without a full stop; its kind if nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


class UsageError(DelineateError):
    """The caller asked for something that does not exist or makes no sense."""

    exit_code = 2


class RecipeError(UsageError):
    """A recipe has an unknown key, or a value that is not allowed."""


class DataError(DelineateError):
    """A folder, or an array, is not the data set that it should be."""


class ImageError(DataError):
    """A file is no image that can be read rightly."""


class BlendedError(ImageError):
    """A mask holds more colours than classes can have: they blend into each other."""


class NotNowError(DelineateError):
    """A file cannot be read for a reason of the machine, which says nothing about the file."""


class RunError(DelineateError):
    """A run folder cannot be made, found, resumed or written."""


class OutOfMemoryError(RunError):
    """A step of a training does not fit into the memory."""


class BundleError(DelineateError):
    """A bundle is incomplete, damaged or of another format."""


class WeightsError(DelineateError):
    """Pretrained weights cannot be had or read, or do not fit the encoder."""


class BackendError(DelineateError):
    """No Keras backend is installed, or another one is already loaded."""


class MissingExtraError(DelineateError):
    """An optional dependency is needed and not installed."""


def near_miss(name: str, known: list[str] | tuple[str, ...]) -> str:
    """Return `` Did you mean 'x'?`` for the nearest known name, or an empty string.

    Where none is near, it is the shortest that begins with what was given.
    """
    from difflib import get_close_matches

    longer = sorted((one for one in known if name and one.startswith(name)), key=len)
    found = get_close_matches(name, list(known), n=1, cutoff=0.5) or longer
    return f" Did you mean '{found[0]}'?" if found else ""


def refused_value(key: str, details: Mapping[str, Any]) -> str:
    """Return ``key = value is not allowed: why``, with a long value cut.

    Args:
        key: The key of the value, as it is written in the file.
        details: One of pydantic's errors.
    """
    value = repr(details["input"])
    if len(value) > LONGEST_VALUE:
        value = f"{value[:LONGEST_VALUE]}..."
    if details["type"] in ("too_short", "too_long"):
        least, most = (details["ctx"].get(name) for name in ("min_length", "max_length"))
        bound = f"least {least}" if least is not None else f"most {most}"
        why = f"it should have at {bound} items, not {len(details['input'])}"
    else:
        message = str(details["msg"]).removeprefix("Value error, ")
        why = f"{message[:1].lower()}{message[1:]}"
    return f"{key} = {value} is not allowed: {why}"
