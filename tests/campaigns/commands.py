"""Whole commands on a small made data set, in processes that may be ended at any moment.

As a program: ``python -m tests.campaigns.commands kill|full|count|file NUMBER FOLDER ARGUMENT...`` runs
``delineate ARGUMENT...``, and at the NUMBER-th time that something below FOLDER is about to be
written, renamed, made or deleted

- ``kill``: ends the process as ``kill -9`` does;
- ``full``: from then on lets nothing more be written, as a full disk does;
- ``count``: lets all go on, and says at the end how many times there were.

With ``file`` no file may grow beyond NUMBER bytes: writing fails within it.

With ``kill`` and ``count`` it is written down beside FOLDER when a resume point is about to get its
name: see ``saves_of``.
"""

import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from delineate.data.synthetic.nuclei import make_nuclei

QUICK = (
    "--recipe=unet-nuclei",
    "--set=data.size=[64, 64]",
    "--set=data.crops_per_image=1",
    "--set=model.depth=2",
    "--set=model.filters=4",
    "--set=training.epochs=3",
    "--set=training.batch_size=4",
    "--set=training.learning_rate=0.01",
    "--set=callbacks.pictures=2",
    "--set=callbacks.save_steps=1",
)
# What Python says before it touches files: see https://docs.python.org/3/library/audit_events.html
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
LOGGING = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# The name of a resume point: the epoch and the step to go on with, from 0.
POINT = re.compile(r"epoch(\d+)-step(\d+)\.npz")


def make_data(folder: Path) -> Path:
    """Return a folder of small nuclei, made where it is not there yet."""
    if not folder.is_dir():
        make_nuclei(folder, train=8, validation=3, test=3, sizes=((64, 64), (64, 80)))
    return folder


def start(*arguments: object, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a `delineate` command."""
    return start_python("-m", "delineate", *arguments, env=env)


def start_until(
    what: str, number: int, folder: Path, *arguments: object, env: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a `delineate` command that meets with something: see above."""
    # What an earlier one has saved is not what this one will.
    _log_of(folder).unlink(missing_ok=True)
    return start_python("-m", "tests.campaigns.commands", what, number, folder, *arguments, env=env)


def start_python(*arguments: object, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start Python with some arguments, where it finds these campaigns."""
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        env=os.environ | (env or {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Return a process's exit code and what it said on stderr, once it has ended."""
    _, said = process.communicate()
    return process.returncode, said.decode(errors="replace")


def is_told(said: str) -> bool:
    """Return whether a command has ended with one error and one hint, and without a traceback."""
    begun = [line.partition(": ")[0] for line in said.splitlines()]
    return begun.count("error") == begun.count("hint") == 1 and "Traceback" not in said


def moment_of(name: str) -> tuple[int, int] | None:
    """Return the epoch and the step, from 1, with which a resume point of some name goes on."""
    found = POINT.fullmatch(name)
    return (int(found[1]) + 1, int(found[2]) + 1) if found else None


def saves_of(folder: Path) -> list[tuple[float, tuple[int, int]]]:
    """Return when each resume point of a run was about to get its name, and its moment."""
    path = _log_of(folder)
    if not path.is_file():
        return []
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    return [(float(when), moment) for when, name in lines if (moment := moment_of(name))]


def _log_of(folder: Path) -> Path:
    return folder.absolute().with_name(f"saves-{folder.name}.txt")


class _Counter:
    """Counts what changes files below a folder, and acts from one time on."""

    def __init__(self, what: str, number: int, folder: Path) -> None:
        self.what, self.number, self.folder = what, number, str(folder.absolute())
        self.count = 0
        watched = what in ("kill", "count")
        self._log = os.open(_log_of(folder), LOGGING, 0o644) if watched else None

    def heard(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._changes(event, arguments):
            return
        self.count += 1
        if event == "os.rename":
            self._note(arguments[1])
        if self.what in ("count", "file") or self.count < self.number:
            return
        if self.what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "full" and event not in {"os.remove", "os.rmdir"}:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))

    def _note(self, target: object) -> None:
        """Write down that a resume point is about to get its name."""
        if self._log is not None and isinstance(target, str | bytes | os.PathLike):
            path = Path(os.fsdecode(target))
            if path.parent.name == "last" and moment_of(path.name):
                os.write(self._log, f"{time.time():.3f} {path.name}\n".encode())

    def _changes(self, event: str, arguments: tuple[object, ...]) -> bool:
        if event == "open":
            flags = arguments[2]
            writes = isinstance(flags, int) and bool(flags & WRITING)
        else:
            writes = event in CHANGES
        return (
            writes
            and isinstance(arguments[0], str | bytes | os.PathLike)
            and self._below(os.fsdecode(arguments[0]))
        )

    def _below(self, path: str) -> bool:
        return str(Path(path).absolute()).startswith(self.folder)


def main() -> None:
    what, number, folder, *arguments = sys.argv[1:]
    if what == "file":
        import resource

        # Python ignores the signal that comes with it: writing fails.
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(number), int(number)))
    counter = _Counter(what, int(number), Path(folder))
    sys.addaudithook(counter.heard)
    from delineate.cli.main import run

    code = run(arguments)
    if what == "count":
        print(f"count: {counter.count}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
