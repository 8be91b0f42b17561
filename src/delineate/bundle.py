"""The bundle: a folder that can predict: model files and a `card.json`."""

import json
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from delineate.bundle_files import verify
from delineate.errors import BundleError
from delineate.files import flush, flush_folder, sha256, write_whole
from delineate.hold import make_folder
from delineate.recipe import Normalisation, ObjectTarget, Post
from delineate.trust import is_marked, mark_of

FORMAT_VERSION = 2
CARD = "card.json"
MOST_CARD_BYTES = 2**20
# In the card's file, and no part of the card: that it was written on this machine.
_MARK = "made"

# What the model of each engine is called, by its end.
_ENDS = {
    "keras": ".keras",
    "litert": ".tflite",
    "onnx": ".onnx",
    "openvino": ".xml",
    "savedmodel": "/saved_model.pb",
    "tensorrt": ".onnx",
}

_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Side = Annotated[int, Field(ge=1, le=16384)]
_Byte = Annotated[int, Field(ge=0, le=255)]
# How many numbers of 32 bits can count.
_COUNTED = 2**31
_MOST_SCALES = 32
# Characters of what a card says that an error repeats.
_SHOWN = 200


class Plain(BaseModel):
    """What the parts of a card have in common: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Category(Plain):
    """A class and its colour."""

    name: str
    colour: tuple[_Byte, _Byte, _Byte]


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
    seconds: dict[str, _Positive]
    source: str = ""

    @field_validator("seconds")
    @classmethod
    def _are_of_both(cls, seconds: dict[str, float]) -> dict[str, float]:
        if not {"before", "after"} <= seconds.keys():
            raise ValueError("it needs 'before' and 'after'")
        return seconds


class Card(Plain):
    """All that a bundle's user has to know, in ``card.json``.

    The model's output has a channel for each class, or one for two classes with a sigmoid, and then
    one for each of ``objects``. ``pixel_size`` is (height, width) of a pixel of the training images
    in ``pixel_unit``, where their data set said it. ``receptive_field``: no pixel farther away than
    so many changes what the model says of one; unset: there is no such bound. ``files`` and
    ``sizes`` are the SHA-256 and the bytes of each file; older cards do not say the sizes.
    """

    format_version: int = FORMAT_VERSION
    members: tuple[Member, ...] = Field(min_length=1, max_length=100)
    classes: tuple[Category, ...] = Field(min_length=2, max_length=255)
    channels: int = Field(ge=1, le=1024)
    dtype: Literal["uint8", "uint16"]
    normalisation: Normalisation = "none"
    fit: Literal["crop", "resize"]
    size: tuple[_Side, _Side]
    stride: int = Field(ge=1, le=1024)
    tile: int = Field(1024, ge=32, le=16384)
    receptive_field: int | None = Field(None, ge=0, lt=_COUNTED)
    fixed_size: bool = False
    output: Literal["softmax", "sigmoid"]
    objects: tuple[ObjectTarget, ...] = Field((), max_length=2)
    post: Post = Post()
    pixel_size: tuple[_Positive, _Positive] | None = None
    pixel_unit: str = "µm"
    scores: dict[str, float | None] = {}
    refiner: Refinement | None = None
    export: Export | None = None
    data_hash: str = ""
    precision: str = "float32"
    versions: dict[str, str] = {}
    licences: dict[str, str] = {}
    files: dict[str, str] = {}
    sizes: dict[str, Annotated[int, Field(ge=0)]] = {}

    @field_validator("post")
    @classmethod
    def _can_be_counted(cls, post: Post) -> Post:
        counts = post.smallest_object, post.largest_hole, post.smallest_seed
        if max(counts) >= _COUNTED or len(post.scales) > _MOST_SCALES:
            raise ValueError(f"a number is larger than {_COUNTED}, or there are too many scales")
        return post

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
    """An opened bundle: its files are whole and are those that its card names.

    Attributes:
        folder: Where it is.
        card: Its card.
        ours: Whether its card was written on this machine, by this user, as it is. A model from
            elsewhere is looked at before it is opened.
    """

    folder: Path
    card: Card
    ours: bool = False

    @classmethod
    def open(cls, path: str | Path) -> "Bundle":
        """Return the bundle in a folder, or the best one of a run folder.

        Raises:
            BundleError: There is none, its card cannot be read, or a file is missing or changed,
                or, in a bundle from elsewhere, one too many.
        """
        folder = _bundle_folder(Path(path))
        card, ours = read_card(folder)
        _require_models(folder, card)
        verify(folder, folder / CARD, card.files, card.sizes, strange=not ours)
        return cls(folder, card, ours)

    @classmethod
    def save(
        cls, folder: Path, card: Card, write: Callable[[Path], None], *, ours: bool = True
    ) -> "Bundle":
        """Write a bundle whole or not at all; one that stood there is replaced at the very end.

        Args:
            folder: Where it goes.
            card: Its card; ``files`` and ``sizes`` are filled in.
            write: Writes the model files into the folder that it is given.
            ours: Whether the model files were made here; False: they were copied from elsewhere.

        Raises:
            BundleError: What was written is no bundle, such as one without a model that its card
                names; what stood there before is untouched.
            OSError: It cannot be written; what stood there before is untouched.
        """
        make_folder(folder.parent)
        recover(folder)
        fresh = folder.parent / f".{folder.name}.new"
        try:
            fresh.mkdir()
            write(fresh)
            files = [path for path in sorted(fresh.rglob("*")) if path.is_file()]
            sums = {path.relative_to(fresh).as_posix(): sha256(path) for path in files}
            sizes = {name: (fresh / name).stat().st_size for name in sums}
            for name in sums:
                flush(fresh / name)
            card = card.model_copy(update={"files": sums, "sizes": sizes})
            write_whole(fresh / CARD, _text_of(card, marked=ours))
            opened = cls.open(fresh)
            _replace(folder, fresh)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        return cls(folder, card, opened.ours)


def read_card(folder: Path) -> tuple[Card, bool]:
    """Return the card of a bundle, whose files are not looked at.

    Args:
        folder: The bundle's.

    Returns:
        The card, and whether it is as it was written on this machine.

    Raises:
        BundleError: It cannot be read.
    """
    path = folder / CARD
    try:
        values = json.loads(_small_text(path))
        mark = values.pop(_MARK, None) if isinstance(values, dict) else None
        ours = mark is not None and is_marked(values, mark)
        values = _as_of_now(values)
        version = values.get("format_version") if isinstance(values, dict) else None
        if version != FORMAT_VERSION:
            raise BundleError(
                f"{path} has the format version {str(version)[:_SHOWN]}, this delineate reads "
                f"{FORMAT_VERSION}.",
                hint="Open it with the delineate that wrote it, or a newer one.",
            )
        return Card.model_validate(values), ours
    except (OSError, ValueError, RecursionError, ValidationError) as error:
        raise BundleError(
            f"{path} cannot be read: {_reason(error)}.",
            hint="Copy the bundle again, or open it with the delineate that wrote it.",
        ) from error


def copy_bundle(source: Bundle, target: Path, card: Card) -> Bundle:
    """Return a bundle with the files of another one, or of itself, and with a card of its own.

    What came from elsewhere still does.

    Args:
        source: Whose files are copied.
        target: Where it goes; a bundle that stood there is replaced at the very end.
        card: Its card; ``files`` and ``sizes`` are filled in.

    Raises:
        BundleError: The card is not one of these files; what stood there before is untouched.
        OSError: It cannot be written; what stood there before is untouched.
    """

    def write(folder: Path) -> None:
        for name in source.card.files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.folder / name, folder / name)

    return Bundle.save(target, card, write, ours=source.ours)


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
        # Whatever ended it, such as a signal, may have come after it.
        if old.is_dir() and not folder.is_dir():
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


def _require_models(folder: Path, card: Card) -> None:
    """Refuse a card of whose models one has no checksum, or is no file of its engine's."""
    for member in card.members:
        if member.file not in card.files:
            raise BundleError(
                f"The card of {folder} names no checksum for '{member.file}'.",
                hint="Copy the bundle again; its card is incomplete.",
            )
        end = _ENDS.get(member.runtime)
        if end is not None and not f"/{member.file}".endswith(end):
            raise BundleError(
                f"The card of {folder} names '{member.file}' as a model for {member.runtime}, "
                f"whose files end in {end.lstrip('/')}.",
                hint="Get the bundle again, or export the model anew.",
            )


def _text_of(card: Card, *, marked: bool) -> str:
    """Return the content of a card's file."""
    values = json.loads(card.model_dump_json())
    if marked and (mark := mark_of(values)):
        values[_MARK] = mark
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def _small_text(path: Path) -> str:
    """Return the text of a plain file that is not too large for a card."""
    about = path.stat()
    if not stat.S_ISREG(about.st_mode) or about.st_size > MOST_CARD_BYTES:
        raise ValueError(f"it is no plain file of at most {MOST_CARD_BYTES} bytes")
    return path.read_text(encoding="utf-8")


def _as_of_now(values: Any) -> Any:
    """Return a card's values as this version writes them; those of the first had one threshold."""
    if isinstance(values, dict) and values.get("format_version") == 1:
        threshold = values.pop("threshold", 0.5)
        return {**values, "format_version": FORMAT_VERSION, "post": {"threshold": threshold}}
    return values


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"[:_SHOWN]
    return str(error)[:_SHOWN]
