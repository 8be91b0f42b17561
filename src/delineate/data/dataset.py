"""The data set: an indexed folder, or arrays. Reads no pixels until asked."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np

from delineate.catalog import LAYOUTS, find
from delineate.data.cache import Cache
from delineate.data.classes import Encoding, recognise
from delineate.data.describing.description import FILE, NOTHING_SAID, Description, read_description
from delineate.data.file_hashes import FileHashes
from delineate.data.layouts.layout import Layout
from delineate.data.links import Links, refuse_links_out
from delineate.data.looks.look import Look, look_at
from delineate.data.reading import Decoded, decode
from delineate.data.records import SPLITS, Facts, Record, Sample, Unpaired
from delineate.errors import DataError

Progress = Callable[[int, int], None]
PATTERNS = "pairs"  # the layout that patterns are for


@dataclass(frozen=True)
class Seen:
    """What is known of the records of a data set, by their index, so that none is read twice."""

    hashes: dict[int, str] = field(default_factory=dict)
    facts: dict[int, Facts] = field(default_factory=dict)

    def of(self, indices: Sequence[int]) -> "Seen":
        """Return what is known of some records, in their order."""
        return Seen(
            {new: self.hashes[old] for new, old in enumerate(indices) if old in self.hashes},
            {new: self.facts[old] for new, old in enumerate(indices) if old in self.facts},
        )


@dataclass(frozen=True)
class Dataset:
    """An indexed data set.

    Attributes:
        name: The folder's name, or what the caller said.
        layout: The name of its layout, or "arrays".
        records: Where the samples are.
        unpaired: Files without a partner; training refuses a data set that has any.
        description: What is said about the data: by ``dataset.toml``, the layout or the caller.
        cache: Where decoded pixels are kept; None: they are decoded at each call.
        folder: Where the data is; None for arrays.
        whole: The data set that this is a part of, whose masks say which classes there are.
        seen: What is known of the records already.
        notes: What the layout has to say: what is left out, and how names were paired.

    Example:
        >>> images = np.zeros((2, 8, 8, 3), np.uint8)
        >>> masks = np.zeros((2, 8, 8), np.uint8)
        >>> dataset = Dataset.from_arrays(images, masks, classes=["background", "cell"])
        >>> len(dataset), dataset.classes
        (2, ('background', 'cell'))
    """

    name: str
    layout: str
    records: tuple[Record, ...]
    unpaired: tuple[Unpaired, ...] = ()
    description: Description = NOTHING_SAID
    folder: Path | None = None
    cache: Cache | None = field(default=None, compare=False)
    whole: "Dataset | None" = field(default=None, compare=False, repr=False)
    seen: Seen = field(default_factory=Seen, compare=False, repr=False)
    notes: tuple[str, ...] = ()

    @classmethod
    def open(
        cls,
        folder: str | Path,
        *,
        layout: str | None = None,
        cache: bool = True,
        links: Links = "refuse",
    ) -> "Dataset":
        """Return the data set in a folder; no pixels are read.

        Args:
            folder: The folder; a ``dataset.toml`` in it is honoured.
            layout: A name in the table of layouts; unset: the one that ``dataset.toml`` names,
                else recognised.
            cache: Whether decoded pixels are kept on disk.
            links: Whether files outside of the folder, to which links in it lead or paths in its
                tables, are refused, or followed: they are read and shown, whatever they are.

        Raises:
            DataError: No such folder, no layout recognises it, it holds no images, its
                ``dataset.toml`` is wrong, or a file of it lies outside.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise DataError(
                f"There is no folder {folder}.", hint="Name the folder that holds your images."
            )
        said = read_description(folder)
        kind = _layout(folder, layout or said.layout, said)
        index = kind.index(folder, said)
        if not index.records and not index.unpaired:
            raise DataError(
                f"{folder} holds no images that delineate can read.",
                hint=f"A data set of the layout '{kind.name}' is: {kind.summary}.",
            )
        if links != "follow":
            refuse_links_out(folder, index)
        return cls(
            folder.resolve().name,
            kind.name,
            index.records,
            index.unpaired,
            said.over(index.description),
            folder,
            Cache.open(folder) if cache else None,
            notes=index.notes,
        )

    @classmethod
    def from_arrays(
        cls,
        images: Sequence[np.ndarray] | np.ndarray,
        masks: Sequence[np.ndarray] | np.ndarray,
        *,
        classes: Sequence[str] | None = None,
        instances: Sequence[np.ndarray] | None = None,
        splits: Sequence[str] | None = None,
        name: str = "arrays",
    ) -> "Dataset":
        """Return a data set of arrays in memory.

        Args:
            images: Each (height, width), or (height, width, channels), uint8 or uint16.
            masks: Each (height, width) of class ids (255 = ignore), or of 0 and 255.
            classes: Class names, background first.
            instances: Each (height, width) object ids, 0 = none.
            splits: "train", "validation" or "test" for each.
            name: The data set's name.

        Raises:
            DataError: Counts, shapes or types do not fit.
        """
        from delineate.data.arrays import records_of

        records = records_of(images, masks, instances, splits)
        description = Description(names=tuple(classes)) if classes else NOTHING_SAID
        return cls(name, "arrays", records, (), description)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.records)

    def __getitem__(self, index: int) -> Sample:
        """Return the sample at an index.

        Raises:
            DataError: A file cannot be read, or image and mask do not fit.
        """
        record = self.records[index]
        found = self.decoded(index)
        mask = self.encoding.encode(found.labels, found.facts.colours)
        return Sample(record.name, found.image, mask, found.instances)

    def __iter__(self) -> Iterator[Sample]:
        """Yield the samples in order."""
        return (self[index] for index in range(len(self)))

    def decoded(self, index: int) -> Decoded:
        """Return the pixels of one record as stored.

        Raises:
            DataError: A file cannot be read, or image and mask do not fit.
        """
        record, known = self.records[index], self.seen.facts.get(index)
        if record.arrays is not None and known is not None:
            # Arrays in memory are looked through once, and not for each of their windows.
            held = record.arrays
            return Decoded(held.image, held.mask, held.instances, known)
        if self.cache is None or record.arrays is not None:
            found = decode(record)
        else:
            found = self.cache.get(record, self.content_hash(index))
        self.seen.facts[index] = found.facts
        return found

    def look(self, index: int) -> Look:
        """Return what one look at the pixels of a record leaves.

        Raises:
            DataError: A file cannot be read, or image and mask do not fit.
        """
        record = self.records[index]
        if self.cache is None or record.arrays is not None:
            return look_at(self.decoded(index))
        seen = self.cache.look(record, self.content_hash(index))
        self.seen.facts[index] = seen.facts
        return seen

    @cached_property
    def hashes(self) -> tuple[str, ...]:
        """The content hash of each record."""
        with ThreadPoolExecutor() as pool:
            found = tuple(pool.map(self.content_hash, range(len(self))))
        self.keep_hashes()
        return found

    def keep_hashes(self) -> None:
        """Write the hashes of the files that have been read, for the next time."""
        if self.cache is not None:
            self.cache.keep_hashes()

    def content_hash(self, index: int) -> str:
        """Return the content hash of a record.

        Raises:
            ImageError: A file cannot be read.
        """
        if index not in self.seen.hashes:
            hashes = FileHashes() if self.cache is None else self.cache.hashes
            self.seen.hashes[index] = self.records[index].content_hash(hashes.of)
        return self.seen.hashes[index]

    @cached_property
    def facts(self) -> tuple[Facts, ...]:
        """What reading each record shows; reads all of them once."""
        if len(self.seen.facts) == len(self):
            return tuple(self.seen.facts[index] for index in range(len(self)))
        return self.read_all()

    def read_all(self, progress: Progress | None = None) -> tuple[Facts, ...]:
        """Read every record once, which fills the cache, and return what that shows.

        Args:
            progress: Called with (done, all) after each record.

        Raises:
            DataError: A record cannot be read.
        """
        found: list[Facts] = []
        with ThreadPoolExecutor() as pool:
            for decoded in pool.map(self.decoded, range(len(self))):
                found.append(decoded.facts)
                if progress:
                    progress(len(found), len(self))
        return tuple(found)

    @cached_property
    def encoding(self) -> Encoding:
        """How stored mask values become class ids, in all parts of a data set alike."""
        return recognise((self.whole or self).facts, self.description)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, background first; reads the masks where the layout does not fix them."""
        return self.encoding.classes

    @property
    def colours(self) -> tuple[tuple[int, int, int], ...]:
        """An RGB colour for each class."""
        return self.encoding.colours

    @cached_property
    def channels(self) -> int:
        """Channels of the images.

        Raises:
            DataError: Some images have other channels than others (grey beside RGB is allowed).
        """
        found = {fact.channels for fact in self.facts}
        if len(found - {1}) > 1:
            raise DataError(
                f"The images of {self.name} have {sorted(found)} channels.",
                hint="Store all images with the same channels.",
            )
        return max(found, default=1)

    @cached_property
    def dtype(self) -> np.dtype[np.unsignedinteger]:
        """The type of the stored images: uint16 as soon as one of them is.

        Raises:
            DataError: 8-bit and 16-bit images are mixed.
        """
        found = {fact.dtype for fact in self.facts}
        if len(found) > 1:
            raise DataError(
                f"The images of {self.name} are partly 8-bit and partly 16-bit.",
                hint="Store all images with the same depth.",
            )
        return np.dtype(found.pop() if found else "uint8")

    @property
    def splits(self) -> dict[str, "Dataset"]:
        """The parts that the data set has, by the name of the split."""
        found = {record.split for record in self.records}
        return {name: self.split(name) for name in SPLITS if name in found}

    def split(self, name: str) -> "Dataset":
        """Return the part of one split.

        Raises:
            DataError: There is no such split.
        """
        chosen = [index for index, record in enumerate(self.records) if record.split == name]
        if not chosen:
            known = sorted({str(record.split) for record in self.records if record.split})
            raise DataError(
                f"{self.name} has no split '{name}'.",
                hint=f"It has: {', '.join(known) or 'none; train makes them from a seed'}.",
            )
        return self.subset(chosen)

    def subset(self, indices: Sequence[int]) -> "Dataset":
        """Return the records at some indices, with the classes of the whole."""
        return replace(
            self,
            records=tuple(self.records[index] for index in indices),
            unpaired=(),
            notes=(),
            whole=self.whole or self,
            seen=self.seen.of(indices),
        )

    def evenly(self, count: int) -> "Dataset":
        """Return up to ``count`` samples, evenly spread."""
        count = min(count, len(self))
        chosen = np.linspace(0, len(self) - 1, count).round().astype(int).tolist()
        return self.subset(chosen)

    def with_splits(self, splits: Mapping[str, str]) -> "Dataset":
        """Return the same data set with splits by the records' names."""
        records = tuple(replace(record, split=splits.get(record.name)) for record in self.records)
        return replace(self, records=records)

    def require_pairs(self) -> None:
        """Refuse a data set in which a file has no partner.

        Raises:
            DataError: Naming the first such file, and the nearest name.
        """
        if self.unpaired:
            more = f" (and {len(self.unpaired) - 1} more)" if len(self.unpaired) > 1 else ""
            raise DataError(
                self.unpaired[0].message() + more,
                hint="Give each image a mask of the same name; 'delineate check' lists them all.",
            )


def _layout(folder: Path, name: str | None, said: Description) -> Layout:
    """Return the layout that is named, or that patterns ask for, or that a folder shows."""
    patterns = said.images or said.masks
    if patterns and name in LAYOUTS and name != PATTERNS:
        raise DataError(
            f"{folder / FILE} has [pairing] patterns, which the layout '{name}' does not use.",
            hint=f'Write layout = "{PATTERNS}" there, or leave out images and masks.',
        )
    if name:
        return cast(Layout, find("layouts", name))
    if patterns:
        return cast(Layout, find("layouts", PATTERNS))
    return _recognise_layout(folder)


def _recognise_layout(folder: Path) -> Layout:
    layouts: list[Layout] = [find("layouts", name) for name in LAYOUTS]
    layouts = [layout for layout in layouts if not layout.asked]
    refusals = {layout.name: layout.refuse(folder) for layout in layouts}
    fitting = [layout for layout in layouts if refusals[layout.name] is None]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = " and ".join(layout.name for layout in fitting)
        raise DataError(
            f"{folder} could be of the layouts {names}.",
            hint=f'Say which in {folder / FILE}: layout = "{fitting[0].name}".',
        )
    reasons = "".join(f"\n  {name}: {reason}" for name, reason in refusals.items())
    raise DataError(
        f"{folder} is no data set that delineate knows:{reasons}",
        hint="Put images into images/ and masks of the same names into masks/, or say in "
        f"{FILE} under [pairing] where they are.",
    )
