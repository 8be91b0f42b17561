"""Numbered frames of one film, told by their names, and whether they hang together."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from delineate.data.looks.fingerprints import Fingerprint
from delineate.data.records import Record

FEWEST = 5  # frames of a film
# Words in a name that say what its number counts, whatever the pictures look like.
_WORDS = re.compile(
    r"(?<![a-z])(frames?|videos?|vid|seq|sequence|clips?|movie|film|slices?|stack|timelapse)(?![a-z])",
    re.IGNORECASE,
)
# Neighbours in a film resemble each other more than frames that are half of it apart: by so much
# more do their thumbnails correlate, and by so many standard errors.
_GAIN, _SURE = 0.1, 3.0
_PAIRS = 256  # of neighbours that are compared
# Chance makes a change of split between about every other pair of neighbours, and may well put one
# image or two between others.
_BLOCKS, _FEWEST_BETWEEN = 0.2, 3

PATTERN = r"([^/]*?)[_-]?\d+\D*$"
"""For ``[groups] pattern``: what a name has before its last number, without the split's folder."""


@dataclass(frozen=True)
class Film:
    """The frames of one film.

    Attributes:
        name: What their names have before the number.
        frames: The indices of the records, in the order of the numbers.
        numbers: The number of each, as it is written.
        splits: The split of each.
    """

    name: str
    frames: tuple[int, ...]
    numbers: tuple[str, ...]
    splits: tuple[str, ...]

    @property
    def stretches(self) -> list[tuple[str, str, str]]:
        """The split, the first and the last number of each unbroken stretch in one split."""
        runs = [list(run) for _, run in groupby(range(len(self.frames)), self.splits.__getitem__)]
        return [(self.splits[run[0]], self.numbers[run[0]], self.numbers[run[-1]]) for run in runs]

    @property
    def enclosed(self) -> list[str]:
        """The splits that lie as a whole between frames of others, the film being in few pieces.

        Images that are numbered in no order, and split by chance, change sides all the time.
        """
        order = [split for split, _, _ in self.stretches]
        if not 3 <= len(order) <= max(3, _BLOCKS * len(self.frames)):
            return []
        return [
            split
            for split in order[1:-1]
            if order.count(split) == 1 and self.splits.count(split) >= _FEWEST_BETWEEN
        ]


def find_films(records: Sequence[Record]) -> list[Film]:
    """Return the films whose frames are in several splits, by their names alone.

    A name is what stands before a number, and the number: ``0016E5_07959``, ``video3-12``. Names
    that are numbers and nothing else are none, and hashes have no five names in common.

    Args:
        records: The records of a data set.
    """
    found: dict[tuple[str, str], list[tuple[int, str, int]]] = {}
    for index, record in enumerate(records):
        parts = _parts(record) if record.split else None
        if parts:
            start, number, end = parts
            found.setdefault((start, end), []).append((int(number), number, index))
    films = []
    for (start, _), members in found.items():
        splits = {records[index].split for _, _, index in members}
        if len(members) >= FEWEST and len(splits) > 1:
            ordered = sorted(members)
            films.append(
                Film(
                    start,
                    tuple(index for _, _, index in ordered),
                    tuple(number for _, number, _ in ordered),
                    tuple(str(records[index].split) for _, _, index in ordered),
                )
            )
    return films


def _parts(record: Record) -> tuple[str, str, str] | None:
    """Return what a name has before its last number, the number, and what comes after it."""
    name = record.name.removeprefix(f"{record.split}/")
    # A digit between letters, as in leftImg8bit, counts nothing.
    numbers = [
        found
        for found in re.finditer(r"\d+", name)
        if not re.fullmatch(
            r"[A-Za-z]\d+[A-Za-z]", name[max(found.start() - 1, 0) : found.end() + 1]
        )
    ]
    if not numbers or not name[: numbers[-1].start()].strip("/_- ."):
        return None
    last = numbers[-1]
    return name[: last.start()], last[0], name[last.end() :]


def hangs_together(film: Film, fingerprints: Sequence[Fingerprint]) -> bool:
    """Return whether frames are known to follow each other, and are not merely numbered images.

    Their names may say so, or one split may lie between frames of another, or neighbours resemble
    each other.

    Args:
        film: The film.
        fingerprints: One for each record.
    """
    if _WORDS.search(film.name) or film.enclosed:
        return True
    count = len(film.frames)
    chosen = np.linspace(0, count - 2, min(count - 1, _PAIRS)).round().astype(int)
    here, after, far = (
        _thumbnails([fingerprints[film.frames[place % count]] for place in chosen + step])
        for step in (0, 1, count // 2)
    )
    near, apart = (here * after).sum(axis=1), (here * far).sum(axis=1)
    error = np.hypot(near.std(), apart.std()) / np.sqrt(len(chosen))
    # The error of a few pairs is a poor estimate: numbered images must not become a film by it.
    sure = _SURE * (1 + 4 / len(chosen))
    return bool(near.mean() - apart.mean() >= max(_GAIN, sure * error))


def _thumbnails(fingerprints: Sequence[Fingerprint]) -> NDArray[np.float32]:
    """Return (frames, cells): thumbnails of mean 0 and length 1."""
    content = b"".join(one.thumbnail for one in fingerprints)
    cells = np.frombuffer(content, np.int8).reshape(len(fingerprints), -1).astype(np.float32)
    cells = cells - cells.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(cells, axis=1, keepdims=True)
    return np.asarray(cells / np.maximum(lengths, 1e-6), np.float32)
