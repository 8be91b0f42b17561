"""The check of a data set: what it is, and what is wrong with it."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from delineate.catalog import RULES, find
from delineate.data.checking.class_map import class_map
from delineate.data.checking.gallery import (
    Room,
    draw_findings,
    draw_kinds,
    draw_samples,
    sound_part,
)
from delineate.data.checking.inspection import Inspection, inspect
from delineate.data.checking.statistics import VALUES, statistics
from delineate.data.checking.summary import rows
from delineate.data.dataset import Dataset
from delineate.data.pipeline import TrainingWindows
from delineate.data.sheet import sample_sheet
from delineate.errors import DataError
from delineate.files import write_whole
from delineate.page import render
from delineate.recipe import Recipe
from delineate.report import Finding, Report, Section, Table

Progress = Callable[[int, int], None]
SHOWN = 24
TOLD = 5
SIZES = 12

_log = logging.getLogger(__name__)

_KINDS = (
    "Images that look alike, by their background, the colours of what lies on it, and its size. A "
    "kind with few images is learnt least. Splits that are made from a seed keep the shares of the "
    "kinds."
)


def check(
    dataset: Dataset,
    *,
    progress: Progress | None = None,
    recipe: Recipe | None = None,
    pictures: bool = True,
) -> Report:
    """Return what a data set is and what is wrong with it; every record is read once.

    Args:
        dataset: The data set.
        progress: Called with (done, all) after each record.
        recipe: The recipe that the data is meant for: some rules look at its size.
        pictures: Whether to draw the pictures of the page.
    """
    return examine(inspect(dataset, progress, recipe=recipe), pictures=pictures)


def examine(inspection: Inspection, *, pictures: bool = True) -> Report:
    """Return what a data set that has been read is, and what is wrong with it.

    Args:
        inspection: The data set, read once.
        pictures: Whether to draw the pictures of the page.
    """
    values = statistics(inspection)
    findings = find_faults(inspection)
    title = f"{inspection.dataset.name}: check"
    if not pictures:
        return Report(title, "check", values, findings, (_described(values),))
    findings, sections = _drawn(inspection, values, findings)
    return Report(title, "check", values, findings, sections)


def find_faults(inspection: Inspection) -> tuple[Finding, ...]:
    """Return what all rules have found in a data set that has been read."""
    return tuple(finding for code in RULES for finding in find("rules", code)(inspection))


def refuse_errors(findings: Sequence[Finding]) -> None:
    """Refuse data in which something is an error.

    Args:
        findings: What the rules have found in it.

    Raises:
        DataError: The first error that was found, and how many there are.
    """
    errors = [finding for finding in findings if finding.level == "error"]
    if errors:
        more = f" (and {len(errors) - 1} more errors)" if len(errors) > 1 else ""
        raise DataError(
            f"{errors[0].code}: {errors[0].message}{more}",
            hint=f"{errors[0].hint}\n'delineate check' shows all that was found; data.check = "
            '"tell" trains all the same.',
        )


def heed_faults(inspection: Inspection, how: str) -> None:
    """Refuse data in which something is an error, and warn of the first findings.

    Args:
        inspection: The data set, read once.
        how: As ``data.check``: "refuse"; "tell": errors are only told; "none": not looked for.

    Raises:
        DataError: The first error that was found, and how many there are.
    """
    if how == "none":
        return
    findings = find_faults(inspection)
    if how == "refuse":
        refuse_errors(findings)
    told = [finding for finding in findings if finding.level != "note"]
    for finding in told[:TOLD]:
        _log.warning("%s %s: %s", finding.level, finding.code, finding.message)
    if len(told) > TOLD:
        _log.warning("and %d more; 'delineate check' shows all", len(told) - TOLD)


def write_report(report: Report, folder: Path) -> None:
    """Write ``report.json`` and ``report.html`` into a folder."""
    write_whole(folder / "report.json", json.dumps(report.to_json(), indent=1) + "\n")
    write_whole(folder / "report.html", render(report))


def draw_augmented(dataset: Dataset, recipe: str, path: Path) -> Path:
    """Draw samples as a recipe augments them, masks on top, and return the picture's path.

    Args:
        dataset: The samples.
        recipe: A recipe's name or file.
        path: The PNG to write.

    Raises:
        RecipeError: There is no such recipe, or it is wrong.
        DataError: There are no samples, or one cannot be read.
    """
    settings = Recipe.load(recipe)
    windows = TrainingWindows(
        dataset,
        settings.data.size,
        settings.data.fit,
        settings.data.channels or dataset.channels,
        settings.augment,
        seed=settings.runtime.seed,
        normalise=settings.data.normalise,
    )
    chosen = np.linspace(0, len(dataset) - 1, min(SHOWN, len(dataset))).round().astype(int)
    samples = [
        (dataset.records[index].name, *windows.window(0, index)) for index in chosen.tolist()
    ]
    write_whole(path, sample_sheet(samples, dataset.colours, names=dataset.classes))
    return path


def _drawn(
    inspection: Inspection, values: Mapping[str, Any], findings: tuple[Finding, ...]
) -> tuple[tuple[Finding, ...], tuple[Section, ...]]:
    """Return the findings with their pictures, and the sections of the page."""
    room = Room()
    sections = [_described(values)]
    samples = draw_samples(inspection, room)
    if samples:
        sections.append(Section("Samples", galleries=samples))
    places = class_map(sound_part(inspection))
    if places:
        sections.append(Section("Where each class lies", galleries=(places,)))
    kinds = draw_kinds(inspection, values["kinds"], room)
    if kinds:
        sections.append(Section("Kinds of picture", _KINDS, galleries=kinds))
    # Last, since the rest is known to be small.
    return draw_findings(inspection, findings, room), tuple(sections)


def _described(values: Mapping[str, Any]) -> Section:
    known = [row for row in rows(values) if row[1] and row[0] not in ("", "data", "kinds")]
    tables = [Table("In short", ("what", "how many, or which"), tuple(known))]
    tables += [*_classes(values), *_objects(values), *_sizes(values), *_mask_values(values)]
    return Section("What the data is", tables=tuple(tables))


def _classes(values: Mapping[str, Any]) -> Iterator[Table]:
    if not values["classes"]:
        return
    splits = list(values["splits"] or {})
    columns = ("class", "share", *(f"share in {name}" for name in splits), "pixels", "images")
    lines = tuple(
        (
            item["name"],
            item["share"],
            *((item["splits"] or {}).get(name) for name in splits),
            item["pixels"],
            item["images"],
        )
        for item in values["classes"]
    )
    note = "Shares are of the pixels that are not ignored; images: how many have the class."
    yield Table("Classes", columns, lines, note)


def _objects(values: Mapping[str, Any]) -> Iterator[Table]:
    sizes = values["object_sizes"]
    if not sizes:
        return
    names = ("p5", "median", "p95")
    heads = ["5 % are smaller", "median", "5 % are larger"]
    units = {item["unit"] for item in sizes if item["area"]}
    columns = ["class", *(f"{head}, pixels" for head in heads)]
    columns += [f"{head}, {unit}" for unit in units for head in heads]
    lines = tuple(
        (
            item["name"],
            *(round(item["pixels"][name]) for name in names),
            *(item["area"][name] for name in names if item["area"]),
        )
        for item in sizes
    )
    what = "The data's own objects." if values["objects"] is not None else "Connected parts."
    yield Table("Sizes of objects", tuple(columns), lines, what)


def _sizes(values: Mapping[str, Any]) -> Iterator[Table]:
    sizes = list(values["sizes"].items())
    if len(sizes) > 1:
        rest = len(sizes) - SIZES
        note = f"And {rest:,} other sizes." if rest > 0 else ""
        yield Table("Sizes of images", ("height × width", "images"), tuple(sizes[:SIZES]), note)


def _mask_values(values: Mapping[str, Any]) -> Iterator[Table]:
    listed = values["mask_values"]
    ids = {str(number): item["name"] for number, item in enumerate(values["classes"] or [])}
    plain = [item for item in listed if item["class"] and ids.get(item["value"]) == item["class"]]
    # Class ids that stand for themselves are in the table of classes.
    if len(plain) == len(listed):
        return
    lines = tuple((item["value"], item["class"], item["pixels"], item["images"]) for item in listed)
    columns = ("stored", "class", "pixels", "images")
    note = f"The {VALUES} with most pixels." if len(listed) == VALUES else ""
    yield Table("Values of the masks", columns, lines, note)
