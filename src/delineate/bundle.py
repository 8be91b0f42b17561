"""The bundle: a folder that can predict: model files and a `card.json`."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from delineate.errors import BundleError
from delineate.files import flush, flush_folder, sha256, write_whole
from delineate.recipe import Normalisation, ObjectTarget, Post

FORMAT_VERSION = 2
CARD = "card.json"

_Length = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Plain(BaseModel):
    """What the parts of a card have in common: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Category(Plain):
    """A class and its colour."""

    name: str
    colour: tuple[int, int, int]


class Member(Plain):
    """One model; the probabilities of all members are averaged."""

    file: str
    runtime: str = "keras"


class Refinement(Plain):
    """Whether a network's refiner is part of its bundle, and why.

    Attributes:
        kept: Whether it is.
        decided_by: The score that had to gain.
        scores: Of the validation images, by "with" and "without" the refiner.
    """

    kept: bool
    decided_by: str
    scores: dict[str, dict[str, float | None]]


class Export(Plain):
    """What an export is of, and how near it comes to it.

    Attributes:
        format: In the table of formats.
        precision: In which it was asked for.
        engine: The engine's name and version.
        images: On so many validation images it was compared with the Keras model.
        largest_difference: Of any probability.
        changed: Share of the pixels that have another class.
        maps: The largest mean over an image of the difference in what is said of objects.
        mean_iou: Of those images, by "before" and "after"; None without any truth.
        seconds: Of a prediction of one image, the median, by "before" (as the run predicts without
            it) and "after".
        source: Tells the weights that it is of from others.
    """

    format: str
    precision: str
    engine: str
    images: int
    largest_difference: float
    changed: float
    maps: float = 0.0
    mean_iou: dict[str, float | None]
    seconds: dict[str, float]
    source: str = ""


class Card(Plain):
    """All that a bundle's user has to know, in ``card.json``.

    The model's output has a channel for each class, or one for two classes with a sigmoid, and then
    one for each of ``objects``. ``pixel_size`` is (height, width) of a pixel of the training images
    in ``pixel_unit``, where their data set said it. ``receptive_field``: no pixel farther away than
    so many changes what the model says of one; unset: there is no such bound.
    """

    format_version: int = FORMAT_VERSION
    members: tuple[Member, ...] = Field(min_length=1)
    classes: tuple[Category, ...] = Field(min_length=2)
    channels: int = Field(ge=1)
    dtype: Literal["uint8", "uint16"]
    normalisation: Normalisation = "none"
    fit: Literal["crop", "resize"]
    size: tuple[int, int]
    stride: int = Field(ge=1)
    tile: int = Field(1024, ge=32)
    receptive_field: int | None = Field(None, ge=0)
    fixed_size: bool = False
    output: Literal["softmax", "sigmoid"]
    objects: tuple[ObjectTarget, ...] = ()
    post: Post = Post()
    pixel_size: tuple[_Length, _Length] | None = None
    pixel_unit: str = "µm"
    scores: dict[str, float | None] = {}
    refiner: Refinement | None = None
    export: Export | None = None
    data_hash: str = ""
    precision: str = "float32"
    versions: dict[str, str] = {}
    licences: dict[str, str] = {}
    files: dict[str, str] = {}

    @property
    def class_channels(self) -> int:
        """How many of the model's channels are of classes; those of ``objects`` follow."""
        return 1 if self.output == "sigmoid" and len(self.classes) == 2 else len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """The class names, background first."""
        return tuple(category.name for category in self.classes)

    @property
    def colours(self) -> tuple[tuple[int, int, int], ...]:
        """The class colours, RGB."""
        return tuple(category.colour for category in self.classes)


@dataclass(frozen=True)
class Bundle:
    """An opened bundle: its files are whole and are those that its card names."""

    folder: Path
    card: Card

    @classmethod
    def open(cls, path: str | Path) -> "Bundle":
        """Return the bundle in a folder, or the best one of a run folder.

        Raises:
            BundleError: There is none, its card cannot be read, or a file is missing or changed.
        """
        folder = _bundle_folder(Path(path))
        card = _read_card(folder / CARD)
        for name, expected in card.files.items():
            if not _is_inside(name) or not (folder / name).is_file():
                raise BundleError(
                    f"The bundle {folder} has no file '{name}'.",
                    hint="Copy the whole folder, or train again.",
                )
            if sha256(folder / name) != expected:
                raise BundleError(
                    f"{folder / name} is not the file that the bundle's card names.",
                    hint="Copy the bundle again; the file is damaged or has been changed.",
                )
        missing = [member.file for member in card.members if member.file not in card.files]
        if missing:
            raise BundleError(
                f"The card of {folder} names no checksum for '{missing[0]}'.",
                hint="Copy the bundle again; its card is incomplete.",
            )
        return cls(folder, card)

    @classmethod
    def save(cls, folder: Path, card: Card, write: Callable[[Path], None]) -> "Bundle":
        """Write a bundle whole or not at all; one that stood there is replaced at the very end.

        Args:
            folder: Where it goes.
            card: Its card; ``files`` is filled in.
            write: Writes the model files into the folder that it is given.

        Raises:
            OSError: It cannot be written; what stood there before is untouched.
        """
        recover(folder)
        fresh = folder.parent / f".{folder.name}.new"
        try:
            fresh.mkdir(parents=True)
            write(fresh)
            files = [path for path in sorted(fresh.rglob("*")) if path.is_file()]
            sums = {path.relative_to(fresh).as_posix(): sha256(path) for path in files}
            for name in sums:
                flush(fresh / name)
            card = card.model_copy(update={"files": sums})
            write_whole(fresh / CARD, card.model_dump_json(indent=2) + "\n")
            cls.open(fresh)
            _replace(folder, fresh)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        return cls(folder, card)


def copy_bundle(source: Bundle, target: Path, card: Card) -> Bundle:
    """Return a bundle with the files of another one, or of itself, and with a card of its own.

    Args:
        source: Whose files are copied.
        target: Where it goes; a bundle that stood there is replaced at the very end.
        card: Its card; ``files`` is filled in.

    Raises:
        OSError: It cannot be written; what stood there before is untouched.
    """

    def write(folder: Path) -> None:
        for name in source.card.files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.folder / name, folder / name)

    return Bundle.save(target, card, write)


def _is_inside(name: str) -> bool:
    """Return whether the name of a file can only be one below the bundle's folder."""
    parts = PurePosixPath(name).parts
    plain = "\\" not in name and ":" not in name and not name.startswith("/")
    return plain and bool(parts) and ".." not in parts and PurePosixPath(*parts).as_posix() == name


def recover(folder: Path) -> None:
    """Put back the bundle that a crash has left under another name, and tidy up beside it.

    To be called by who writes the bundle; a reader finds it without.
    """
    old = _old(folder)
    if old.is_dir() and not folder.is_dir():
        old.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    shutil.rmtree(folder.parent / f".{folder.name}.new", ignore_errors=True)


def _replace(folder: Path, fresh: Path) -> None:
    old = _old(folder)
    if folder.is_dir():
        folder.rename(old)
    try:
        fresh.rename(folder)
    except BaseException:
        if old.is_dir():
            old.rename(folder)
        raise
    flush_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _old(folder: Path) -> Path:
    """Return where a bundle waits while another takes its place."""
    return folder.parent / f".{folder.name}.old"


def _bundle_folder(path: Path) -> Path:
    """Return the folder of the bundle at a path, or of the best one of a run; nothing is changed.

    Between the two renames of a replacement, or after a crash there, it is under another name.
    """
    best = path / "best"
    for folder in (path, _old(path), best, _old(best)):
        if (folder / CARD).is_file():
            return folder
    if not path.exists():
        raise BundleError(
            f"There is no run or bundle {path}.", hint="Name the folder of a run or of a bundle."
        )
    raise BundleError(
        f"{path} is neither a run with a finished epoch nor a bundle (no {CARD}).",
        hint="Name the folder of a run or of a bundle.",
    )


def _read_card(path: Path) -> Card:
    try:
        values = _as_of_now(json.loads(path.read_text(encoding="utf-8")))
        version = values.get("format_version") if isinstance(values, dict) else None
        if version != FORMAT_VERSION:
            raise BundleError(
                f"{path} has the format version {version}, this delineate reads {FORMAT_VERSION}.",
                hint="Open it with the delineate that wrote it, or a newer one.",
            )
        return Card.model_validate(values)
    except (OSError, ValueError, RecursionError, ValidationError) as error:
        raise BundleError(
            f"{path} cannot be read: {_reason(error)}.",
            hint="Copy the bundle again, or open it with the delineate that wrote it.",
        ) from error


def _as_of_now(values: Any) -> Any:
    """Return a card's values as this version writes them; those of the first had one threshold."""
    if isinstance(values, dict) and values.get("format_version") == 1:
        threshold = values.pop("threshold", 0.5)
        return {**values, "format_version": FORMAT_VERSION, "post": {"threshold": threshold}}
    return values


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return str(error)
