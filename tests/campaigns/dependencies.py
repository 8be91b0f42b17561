"""The lowest allowed and the newest versions of what delineate stands on, each with the tests.

Usage: python -m tests.campaigns.dependencies FOLDER
Environments are made in FOLDER, with pip: for each backend one in which every dependency is at the
floor that pyproject.toml names, and one with the newest. On TensorFlow all tests are run, on the
others what scripts/test runs there, which installs them beside TensorFlow, too. Where pip-audit's
service can be reached, it is asked about each environment.
"""

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from tests.campaigns.record import Row, conclude, go_on

ROOT = Path(__file__).parents[2]
EXTRAS = ("tensorflow", "tensorboard", "dev")
USUAL, *OTHERS = ("tensorflow", "jax", "torch")
# Of tests/, on the other backends.
PARTS = ("contracts", "models", "training", "losses", "test_metrics.py")


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)

    def try_one(case: str) -> Row:
        environment, _, what = case.partition(": ")
        which, _, backend = environment.partition(", ")
        extras = EXTRAS if backend == USUAL else (*EXTRAS, backend)
        try:
            wanted = pins(floors(extras), _released) if which == "lowest" else []
            python = _made(folder / f"{which}-{backend}", extras, wanted)
        except (subprocess.CalledProcessError, ValueError) as error:
            said = getattr(error, "stderr", None) or error
            return {"right": False, "said": str(said).strip()[-2000:]}
        return _suite(python, backend) if what == "suite" else _audit(python, folder)

    cases = [
        f"{which}, {backend}: {what}"
        for backend in (USUAL, *OTHERS)
        for which in ("lowest", "newest")
        for what in ("suite", "audit")
    ]
    conclude(go_on("dependencies", cases, try_one), "looks")


def floors(extras: Iterable[str]) -> dict[str, str]:
    """Return the lowest allowed version of each dependency.

    Args:
        extras: Those whose dependencies count, too, as do those of extras that they name.

    Raises:
        ValueError: A dependency has no one lower bound.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    waiting = [*project["dependencies"], *(each for extra in extras for each in optional[extra])]
    found: dict[str, str] = {}
    while waiting:
        wanted = Requirement(waiting.pop())
        if wanted.name == project["name"]:
            waiting += [each for extra in wanted.extras for each in optional[extra]]
        else:
            floor = floor_of(wanted)
            # Where two extras ask for it, the higher floor is what pip goes by.
            found[wanted.name] = max(floor, found.get(wanted.name, floor), key=Version)
    return found


def floor_of(wanted: Requirement) -> str:
    """Return the lower bound of a dependency.

    Raises:
        ValueError: It has none, or several.
    """
    bounds = [each.version for each in wanted.specifier if each.operator == ">="]
    if len(bounds) != 1:
        raise ValueError(f"{wanted} has no one lower bound")
    return bounds[0]


def pins(floors: Mapping[str, str], released: Callable[[str], Iterable[str]]) -> list[str]:
    """Return each dependency at the lowest version that there is from its floor on, as for pip.

    Args:
        floors: The floor of each.
        released: Returns the versions of one that there are.
    """
    return [f"{name}=={lowest(floors[name], released(name))}" for name in sorted(floors)]


def lowest(floor: str, versions: Iterable[str]) -> str:
    """Return the lowest of some versions that a floor allows; a trial version is none.

    A floor may be no version itself: that of a package that is named by days is mostly not.

    Raises:
        ValueError: None is allowed.
    """
    return min(SpecifierSet(f">={floor}").filter(versions, prereleases=False), key=Version)


@cache
def _released(name: str) -> tuple[str, ...]:
    """Return the versions of a package that pip could install here."""
    command = [sys.executable, "-m", "pip", "index", "versions", name]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    listed = re.search(r"^Available versions: (.+)$", said, re.MULTILINE)
    return tuple(listed[1].split(", ")) if listed else ()


def _made(folder: Path, extras: Sequence[str], wanted: Sequence[str]) -> Path:
    """Return the Python of an environment; one that was made with other pins is made anew.

    Args:
        folder: Of the environment.
        extras: What is installed with delineate.
        wanted: The pins; none: the newest of today.

    Raises:
        CalledProcessError: pip could not do so.
    """
    python, mark = folder / "bin" / "python", folder / "made"
    text = "\n".join([*extras, *(wanted or [f"the newest of {date.today()}"])]) + "\n"
    if not mark.is_file() or mark.read_text(encoding="utf-8") != text:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        constraints = folder / "constraints.txt"
        constraints.write_text("".join(f"{pin}\n" for pin in wanted), encoding="utf-8")
        install = [python, "-m", "pip", "install", "-q", "-c", constraints]
        install += ["-e", f"{ROOT}[{','.join(extras)}]"]
        subprocess.run(install, check=True, capture_output=True, text=True)
        mark.write_text(text, encoding="utf-8")
    return python


def _suite(python: Path, backend: str) -> Row:
    """Return what becomes of the tests in an environment."""
    parts = [] if backend == USUAL else [f"tests/{part}" for part in PARTS]
    command = [python, "-m", "pytest", "--numprocesses", "2", "-q", *parts]
    known = os.environ | {"KERAS_BACKEND": backend}
    done = subprocess.run(command, cwd=ROOT, env=known, capture_output=True, text=True, check=False)
    said = " ".join(done.stdout.strip().splitlines()[-1:])
    return {"right": done.returncode == 0, "said": said, "versions": _versions(python)}


def _versions(python: Path) -> list[str]:
    """Return what is installed in an environment, each pinned."""
    freeze = [python, "-m", "pip", "freeze", "--exclude-editable"]
    return subprocess.run(freeze, capture_output=True, text=True, check=True).stdout.splitlines()


def _audit(python: Path, folder: Path) -> Row:
    """Return what pip-audit knows of an environment's packages, where it reaches anybody."""
    listed = folder / "listed.txt"
    listed.write_text("\n".join(_versions(python)) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "-r", listed]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = r"(?i)no known vulnerabilities found|found \d+ known vulnerabilit"
    reached = re.search(told, done.stderr + done.stdout) is not None
    return {
        "right": done.returncode == 0 if reached else None,
        "said": (done.stdout or done.stderr).strip()[-2000:],
    }


if __name__ == "__main__":
    main()
