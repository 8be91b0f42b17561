"""Which picture is trained on, which chooses the best epoch, and which is kept for the test."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from delineate.data.looks.fingerprints import Fingerprint
from delineate.data.splitting import similarity
from delineate.data.splitting.kinds import kinds as kinds_of
from delineate.errors import DataError

_SPLITS = ("train", "validation", "test")
_MORE = "give more images"
# What is wanted, and how to want less.
SPLITS_WANTED = "splits", "Lower the share of validation or test to 0"
FOLDS_WANTED = "folds", "Lower training.folds"
_LOOSENING = {
    "near_duplicates": "set data.near_duplicates to 'ignore' if they may be parted",
    "groups": "form more and smaller groups",
    "kinds": "set data.kinds to 'balance'",
}

Unit = list[int]


@dataclass(frozen=True)
class Separation:
    """What may be separated, and by which chance.

    Attributes:
        near_duplicates: "together" or "ignore".
        kinds: "balance", "together" or "ignore".
        seed: Of the shuffling.
    """

    near_duplicates: str
    kinds: str
    seed: int


def assign_splits(
    fingerprints: Sequence[Fingerprint],
    *,
    validation: float,
    test: float,
    seed: int,
    near_duplicates: Literal["together", "ignore"],
    kinds: Literal["balance", "together", "ignore"],
    groups: Sequence[str | None] | None = None,
) -> list[str]:
    """Return "train", "validation" or "test" for each picture.

    Pictures that must not be separated form a unit: a near-duplicate group, a group of
    ``groups``, or what these connect. Units are shuffled, and the larger ones placed first, each
    by chance in a split that has room for it, else where most pictures are missing: so the shares
    are met as nearly as the units allow, and large units are not always trained on. No split with
    a share above 0 stays empty. The result follows from the pictures, the groups and the seed; the
    order of the pictures does not matter.

    Args:
        fingerprints: One per picture.
        validation: Share of the pictures for validation, 0 to below 1.
        test: Share of the pictures for the test; with ``validation`` below 1.
        seed: Seed of the shuffling.
        near_duplicates: "together": near-duplicates stay on one side; "ignore": by chance.
        kinds: "balance": each kind of picture (a unit's is that of most of its pictures) in every
            split by its share; "together": each kind on one side; "ignore": by chance.
        groups: Patient, slide, video, ... of each picture; None: the picture stands alone.

    Raises:
        DataError: If shares or the number of groups are wrong, or there are fewer units than
            splits.

    Example:
        >>> from delineate.data.looks.fingerprints import fingerprint
        >>> pictures = np.random.default_rng(0).integers(0, 255, (4, 64, 64, 3), np.uint8)
        >>> fingerprints = [fingerprint(picture) for picture in pictures]
        >>> how = {"near_duplicates": "together", "kinds": "balance"}
        >>> sorted(assign_splits(fingerprints, validation=0.25, test=0, seed=0, **how))
        ['train', 'train', 'train', 'validation']
    """
    _refuse_bad_shares(validation, test)
    shares = np.array([1 - validation - test, validation, test])
    how = Separation(near_duplicates, kinds, seed)
    numbers = _parts(fingerprints, shares, groups, how, SPLITS_WANTED)
    return [_SPLITS[number] for number in numbers]


def assign_folds(
    fingerprints: Sequence[Fingerprint],
    *,
    folds: int,
    seed: int,
    near_duplicates: Literal["together", "ignore"],
    kinds: Literal["balance", "together", "ignore"],
    groups: Sequence[str | None] | None = None,
) -> list[int]:
    """Return the fold of each picture, from 0, each to be held out once.

    What must not be separated is in one fold, and each fold has its share of each kind, as in
    :func:`assign_splits`, whose arguments and errors these are.

    Args:
        fingerprints: One per picture.
        folds: How many; 2 or more.
        seed: Seed of the shuffling.
        near_duplicates: As there.
        kinds: As there.
        groups: As there.

    Raises:
        DataError: There are fewer units than folds, or a wrong number of groups.
    """
    how = Separation(near_duplicates, kinds, seed)
    return _parts(fingerprints, np.full(folds, 1 / folds), groups, how, FOLDS_WANTED)


def _parts(
    fingerprints: Sequence[Fingerprint],
    shares: NDArray[np.float64],
    groups: Sequence[str | None] | None,
    how: Separation,
    wanted: tuple[str, str],
) -> list[int]:
    """Return for each picture which of the parts with some shares it is in."""
    if groups is not None and len(groups) != len(fingerprints):
        raise DataError(
            f"{len(groups)} groups were given for {len(fingerprints)} images.",
            hint="Name one group for each image, or None for an image that stands alone.",
        )
    kind = [0] * len(fingerprints) if how.kinds == "ignore" else kinds_of(fingerprints)
    labels = np.arange(len(fingerprints))
    ties = {
        "near_duplicates": similarity.near_duplicates(fingerprints)
        if how.near_duplicates == "together"
        else [],
        "groups": _same(groups or []),
        "kinds": _same([str(k) for k in kind]) if how.kinds == "together" else [],
    }
    for together in ties.values():
        _connect(labels, together)
    rng = np.random.default_rng(how.seed)
    units = _shuffled(labels, fingerprints, groups, rng)
    _refuse_too_few(len(units), int(np.count_nonzero(shares)), ties, wanted)
    strata = _strata(units, kind) if how.kinds == "balance" else [units]
    placed = _place(strata, shares, rng)
    _fill_empty(placed, shares)
    return _numbers(placed, len(fingerprints))


def _refuse_bad_shares(validation: float, test: float) -> None:
    if not (validation >= 0 and test >= 0 and validation + test < 1):
        raise DataError(
            f"The shares validation = {validation} and test = {test} leave nothing to train on.",
            hint="Choose shares of at least 0 whose sum is below 1.",
        )


def _refuse_too_few(
    units: int, count: int, ties: Mapping[str, list[Unit]], wanted: tuple[str, str]
) -> None:
    if units < count:
        noun, first = wanted
        formed = "1 unit" if units == 1 else f"{units} units"
        ways = [_LOOSENING[name] for name, tied in ties.items() if any(len(t) > 1 for t in tied)]
        raise DataError(
            f"The images form {formed} that may be separated, and {count} {noun} are wanted.",
            hint=", or ".join([first, *(ways or [_MORE])]) + ".",
        )


def _connect(labels: NDArray[np.intp], together: list[Unit]) -> None:
    for first, *rest in together:
        for other in rest:
            similarity.join(labels, first, other)


def _same(names: Sequence[str | None]) -> list[Unit]:
    """Return the indices of each name that is not None."""
    members: dict[str, Unit] = {}
    for index, name in enumerate(names):
        if name is not None:
            members.setdefault(name, []).append(index)
    return list(members.values())


def _shuffled(
    labels: NDArray[np.intp],
    fingerprints: Sequence[Fingerprint],
    groups: Sequence[str | None] | None,
    rng: np.random.Generator,
) -> list[Unit]:
    """Return the units, larger ones first, equal ones shuffled."""
    names = groups or [None] * len(fingerprints)
    content = [(f.digest, name or "") for f, name in zip(fingerprints, names, strict=True)]
    units = sorted(
        _same([str(label) for label in labels]), key=lambda u: sorted(content[i] for i in u)
    )
    order = rng.permutation(len(units))
    return sorted((units[i] for i in order), key=len, reverse=True)


def _strata(units: list[Unit], kind: list[int]) -> list[list[Unit]]:
    """Return the units by the kind of most of their pictures, the most frequent kind first."""
    strata: dict[int, list[Unit]] = {}
    for unit in units:
        counts = Counter(kind[i] for i in unit)
        strata.setdefault(min(counts, key=lambda k: (-counts[k], k)), []).append(unit)
    return [strata[k] for k in sorted(strata)]


def _place(
    strata: list[list[Unit]], shares: NDArray[np.float64], rng: np.random.Generator
) -> list[list[Unit]]:
    """Return the units of each split.

    The shares are those of all pictures up to and with the present stratum: what one stratum
    could not give, because its units are large or few, the next one makes good.
    """
    placed: list[list[Unit]] = [[] for _ in shares]
    missing = np.where(shares > 0, 0.0, -np.inf)
    for units in strata:
        missing += shares * sum(map(len, units))
        for unit in units:
            split = _choose(missing, len(unit), rng)
            placed[split].append(unit)
            missing[split] -= len(unit)
    return placed


def _choose(missing: NDArray[np.float64], size: int, rng: np.random.Generator) -> int:
    """Return a split with room, more likely where more is missing; else where most is missing."""
    missing = np.round(missing, 9)  # equal needs stay equal, whatever was subtracted before
    room = np.where(missing >= size, missing, 0.0)
    if room.any():
        return int(rng.choice(len(room), p=room / room.sum()))
    return int(missing.argmax())


def _fill_empty(placed: list[list[Unit]], shares: NDArray[np.float64]) -> None:
    """Give each wanted split without units the smallest unit of the largest that can spare one."""
    for split, share in enumerate(shares):
        if share > 0 and not placed[split]:
            donors = [units for units in placed if len(units) > 1]
            donor = max(donors, key=lambda units: sum(map(len, units)))
            smallest = min(donor, key=len)
            donor.remove(smallest)
            placed[split].append(smallest)


def _numbers(placed: list[list[Unit]], count: int) -> list[int]:
    numbers = [0] * count
    for number, units in enumerate(placed):
        for unit in units:
            for index in unit:
                numbers[index] = number
    return numbers
