"""The lowest allowed and the newest versions of what delineate stands on, each with the whole suite.

Usage: python -m tests.campaigns.dependencies FOLDER
Two environments are made in FOLDER, with pip. The first has every dependency at the floor that
pyproject.toml names; the second the newest. Where pip-audit's service can be reached, both are
asked about.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

from tests.campaigns.record import go_on

ROOT = Path(__file__).parents[2]
EXTRAS = ("tensorflow", "tensorboard", "dev")


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)

    def try_one(case: str) -> dict[str, Any]:
        which, what = case.split(": ")
        python = _environment(folder / which, floors() if which == "lowest" else [])
        if what == "suite":
            return _suite(python)
        return _audit(python, folder)

    cases = [f"{which}: {what}" for which in ("lowest", "newest") for what in ("suite", "audit")]
    rows = go_on("dependencies", cases, try_one)
    bad = [row["case"] for row in rows if not row["passed"]]
    print(f"{len(rows)} looks, not as they should be: {', '.join(bad) or 'none'}")


def floors() -> list[str]:
    """Return each dependency of the project, those of its extras included, at its floor."""
    said = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*said["dependencies"]]
    for extra in (*EXTRAS, "litert", "onnx", "openvino", "video", "zarr"):
        wanted += said["optional-dependencies"][extra]
    found: dict[str, str] = {}
    for text in wanted:
        match = re.fullmatch(r"([\w.-]+)>=([\w.]+)", text)
        if match:
            found[match[1]] = match[2]
    return [f"{name}=={_released(version)}" for name, version in found.items()]


def _released(version: str) -> str:
    """Return a floor as pip takes it: the first release of a series, whatever it was called."""
    return version if version.count(".") >= 2 else f"{version}.*"


def _environment(folder: Path, pins: list[str]) -> Path:
    """Return the Python of an environment, made where it is not there yet."""
    python = folder / "bin" / "python"
    if not (folder / "made").is_file():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        constraints = folder / "constraints.txt"
        constraints.write_text("\n".join(pins) + "\n")
        wanted = f"{ROOT}[{','.join(EXTRAS)}]"
        install = [python, "-m", "pip", "install", "-q", "-c", constraints, "-e", wanted]
        subprocess.run(install, check=True)
        (folder / "made").touch()
    return python


def _suite(python: Path) -> dict[str, Any]:
    command = [python, "-m", "pytest", "--numprocesses", "2", "-q"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    said = done.stdout.strip().splitlines()[-1:]
    return {"passed": done.returncode == 0, "said": said, "versions": _versions(python)}


def _versions(python: Path) -> list[str]:
    freeze = [python, "-m", "pip", "freeze", "--exclude-editable"]
    return subprocess.run(freeze, capture_output=True, text=True, check=True).stdout.split()


def _audit(python: Path, folder: Path) -> dict[str, Any]:
    """Return what pip-audit knows of an environment's packages; None where it reaches nobody."""
    listed = folder / "listed.txt"
    listed.write_text("\n".join(_versions(python)) + "\n")
    command = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "-r", listed]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = r"(?i)no known vulnerabilities found|found \d+ known vulnerabilit"
    reached = re.search(told, done.stderr + done.stdout) is not None
    return {
        "passed": done.returncode == 0 if reached else None,
        "said": (done.stdout or done.stderr).strip()[-2000:],
    }


if __name__ == "__main__":
    main()
