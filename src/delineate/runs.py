"""The run folder: every file name in it, its journal and its resume point."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delineate.errors import RunError
from delineate.files import TEMPORARY, write_whole
from delineate.hold import LOCK, refuse_vanished

Row = dict[str, float]

# The journal's last event.
ENDED = "ended"
# The event that names images which have become unreadable.
LEFT_OUT = "left out"


@dataclass(frozen=True)
class Run:
    """The folder of one training."""

    folder: Path

    @classmethod
    def create(cls, folder: str | Path) -> "Run":
        """Make a run folder.

        Raises:
            RunError: Something stands there already, or it cannot be made.
            FileNotFoundError: It lies in a run that this process holds, and that has gone.
        """
        folder = Path(folder)
        cls.refuse_existing(folder)
        refuse_vanished(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                f"The run folder {folder} cannot be made: {error.strerror}.",
                hint="Choose another --to.",
            ) from error
        return cls(folder)

    @staticmethod
    def refuse_existing(folder: Path) -> None:
        """Refuse a folder that holds something; a lock and what was half-written are nothing.

        Raises:
            RunError: Something stands there already.
        """
        nothing = folder.is_dir() and all(
            path.name.startswith((LOCK, TEMPORARY)) for path in folder.iterdir()
        )
        if folder.exists() and not nothing:
            raise RunError(
                f"The run folder {folder} exists already.",
                hint="Pass --resume to go on with it, or another --to.",
            )

    @classmethod
    def open(cls, folder: str | Path) -> "Run":
        """Return an existing run.

        Raises:
            RunError: The folder holds no run.
        """
        run = cls(Path(folder))
        if not run.recipe.is_file():
            raise RunError(
                f"{folder} is no run folder (no {run.recipe.name}).",
                hint="Name a folder that 'delineate train' has made.",
            )
        return run

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.folder / "recipe.toml"

    @property
    def environment(self) -> Path:
        """Versions, machine and command."""
        return self.folder / "environment.json"

    @property
    def dataset(self) -> Path:
        """The split by name and content hash."""
        return self.folder / "dataset.json"

    @property
    def journal(self) -> Path:
        """A line per epoch and event."""
        return self.folder / "journal.jsonl"

    @property
    def results(self) -> Path:
        """A row per epoch."""
        return self.folder / "results.csv"

    @property
    def curves(self) -> Path:
        """The curves of all epochs."""
        return self.folder / "results.png"

    @property
    def batch(self) -> Path:
        """The first batch, as the network sees it."""
        return self.folder / "batch.png"

    @property
    def pictures(self) -> Path:
        """Predictions after each epoch."""
        return self.folder / "pictures"

    @property
    def tensorboard(self) -> Path:
        """Events for TensorBoard."""
        return self.folder / "tensorboard"

    @property
    def broken(self) -> Path:
        """Batches after which the loss was not finite."""
        return self.folder / "broken"

    @property
    def exports(self) -> Path:
        """The best model for other engines, a bundle for each."""
        return self.folder / "exports"

    @property
    def last(self) -> Path:
        """The resume points."""
        return self.folder / "last"

    @property
    def best(self) -> Path:
        """The bundle of the best epoch."""
        return self.folder / "best"

    @property
    def refiner(self) -> "Run":
        """The training of the refiner: its own journal, curves, pictures, resume points and best.

        The bundle in its ``best/`` is the network with the refiner on top.
        """
        return Run(self.folder / "refiner")

    @property
    def first(self) -> Path:
        """In the folder of a refiner's training: the bundle of the network without it."""
        return self.folder / "first"

    def fold(self, number: int) -> "Run":
        """Return the training of one fold, from 1."""
        return Run(self.folder / f"fold-{number}")

    @property
    def report(self) -> Path:
        """The report as a page."""
        return self.folder / "report.html"

    @property
    def report_json(self) -> Path:
        """The report as JSON."""
        return self.folder / "report.json"

    @property
    def confusion_matrix(self) -> Path:
        """The confusion matrix as a picture."""
        return self.folder / "confusion_matrix.png"

    @property
    def review(self) -> Path:
        """What to look at next, the most urgent first."""
        return self.folder / "review.csv"

    @property
    def review_sheet(self) -> Path:
        """Pictures of the first of it."""
        return self.folder / "review.png"

    def events(self) -> list[dict[str, Any]]:
        """Return the journal's lines; a damaged line ends it."""
        try:
            lines = self.journal.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        found: list[dict[str, Any]] = []
        for line in lines:
            try:
                event = json.loads(line)
            except ValueError:
                break
            if not isinstance(event, dict):
                break
            found.append(event)
        return found

    def has_ended(self) -> bool:
        """Return whether the training, and all that follows it, has come to its end."""
        return any(event.get("event") == ENDED for event in self.events())

    def write_events(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Write the journal, and the epochs among its events as ``results.csv``."""
        write_whole(self.journal, "".join(json.dumps(event) + "\n" for event in events))
        rows = epochs_of(events)
        if rows:
            write_whole(self.results, _csv(rows))
        else:
            # A training that goes on from before its first epoch's end.
            self.results.unlink(missing_ok=True)

    @property
    def rows(self) -> list[Row]:
        """A row per epoch, oldest first."""
        return epochs_of(self.events())

    def read_json(self, path: Path) -> dict[str, Any]:
        """Return the content of one of the run's JSON files.

        Raises:
            RunError: It is missing or damaged.
        """
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RunError(
                f"{path} cannot be read: {error}.",
                hint="Copy the whole run folder, or train again.",
            ) from error
        return values


def environment_of(run: Run) -> dict[str, Any]:
    """Return where a run was begun, as ``environment.json`` says it; empty: it is not known."""
    try:
        found = json.loads(run.environment.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def backend_of(run: Run) -> str | None:
    """Return the Keras backend on which a run was begun; None: it is not known."""
    found = environment_of(run).get("backend")
    return found if isinstance(found, str) else None


def epochs_of(events: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return the rows of the epochs among a journal's events."""
    return [dict(event["scores"]) for event in events if event.get("event") == "epoch"]


def left_out_of(events: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return which images became unreadable while a training ran, and why: a sentence for each.

    Args:
        events: Those of a run's journal.
    """
    told = (event.get("why", []) for event in events if event.get("event") == LEFT_OUT)
    return list(dict.fromkeys(sentence for why in told for sentence in why))


def resumptions_of(events: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return how often a training was resumed, and whether that changed its weights.

    Args:
        events: Those of a run's journal.

    Returns:
        ``times``; ``exact``: whether the weights are those of an uninterrupted training, bit for
        bit; ``why``: the reasons why they may not be. None: it never was resumed.
    """
    resumed = [event for event in events if event.get("event") == "resumed"]
    if not resumed:
        return None
    why = list(dict.fromkeys(reason for event in resumed for reason in event.get("why", [])))
    exact = all(event.get("exact", False) for event in resumed)
    return {"times": len(resumed), "exact": exact, "why": why}


def next_folder(dataset: str, recipe: str, *, below: Path = Path("runs")) -> Path:
    """Return the next free folder ``runs/<dataset>-<recipe>-<n>``."""
    stem = re.sub(r"[^\w.-]+", "_", f"{dataset}-{recipe}")
    number = 1
    while (below / f"{stem}-{number}").exists():
        number += 1
    return below / f"{stem}-{number}"


def _csv(rows: Sequence[Row]) -> str:
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
