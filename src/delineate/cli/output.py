"""How commands speak: data on stdout, talk on stderr, errors with a hint."""

import errno
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

INTERRUPTED = 130
TERMINATED = 143
PIPE_CLOSED = 141


def say(text: str = "") -> None:
    """Say something to the person: on stderr."""
    print(text, file=sys.stderr, flush=True)


def put(values: Mapping[str, Any], *, as_json: bool, text: str) -> None:
    """Give the result on stdout: one JSON object, or text for people.

    A reader that has closed the pipe, as ``head`` does, ends the command like any other.
    """
    try:
        print(json.dumps(values) if as_json else _writable(text), flush=True)
    except BrokenPipeError:
        # What is left in the buffer must not be written again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(PIPE_CLOSED) from None


def _writable(text: str) -> str:
    """Return text that stdout takes, as stderr does by itself: with what it cannot write escaped.

    File names may hold bytes that are no text, and a terminal may know ASCII alone.
    """
    if sys.stdout.errors != "strict":
        return text
    encoding = sys.stdout.encoding
    return text.encode(encoding, "backslashreplace").decode(encoding)


@contextmanager
def errors_told(*, trace: bool) -> Iterator[None]:
    """Turn every error into ``error:`` and ``hint:`` on stderr and the exit code.

    Args:
        trace: Whether to print the traceback as well.
    """
    from delineate.errors import DelineateError
    from delineate.interrupt import Terminated, terminable

    try:
        with terminable():
            yield
    except DelineateError as error:
        raise SystemExit(_tell(error.message, error.hint, error.exit_code, trace=trace)) from None
    except Terminated:
        say("stopped: the process was asked to end")
        raise SystemExit(TERMINATED) from None
    except KeyboardInterrupt:
        say("stopped")
        raise SystemExit(INTERRUPTED) from None
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        hint = "Free some space." if full else "Check the path and its permissions."
        raise SystemExit(_tell(f"{error}.", hint, 1, trace=trace)) from None
    except MemoryError:
        hint = "Close other programs, or take smaller images or a smaller network."
        raise SystemExit(_tell("The memory is full.", hint, 1, trace=trace)) from None
    except Exception as error:  # noqa: BLE001
        # A fault of ours, or of a library: nobody reads on through a traceback.
        first = str(error).strip().partition("\n")[0]
        hint = "Run it again with --traceback, and report what it says."
        told = f"{type(error).__name__}: {first}" if first else f"{type(error).__name__}."
        raise SystemExit(_tell(told, hint, 1, trace=trace)) from None


def progress_of(what: str) -> Callable[[int, int], None]:
    """Return what shows (done, all) in one line on a terminal, and nothing elsewhere."""
    last = 0.0

    def show(done: int, whole: int) -> None:
        nonlocal last
        now = time.monotonic()
        if sys.stderr.isatty() and (now - last > 0.1 or done == whole):
            last = now
            line(f"{what} {done}/{whole}" if whole else f"{what} {done}", end=done == whole)

    return show


def line(text: str, *, end: bool = False) -> None:
    """Write over the terminal's present line."""
    print(f"\r\x1b[2K{text}", end="\n" if end else "", file=sys.stderr, flush=True)


def table(rows: list[dict[str, Any]]) -> str:
    """Return rows as aligned columns of text; None is a dash."""
    if not rows:
        return "nothing"
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [columns, *([_cell(row.get(column)) for column in columns] for row in rows)]
    widths = [max(len(row[number]) for row in cells) for number in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def duration(seconds: float) -> str:
    """Return seconds as ``1:02:03`` or ``2:03``."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _tell(message: str, hint: str, code: int, *, trace: bool) -> int:
    if trace:
        traceback.print_exc()
    say(f"error: {message}")
    say(f"hint: {hint}")
    return code
