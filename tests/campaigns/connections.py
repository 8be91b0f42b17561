"""Every command, listened to: does it try to reach anybody?

Usage: python -m tests.campaigns.connections FOLDER
Each command runs in a process whose Python tells of every attempt, and, where strace is installed,
under that, which hears native libraries too. Only what is asked for may connect: `fetch` with an
address, weights by name.
"""

import json
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.campaigns.commands import QUICK, ended, make_data, start
from tests.campaigns.kills import require
from tests.campaigns.record import Row, conclude, go_on

TRIED = "tried:"
LISTEN = """
import json, sys

def heard(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"):
        print("tried:", event, arguments[1:], file=sys.stderr)

sys.addaudithook(heard)
from delineate.cli.main import run
# One command after the other, until one fails.
sys.exit(next(filter(None, map(run, json.loads(sys.argv[1]))), 0))
"""


def listened(commands: list[list[object]]) -> list[str]:
    """Return a process that runs `delineate` commands and tells what tries to connect."""
    said = json.dumps([list(map(str, each)) for each in commands])
    return [sys.executable, "-c", LISTEN, said]


def commands_of(data: Path, run: Path, to: Path) -> dict[str, list[object]]:
    """Return the arguments of each command.

    Args:
        data: What :func:`tests.campaigns.commands.make_data` has made; its archive lies beside it.
        run: A finished run on it.
        to: A folder for what they write, which is not there yet.
    """
    image = min((data / "test").rglob("images/*.png"))
    return {
        "fetch": ["fetch", "dsb2018", "--from", archive_of(data), "--to", to / "fetched"],
        "check": ["check", data],
        "plan": ["plan", data, "--budget", "1m"],
        "train": ["train", data, "--to", to / "run", *QUICK],
        "evaluate": ["evaluate", run, data, "--to", to / "report"],
        "predict": ["predict", run, image, "--to", to / "predicted"],
        "export": ["export", run, "--format", "onnx", "--data", data, "--to", to / "export"],
        "benchmark": ["benchmark", run, "--data", data, "--seconds", "1"],
        "show": ["show", run],
        "demo": ["demo", "--to", to / "demo"],
    }


def archive_of(data: Path) -> Path:
    """Return the training images of a data set as an archive, made where it is not there yet."""
    path = data.with_suffix(".zip")
    if not path.is_file():
        shutil.make_archive(str(data), "zip", data / "train")
    return path


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    data, to = make_data(folder / "data"), folder / "written"

    @cache
    def trained() -> Path:
        """Return a run of this commit, whatever an earlier campaign has left here."""
        run = folder / "run"
        shutil.rmtree(run, ignore_errors=True)
        require(ended(start("train", data, "--to", run, *QUICK)))
        return run

    def try_one(case: str) -> Row:
        shutil.rmtree(to, ignore_errors=True)
        arguments = commands_of(data, trained(), to)[case]
        return _heard(listened([arguments]), folder)

    conclude(go_on("connections", commands_of(data, folder, to), try_one), "commands")


def _heard(command: list[str], folder: Path) -> Row:
    """Return what a process tries to reach."""
    trace, strace = folder / "trace", shutil.which("strace") is not None
    if strace:
        calls = "trace=connect,sendto,sendmsg"
        command = ["strace", "-f", "-qq", "-e", calls, "-o", str(trace), *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    tried = [line for line in done.stderr.splitlines() if line.startswith(TRIED)]
    if trace.is_file():
        tried += [line for line in trace.read_text().splitlines() if "AF_INET" in line]
        trace.unlink()
    row = {"code": done.returncode, "tried": tried, "strace": strace, "said": done.stderr[-300:]}
    return {**row, "right": not tried and done.returncode == 0}


if __name__ == "__main__":
    main()
