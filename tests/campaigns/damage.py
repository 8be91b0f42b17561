"""What a deliberately damaged data set is."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from delineate.data.checking.inspection import inspect
from delineate.data.dataset import Dataset
from delineate.data.proposing.proposal import propose, write_description
from delineate.data.repairing.repair import repair
from delineate.report import Finding

OPEN = "open"  # stands for a DataError at Dataset.open
AGREEMENT = 0.93  # JPEG leaves no more of the masks' borders


@dataclass(frozen=True)
class Case:
    """A damaged data set that has been found so.

    Attributes:
        folder: Where it is.
        clean: Where it is as it was before.
        finding: What was found.
        recipe: The recipe with which it was checked.
    """

    folder: Path
    clean: Path
    finding: Finding
    recipe: Path | None = None


@dataclass(frozen=True)
class Damage:
    """One way in which a data set goes wrong.

    Attributes:
        what: What was done to it, in one sentence.
        code: What is to be found.
        named: What the finding must name, in ``where`` or in its message.
        hint: Regular expression for what the hint must say.
        base: Writes the data set as it should be.
        harm: Damages it.
        cure: Does what the hint says; returns the folder that then is in order.
        level: The level at which it is to be found.
        recipe: TOML text of the recipe with which it is checked.
        also: Codes of errors and warnings that this damage rightly causes besides.
    """

    what: str
    code: str
    named: tuple[str, ...]
    hint: str
    base: Callable[[Path], None]
    harm: Callable[[Path], None]
    cure: Callable[[Case], Path]
    level: str = "error"
    recipe: str = field(default="", repr=False)
    also: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        """Write the damaged data set."""
        self.base(folder)
        self.harm(folder)


def restore(*paths: str) -> Callable[[Case], Path]:
    """Return the cure that puts the files as they should be in place of those that are there."""

    def cure(case: Case) -> Path:
        for path in paths:
            for good in sorted(case.clean.glob(path)):
                place = case.folder / good.relative_to(case.clean)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(good.read_bytes())
        return case.folder

    return cure


def remove(*paths: str) -> Callable[[Case], Path]:
    """Return the cure that removes files."""

    def cure(case: Case) -> Path:
        for path in paths:
            (case.folder / path).unlink()
        return case.folder

    return cure


def say(text: str) -> Callable[[Case], Path]:
    """Return the cure that writes ``dataset.toml``."""

    def cure(case: Case) -> Path:
        (case.folder / "dataset.toml").write_text(text, encoding="utf-8")
        return case.folder

    return cure


def copy_lines(case: Case) -> Path:
    """Copy the lines of the hint into ``dataset.toml``, below a heading that is there already."""
    found = re.search(r"^(\[\w+\])\n(.*)", case.finding.hint, re.MULTILINE | re.DOTALL)
    assert found, f"no lines for dataset.toml in: {case.finding.hint}"
    heading, lines = found[1], found[2]
    path = case.folder / "dataset.toml"
    before, known, after = path.read_text().partition(heading) if path.is_file() else ("", "", "")
    text = f"{before}{known}\n{lines}{after}" if known else f"{before}\n{heading}\n{lines}\n"
    path.write_text(text, encoding="utf-8")
    return case.folder


def fix(case: Case) -> Path:
    """Write the repaired copy of ``check --fix``, and see that nothing of the data was lost."""
    target = case.folder.with_name(f"{case.folder.name}-fixed")
    if target.exists():
        return target
    repair(inspect(Dataset.open(case.folder)), target)
    repaired, wanted = Dataset.open(target), Dataset.open(case.clean)
    assert [record.name for record in repaired.records] == [r.name for r in wanted.records]
    for one, other in zip(repaired, wanted, strict=True):
        agreement = np.mean(one.mask == other.mask) if one.size == other.size else 0.0
        assert agreement > AGREEMENT, f"{one.name}: {agreement:.3f} of the mask are as before"
    return target


def take_proposal(case: Case) -> Path:
    """Write the ``dataset.toml`` that ``check --write`` proposes."""
    write_description(case.folder, propose(inspect(Dataset.open(case.folder))))
    return case.folder


def rename(pattern: str, to: Callable[[str], str]) -> Callable[[Case], Path]:
    """Return the cure that renames files."""

    def cure(case: Case) -> Path:
        for path in sorted(case.folder.glob(pattern)):
            path.rename(path.with_name(to(path.name)))
        return case.folder

    return cure
