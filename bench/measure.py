"""What the measurements share: running a command with its cost, and keeping rows of JSON."""

import json
import os
import resource
import subprocess
import sys
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROWS = Path(__file__).parent / "rows"
# Packages that are imported by another name.
MODULES = {"ai-edge-litert": "ai_edge_litert"}


def run(*arguments: object) -> tuple[dict[str, Any], str]:
    """Run a `delineate` command; return its cost and what it wrote to stdout."""
    said = "delineate " + " ".join(map(str, arguments))
    cost, out = _run([sys.executable, "-m", "delineate", *map(str, arguments)])
    return {"command": said, **cost}, out


def run_script(script: Path, *arguments: object) -> tuple[dict[str, Any], str]:
    """Run a script in a process of its own; return its cost and what it wrote to stdout."""
    return _run([sys.executable, str(script), *map(str, arguments)])


def _run(command: list[str]) -> tuple[dict[str, Any], str]:
    begun = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        out = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    cost = {
        "seconds": round(time.monotonic() - begun, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mib": round(usage.ru_maxrss / 1024),
    }
    return cost, out


def circumstances() -> dict[str, Any]:
    """Return the commit, the machine and the versions."""
    git = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    needed = ("delineate", "keras", "tensorflow", "numpy", "opencv-python-headless")
    engines = ("openvino", "onnxruntime", "ai-edge-litert", "av", "torch")
    names = (*needed, *(name for name in engines if find_spec(MODULES.get(name, name))))
    return {
        "commit": commit,
        "cores": os.cpu_count(),
        "processor": _processor(),
        "python": sys.version.split()[0],
        "versions": {name: version(name) for name in names},
    }


def write_rows(name: str, rows: list[dict[str, Any]]) -> None:
    """Keep rows, with the circumstances, as ``bench/rows/<name>.json``."""
    ROWS.mkdir(exist_ok=True)
    values = {"circumstances": circumstances(), "rows": rows}
    (ROWS / f"{name}.json").write_text(json.dumps(values, indent=1) + "\n")


def read_rows(name: str) -> dict[str, Any]:
    """Return what :func:`write_rows` kept."""
    values: dict[str, Any] = json.loads((ROWS / f"{name}.json").read_text())
    return values


def peak_mib() -> int:
    """Return the largest memory that this process has had, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown"
