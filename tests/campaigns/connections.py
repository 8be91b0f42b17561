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
from pathlib import Path
from typing import Any

from tests.campaigns.commands import QUICK, make_data
from tests.campaigns.record import go_on, read

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


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    data, run = make_data(folder / "data"), folder / "run"
    image = next((data / "test").rglob("images/*.png"), None) or next(data.rglob("*.png"))
    if not any(row["case"] == "train" for row in read("connections")):
        shutil.rmtree(run, ignore_errors=True)
    commands = {
        "check": ["check", data],
        "plan": ["plan", data, "--budget", "1m"],
        "train": ["train", data, "--to", run, *QUICK],
        "evaluate": ["evaluate", run, data],
        "predict": ["predict", run, image, "--to", folder / "predicted"],
        "export": ["export", run, "--format", "onnx", "--data", data],
        "benchmark": ["benchmark", run, "--data", data, "--seconds", "1"],
        "show": ["show", run],
        "demo": ["demo", "--to", folder / "demo"],
    }

    def try_one(case: str) -> dict[str, Any]:
        command = listened([commands[case]])
        trace = folder / "trace"
        strace = shutil.which("strace") is not None
        if strace:
            calls = "trace=connect,sendto,sendmsg"
            command = ["strace", "-f", "-qq", "-e", calls, "-o", str(trace), *command]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
        tried = [line for line in done.stderr.splitlines() if line.startswith(TRIED)]
        if trace.is_file():
            tried += [line for line in trace.read_text().splitlines() if "AF_INET" in line]
            trace.unlink()
        found = {"code": done.returncode, "tried": tried, "strace": strace}
        return found | {"said": done.stderr[-300:]}

    rows = go_on("connections", commands, try_one)
    bad = [row["case"] for row in rows if row["tried"] or row["code"]]
    print(f"{len(rows)} commands, {len(bad)} not as they should be: {', '.join(bad) or 'none'}")


if __name__ == "__main__":
    main()
