"""Rules about splits, and what may leak between them: D301 to D307."""

from collections import Counter
from collections.abc import Iterator, Sequence

from delineate.data.checking.inspection import Inspection
from delineate.data.checking.rules.sequences import PATTERN, Film, find_films, hangs_together
from delineate.data.checking.rules.wording import NAMED, counted, listed, names_of
from delineate.data.records import Record
from delineate.report import Finding

_FEWEST, _SMALLEST_SHARE = 5, 0.02
_STRETCHES = 6  # of a film that are spelt out


def near_duplicates_across_splits(inspection: Inspection) -> Iterator[Finding]:
    """Near-duplicate images are in different splits.

    What was trained on is then asked for again, and the scores are too good. Move each group to one
    split. Splits that ``train`` makes keep near-duplicates together by themselves.
    """
    for members in inspection.duplicates:
        records = [inspection.readable.records[index] for index in members]
        splits = sorted({str(record.split) for record in records})
        pictures = {inspection.fingerprints[index].digest for index in members}
        # Where all are copies of one picture, D304 says so.
        if len(splits) > 1 and len(pictures) > 1:
            sides = " and ".join(splits)
            message = f"{len(records)} near-duplicate images are in different splits: {sides}."
            hint = "Move them to one split."
            yield Finding("D301", "warning", message, hint, names_of(records))


def near_duplicates_found(inspection: Inspection) -> Iterator[Finding]:
    """Images are near-duplicates of each other, in one split or where there are none.

    In splits that are made from a seed they stay together. They add less to the training than
    their number says.
    """
    for members in inspection.duplicates:
        records = [inspection.readable.records[index] for index in members]
        if len({record.split for record in records}) == 1:
            message = f"{len(records)} images are near-duplicates of each other."
            hint = "Keep them together where you split the data yourself."
            yield Finding("D302", "note", message, hint, names_of(records))


def leaking_groups(inspection: Inspection) -> Iterator[Finding]:
    """A group of ``dataset.toml`` is in several splits.

    A group is what must not be parted: a patient, a slide, a video. Move all its images to one
    split; splits that ``train`` makes keep groups together by themselves.
    """
    groups: dict[str, list[Record]] = {}
    for record in inspection.dataset.records:
        if record.group is not None and record.split is not None:
            groups.setdefault(record.group, []).append(record)
    for group, records in groups.items():
        splits = Counter(str(record.split) for record in records)
        if len(splits) > 1:
            sides = listed([f"{count} in {split}" for split, count in splits.most_common()])
            message = f"The group '{group}' is in several splits: {sides}."
            # Those to move come first.
            records.sort(key=lambda record: splits[str(record.split)])
            hint = f"Move the group to one split, such as {splits.most_common()[0][0]}."
            yield Finding("D303", "error", message, hint, names_of(records))


def copies_across_splits(inspection: Inspection) -> Iterator[Finding]:
    """The same image is in different splits, pixel by pixel.

    What was trained on is asked for again: the scores say nothing about new images. Keep one copy,
    or move all of them to one split.
    """
    for records in _copies(inspection):
        splits = Counter(str(record.split) for record in records)
        if len(splits) > 1:
            sides = listed(sorted(splits))
            message = f"{counted(len(records), 'copy', 'copies')} of one image are in {sides}."
            records.sort(key=lambda record: splits[str(record.split)])
            hint = "Keep one of them, or move them to one split."
            yield Finding("D304", "error", message, hint, names_of(records))


def _copies(inspection: Inspection) -> Iterator[list[Record]]:
    """Yield the records of each picture that there is more than once; blank ones are none."""
    for members in _identical(inspection):
        yield [inspection.readable.records[index] for index in members]


def _identical(inspection: Inspection) -> Iterator[list[int]]:
    groups: dict[str, list[int]] = {}
    for index, print_ in enumerate(inspection.fingerprints):
        if print_.contrast > 0:
            groups.setdefault(print_.digest, []).append(index)
    return (members for members in groups.values() if len(members) > 1)


def copies_with_other_masks(inspection: Inspection) -> Iterator[Finding]:
    """The same image has different masks.

    One of the masks is wrong, or both are opinions of different people. The network is told both.
    Keep the better one.
    """
    for members in _identical(inspection):
        masks = {inspection.looks[index].traits.digest for index in members}
        if len(masks) > 1:
            records = [inspection.readable.records[index] for index in members]
            message = (
                f"{counted(len(records), 'copy', 'copies')} of one image have {len(masks)} "
                f"different masks: {listed([record.name for record in records])}."
            )
            hint = "Look at the masks, and keep the right one."
            yield Finding("D305", "warning", message, hint, names_of(records))


def sequences_across_splits(inspection: Inspection) -> Iterator[Finding]:
    """Numbered frames of one sequence are in several splits.

    Neighbouring frames show nearly the same. A validation clip that lies between training frames,
    or frames that are split by chance, measure memory and not what happens on a new drive, patient
    or slide. Names of a number after a common start count as frames where the names say so
    (``frame``, ``video``, ``slice`` and the like), one split lies between frames of another, or
    neighbours resemble each other. Keep each sequence in one split: ``[groups] pattern`` in
    ``dataset.toml`` makes ``train`` do that where the data has no splits of its own.
    """
    readable = inspection.readable
    for film in find_films(readable.records):
        if hangs_together(film, inspection.fingerprints):
            parts = Counter(film.splits)
            enclosed = film.enclosed
            between = f" Those of {listed(enclosed)} lie between the others." if enclosed else ""
            message = (
                f"Frames of the sequence '{film.name}' are in several splits: "
                f"{_ranges(film, parts)}.{between}"
            )
            hint = (
                "Keep the sequence in one split; without splits of its own, train does that with "
                f"these lines in dataset.toml:\n[groups]\npattern = '{PATTERN}'"
            )
            where = _by_rareness(readable.records, film, parts)
            yield Finding("D306", "warning", message, hint, names_of(where))


def _ranges(film: Film, parts: Counter[str]) -> str:
    if len(film.stretches) <= _STRETCHES:
        return ", ".join(f"{split} {first}–{last}" for split, first, last in film.stretches)
    return listed([f"{count} in {split}" for split, count in parts.most_common()])


def _by_rareness(records: Sequence[Record], film: Film, parts: Counter[str]) -> list[Record]:
    """Return some frames of each split, those of the smallest split first."""
    share = max(1, NAMED // len(parts))
    chosen: list[Record] = []
    for split, _ in reversed(parts.most_common()):
        members = [i for i, side in zip(film.frames, film.splits, strict=True) if side == split]
        chosen += [records[index] for index in members[:share]]
    return chosen


def small_split(inspection: Inspection) -> Iterator[Finding]:
    """A split has very few images.

    A score over fewer than five images, or two in a hundred, says little: one image more or less
    would change it. Move images there, or let ``train`` make the splits from a seed.
    """
    records = inspection.dataset.records
    counts = Counter(record.split for record in records if record.split)
    for split, count in counts.items():
        share = count / counts.total()
        if count < _FEWEST or share < _SMALLEST_SHARE:
            message = f"The split '{split}' has {counted(count, 'image')} of {counts.total()}."
            hint = "Move more images there before you trust its scores."
            where = names_of(record for record in records if record.split == split)
            yield Finding("D307", "note", message, hint, where)
