"""Which images are scored, and which of them a run knows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from delineate.data.dataset import Dataset
from delineate.errors import DataError
from delineate.recipe import Recipe
from delineate.runs import Run

UNSEEN = ("test", "validation")


@dataclass(frozen=True)
class Choice:
    """Which images are scored.

    Attributes:
        whole: The data set, with the bundle's classes and all splits.
        part: The images.
        split: The name of that part.
        known: Whether the run has used images of this data set, so that the splits are the run's.
    """

    whole: Dataset
    part: Dataset
    split: str
    known: bool


def choose_part(
    dataset: Dataset, folder: Path, classes: tuple[str, ...], *, split: str | None
) -> Choice:
    """Return the part that is asked for, or the one that the training has seen least of.

    Args:
        dataset: The samples.
        folder: A run's folder, or a bundle's.
        classes: The bundle's class names.
        split: "train", "validation" or "test"; unset: for images that the run knows its test
            part, or else its validation part; for others the data's own test part, or all.

    Raises:
        DataError: There is no such split, it is empty, or the data has other classes.
    """
    said = dataset.description
    if said.names and len(said.names) != len(classes):
        raise DataError(
            f"{dataset.name} has {len(said.names)} classes, the network {len(classes)}.",
            hint="Score it on data with the classes that it was trained on.",
        )
    _refuse_another_order(dataset.name, said.names or (), classes)
    dataset = replace(dataset, description=replace(said, names=classes))
    if not len(dataset):
        raise DataError(f"{dataset.name} holds no images.", hint="Name a folder with images.")
    run = run_of(folder)
    splits = known_splits(dataset, run)
    if splits and _leaves_out(run):
        # What the training could not read is not read here, either.
        kept = [index for index, record in enumerate(dataset.records) if record.name in splits]
        dataset = replace(dataset.subset(kept), whole=None)
    whole = dataset.with_splits(splits) if splits else dataset
    if split is None:
        unseen = [name for name in UNSEEN[: 2 if splits else 1] if name in whole.splits]
        split = unseen[0] if unseen else "all"
    part = whole if split == "all" else whole.split(split)
    return Choice(whole, part, split, bool(splits))


def _leaves_out(run: Run) -> bool:
    """Return whether a run's recipe says to leave out what cannot be read."""
    return run.recipe.is_file() and Recipe.load(run.recipe).data.unreadable == "skip"


def _refuse_another_order(data: str, names: Sequence[str], classes: Sequence[str]) -> None:
    """Refuse data in which a class of the network bears the number of another one."""
    for number, name in enumerate(names):
        if name != classes[number] and name in classes:
            raise DataError(
                f"{data} has '{name}' as class {number}, the network as class "
                f"{classes.index(name)}.",
                hint="List the classes, and their colours, in the order of the network: "
                f"{', '.join(classes)}; [masks] values in dataset.toml renumbers stored ids.",
            )


def run_of(folder: Path) -> Run:
    """Return the run that a bundle belongs to, such as the one whose ``best/`` it is.

    Args:
        folder: A run's folder, or a bundle's; one without a run is returned as it is.
    """
    places = [folder, *folder.resolve().parents[:2]]
    return next((Run(place) for place in places if Run(place).dataset.is_file()), Run(folder))


def known_splits(dataset: Dataset, run: Run) -> dict[str, str]:
    """Return the run's split of each image that it knows, by the name of the record.

    Args:
        dataset: The images; they are known by the hash of their content, whatever their name.
        run: The run; one without a ``dataset.json`` knows none.

    Raises:
        RunError: The run's ``dataset.json`` is damaged.
    """
    if not run.dataset.is_file():
        return {}
    splits = run.read_json(run.dataset)["splits"]
    known = {item["sha256"]: name for name, items in splits.items() for item in items}
    pairs = zip(dataset.records, dataset.hashes, strict=True)
    return {record.name: known[content] for record, content in pairs if content in known}
