"""A process that is given one task after another, and that may be lost: it hangs, or it dies.

What it runs is a module of ours that calls :func:`serve`. As a program, for the test of this file:
``python -m tests.campaigns.worker`` answers with its task, or is lost as the task says.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class LostError(Exception):
    """The process gives no answer any more; the text says how it was lost."""


class Worker:
    """Runs ``python -m MODULE ARGUMENT...``, which answers each task in turn."""

    def __init__(self, module: str, *arguments: object) -> None:
        command = [sys.executable, "-m", module, *map(str, arguments)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, **pipes)

    def ask(self, task: Any, *, within: float, moving: Callable[[], object] = lambda: None) -> Any:
        """Return the answer to a task, plain values as for JSON.

        Args:
            task: Likewise.
            within: Seconds; after so many without an answer, and without a change of ``moving``,
                the process is killed.
            moving: Tells how far the task is.

        Raises:
            LostError: It was killed, or has died.
        """
        try:
            self.process.stdin.write(json.dumps(task).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise LostError(self._how()) from None
        last, since = moving(), time.monotonic()
        while not select.select([self.process.stdout], [], [], min(within, 0.5))[0]:
            if moving() != last:
                last, since = moving(), time.monotonic()
            elif time.monotonic() - since > within:
                self.process.kill()
                self.process.wait()
                raise LostError("hangs")
        line = self.process.stdout.readline()
        if not line:
            raise LostError(self._how())
        return json.loads(line)

    def _how(self) -> str:
        return f"ends with {self.process.wait()}"

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.stdout.close()


def serve(do: Callable[[Any], Any]) -> None:
    """Answer each task on stdin, until there are no more; all else that is printed is lost."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(do(json.loads(line))) + "\n")
        answers.flush()


def _echo(task: Any) -> Any:
    if task == "hang":
        threading.Event().wait()
    if task == "die":
        os._exit(3)
    print("what nobody hears")
    return task


if __name__ == "__main__":
    serve(_echo)
