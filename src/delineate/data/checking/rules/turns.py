"""By which turn masks fit their images, told by the alignment of borders and edges."""

from collections.abc import Sequence

import numpy as np

from delineate.data.checking.faults import Fault
from delineate.data.looks.alignment import TURNS, border_of, measure_alignment
from delineate.data.reading import read_channels
from delineate.data.records import Record
from delineate.errors import DataError
from delineate.imaging import read_labels, reorient

Fit = tuple[float, ...]

# By how much one way of turning a mask of swapped sides must fit better than the next.
_CLEARER = 0.1

# Calibration, on 664 images of the Data Science Bowl 2018 and 468 of CamVid, all of whose
# masks are right, and with all masks mirrored in each way:
# - right masks lie on the edges with a correlation of 0.82 (least: 0.30) and 0.30 (least: -0.10);
#   mirrored ones with at most 0.03 and 0.14 in the mean;
# - a single right mask never gains more than -0.10 and 0.23 by a turn. At _ONE_GAIN nine in ten
#   mirrored masks of nuclei are found, and one in ten of streets, which look alike mirrored;
# - all masks together gain 0.79 and 0.16 by the turn that undoes theirs, at 130 and 30 standard
#   errors; at _SURE five of nuclei are enough, and of streets eight to twenty. Masks that mark
#   only the middles of objects avoid all edges: so the turn must fit (_MEAN_FIT), and not only
#   fit better.
_ONE_GAIN, _ONE_FIT, _ONE_MISFIT = 0.3, 0.35, 0.2
_FEWEST, _MEAN_GAIN, _MEAN_FIT, _SURE, _MAJORITY = 5, 0.04, 0.1, 5.0, 0.7


def turn_of_all(records: Sequence[Record], fits: Sequence[Fit]) -> dict[int, list[int]]:
    """Return the places of masks by the turn that most ask for: of all, or else of each split.

    Args:
        records: Of the masks.
        fits: The alignment of each.
    """
    usable = [index for index, fit in enumerate(fits) if fit]
    turn = _fitting_turn([fits[index] for index in usable])
    if turn:
        return {turn: _by_gain(usable, fits, turn)}
    found: dict[int, list[int]] = {}
    for split in dict.fromkeys(record.split for record in records):
        part = [index for index in usable if records[index].split == split]
        turn = _fitting_turn([fits[index] for index in part])
        if turn:
            found.setdefault(turn, []).extend(_by_gain(part, fits, turn))
    return found


def _by_gain(members: Sequence[int], fits: Sequence[Fit], turn: int) -> list[int]:
    """Return the members that fit better after a turn, those that gain most first."""
    gain = {i: fits[i][turn] - fits[i][0] for i in members if len(fits[i]) > turn}
    return sorted((i for i in gain if gain[i] > 0), key=lambda i: -gain[i])


def _fitting_turn(fits: Sequence[Fit]) -> int:
    """Return the turn that masks ask for together, 0 where they are right as they are.

    The gain by the turn must be clear: its mean, that mean against its standard error, and the
    share of the masks that gain.
    """
    best, best_gain = 0, _MEAN_GAIN
    for turn in range(1, len(TURNS)):
        gains = np.array([fit[turn] - fit[0] for fit in fits if len(fit) > turn])
        fitting = np.array([fit[turn] for fit in fits if len(fit) > turn])
        if len(gains) < max(_FEWEST, 0.5 * len(fits)) or fitting.mean() < _MEAN_FIT:
            continue
        sure = gains.mean() > _SURE * gains.std() / np.sqrt(len(gains))
        if sure and gains.mean() > best_gain and (gains > 0).mean() >= _MAJORITY:
            best, best_gain = turn, float(gains.mean())
    return best


def turn_of_one(fit: Fit) -> int:
    """Return the turn that one mask asks for beyond doubt, else 0.

    Args:
        fit: Its alignment.
    """
    if not fit:
        return 0
    best = max(range(len(fit)), key=lambda turn: fit[turn])
    sure = fit[best] - fit[0] >= _ONE_GAIN and fit[best] >= _ONE_FIT and fit[0] <= _ONE_MISFIT
    return best if sure else 0


def fitting_quarter(fault: Fault) -> int:
    """Return the turn after which a mask of swapped sides fits its image best, 0: unclear.

    Args:
        fault: A mask whose height and width are those of its image in the other order.
    """
    try:
        image = read_channels(fault.record)
        labels = read_labels(fault.mask or fault.record.masks[0]).values
    except DataError:
        return 0
    fits = {
        turn: (measure_alignment(image, border_of(reorient(labels, turn))) or (0.0,))[0]
        for turn in range(4, 8)
    }
    first, second = sorted(fits, key=lambda turn: -fits[turn])[:2]
    return first if fits[first] - fits[second] >= _CLEARER else 0
