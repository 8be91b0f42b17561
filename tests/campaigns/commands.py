"""Whole commands on a small made data set, in processes that may be ended at any moment.

As a program: ``python -m tests.campaigns.commands kill|full|count|file NUMBER FOLDER ARGUMENT...`` runs
``delineate ARGUMENT...``, and at the NUMBER-th time that something below FOLDER is about to be
written, renamed, made or deleted

- ``kill``: ends the process as ``kill -9`` does;
- ``full``: from then on lets nothing more be written, as a full disk does;
- ``count``: lets all go on, and says at the end how many times there were.

With ``file`` no file may grow beyond NUMBER bytes: writing fails within it.
"""

import errno
import os
import signal
import subprocess
import sys
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


def make_data(folder: Path) -> Path:
    """Return a folder of small nuclei, made where it is not there yet."""
    if not folder.is_dir():
        make_nuclei(folder, train=8, validation=3, test=3, sizes=((64, 64), (64, 80)))
    return folder


def start(*arguments: object, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start a `delineate` command."""
    command = [sys.executable, "-m", "delineate", *map(str, arguments)]
    return _start(command, env)


def start_until(
    what: str, number: int, folder: Path, *arguments: object, env: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a `delineate` command that meets with something: see above."""
    command = [sys.executable, "-m", "tests.campaigns.commands", what, str(number), str(folder)]
    return _start([*command, *map(str, arguments)], env)


def _start(command: list[str], env: dict[str, str] | None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
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


class _Counter:
    """Counts what changes files below a folder, and acts from one time on."""

    def __init__(self, what: str, number: int, folder: Path) -> None:
        self.what, self.number, self.folder = what, number, str(folder.absolute())
        self.count = 0

    def heard(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._changes(event, arguments):
            return
        self.count += 1
        if self.what in ("count", "file") or self.count < self.number:
            return
        if self.what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "full" and event not in {"os.remove", "os.rmdir"}:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(arguments[0]))

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
