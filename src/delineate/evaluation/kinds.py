"""The scores of each kind of picture, where a data set shows several."""

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from delineate.data.dataset import Dataset
from delineate.data.splitting.kinds import describe_kind
from delineate.data.splitting.kinds import kinds as kinds_of
from delineate.data.splitting.prints import fingerprints_of
from delineate.evaluation.tally import (
    Scored,
    intervals_of,
    mean_of,
    object_scores,
    scores_per_image,
)
from delineate.evaluation.wording import OBJECTS, SCORES
from delineate.report import Section, Table
from delineate.scores import summarise

MASKS = ("dice_per_image", "iou_per_image", "mean_iou")


def kind_of_each(whole: Dataset, part: Dataset) -> list[tuple[int, str]]:
    """Return the kind of each image of a part: its number, 0 the most frequent, and a phrase.

    The kinds are those of the whole data set, so that they bear the phrases that ``check`` gives
    them, however few of them are in the part.

    Args:
        whole: All images; they are looked at, which is remembered where the data has a cache.
        part: Some of them.

    Returns:
        Nothing where the whole shows a single kind.

    Raises:
        DataError: An image cannot be read.
    """
    prints = fingerprints_of(whole)
    numbers = kinds_of(prints)
    if len(set(numbers)) < 2:
        return []
    members: dict[int, list[int]] = {}
    for index, number in enumerate(numbers):
        members.setdefault(number, []).append(index)
    phrases = {number: describe_kind(prints, found) for number, found in members.items()}
    known = {record.name: number for record, number in zip(whole.records, numbers, strict=True)}
    return [(known[record.name], phrases[known[record.name]]) for record in part.records]


def kind_scores(
    kinds: Sequence[tuple[int, str]],
    images: Sequence[Scored],
    groups: Sequence[Hashable] | None = None,
    *,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return the scores of each kind, by their names in the JSON, the most frequent kind first.

    Args:
        kinds: The kind of each image, as from :func:`kind_of_each`.
        images: The scores of each image.
        groups: What each image is resampled with; None: by itself.
        seed: Of the bootstrap.

    Returns:
        ``kind``, the phrase; ``images``, their number; ``dice_per_image``, ``iou_per_image`` and
        ``mean_iou``; ``instances`` where there are any objects; and ``intervals``, at 95 %.
    """
    rows = []
    for number, count in sorted(Counter(number for number, _ in kinds).items()):
        chosen = [index for index, kind in enumerate(kinds) if kind[0] == number]
        those = [images[index] for index in chosen]
        units = None if groups is None else [groups[index] for index in chosen]
        row = {"kind": kinds[chosen[0]][1], "images": count, **_scores(those)}
        keys = [*MASKS, *object_scores(those)]
        rows.append(row | {"intervals": intervals_of(those, keys, units, seed=seed)})
    return rows


def kind_section(rows: Sequence[dict[str, Any]]) -> Section:
    """Return the part of the report that is about kinds of picture.

    Args:
        rows: As from :func:`kind_scores`.
    """
    text = (
        "The data shows several kinds of picture, found by their background, colours and the size "
        "of what is on it, the most frequent first. What is a good score on all of them together "
        "can be a poor one on a rare kind. Where there are fewer than ten images of a kind, its "
        "interval is too narrow."
    )
    objects = [row for row in rows if "instances" in row]
    tables = [_mask_table(rows), *([_object_table(objects)] if objects else [])]
    return Section("Kinds of picture", text, tuple(tables))


def _scores(images: Sequence[Scored]) -> dict[str, Any]:
    values: dict[str, Any] = {
        key: mean_of(found) for key, found in scores_per_image(images).items() if key in MASKS
    }
    values["mean_iou"] = summarise(np.sum([image.table for image in images], axis=0))["mean_iou"]
    objects = {key: mean_of(found) for key, found in object_scores(images).items()}
    ordered = {key: values[key] for key in MASKS}
    return {**ordered, "instances": objects} if objects else ordered


def _mask_table(rows: Sequence[dict[str, Any]]) -> Table:
    names = {key: SCORES[key][0] for key in MASKS}
    first, *others = names
    columns = ("kind", "images", names[first], "from", "to", *(names[key] for key in others))
    lines = tuple(
        (
            row["kind"],
            row["images"],
            row[first],
            *row["intervals"].get(first, (None, None)),
            *(row[key] for key in others),
        )
        for row in rows
    )
    note = f"From and to: the 95 % interval of {names[first]}; the JSON has those of all scores."
    return Table("Each kind of picture", columns, lines, note)


def _object_table(rows: Sequence[dict[str, Any]]) -> Table:
    keys = list(rows[0]["instances"])
    columns = ("kind", *(OBJECTS.get(key, (key,))[0] for key in keys))
    lines = tuple((row["kind"], *(row["instances"][key] for key in keys)) for row in rows)
    return Table("Objects of each kind", columns, lines)
