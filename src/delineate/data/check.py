"""The check of a data set: what it is, and what is wrong with it."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from delineate.catalog import RULES, find
from delineate.data.classes import IGNORE
from delineate.data.dataset import Dataset
from delineate.data.inspection import Inspection, inspect
from delineate.data.kinds import describe_kind, kinds
from delineate.data.pipeline import TrainingWindows
from delineate.data.sheet import sample_sheet
from delineate.errors import DataError
from delineate.files import write_whole
from delineate.page import render
from delineate.recipe import Recipe
from delineate.report import Picture, Report, Section, Table

Progress = Callable[[int, int], None]
SHOWN = 24


def check(dataset: Dataset, *, progress: Progress | None = None) -> Report:
    """Return what a data set is and what is wrong with it; every record is read once.

    Args:
        dataset: The data set.
        progress: Called with (done, all) after each record.
    """
    inspection = inspect(dataset, progress)
    findings = tuple(finding for code in RULES for finding in find("rules", code)(inspection))
    values = _statistics(inspection)
    sections = (_described(values), *_samples(inspection))
    return Report(f"{dataset.name}: check", "check", values, findings, sections)


def write_report(report: Report, folder: Path) -> None:
    """Write ``report.json`` and ``report.html`` into a folder."""
    write_whole(folder / "report.json", json.dumps(report.to_json(), indent=1) + "\n")
    write_whole(folder / "report.html", render(report))


def describe_findings(report: Report) -> str:
    """Return the statistics and the findings as text."""
    values = report.values
    lines = [f"{key}: {_plain(value)}" for key, value in values.items() if value is not None]
    for finding in report.findings:
        lines.append(f"{finding.level} {finding.code}: {finding.message}")
        lines.append(f"  hint: {finding.hint}")
        if finding.where:
            more = f" and {len(finding.where) - 3} more" if len(finding.where) > 3 else ""
            lines.append(f"  where: {', '.join(finding.where[:3])}{more}")
    if not report.findings:
        lines.append("nothing was found wrong")
    return "\n".join(lines)


def draw_augmented(dataset: Dataset, recipe: str, path: Path) -> Path:
    """Draw samples as a recipe augments them, masks on top, and return the picture's path.

    Args:
        dataset: The samples.
        recipe: A recipe's name or file.
        path: The PNG to write.
    """
    settings = Recipe.load(recipe)
    windows = TrainingWindows(
        dataset,
        settings.data.size,
        settings.data.fit,
        settings.data.channels or dataset.channels,
        settings.augment,
        seed=settings.runtime.seed,
    )
    chosen = np.linspace(0, len(dataset) - 1, min(SHOWN, len(dataset))).round().astype(int)
    samples = [
        (dataset.records[index].name, *windows.window(0, index)) for index in chosen.tolist()
    ]
    write_whole(path, sample_sheet(samples, dataset.colours))
    return path


def _statistics(inspection: Inspection) -> dict[str, Any]:
    readable = inspection.readable
    facts = readable.facts
    sizes = Counter(f"{fact.size[0]}×{fact.size[1]}" for fact in facts)
    splits = Counter(str(record.split) for record in readable.records if record.split)
    objects = [fact.objects for fact in facts if fact.objects is not None]
    return {
        "data": inspection.dataset.name,
        "layout": inspection.dataset.layout,
        "images": len(inspection.dataset),
        "splits": dict(splits) or None,
        "sizes": dict(sizes.most_common()),
        "channels": dict(Counter(str(fact.channels) for fact in facts)),
        "depth": dict(Counter(fact.dtype for fact in facts)),
        "classes": _class_shares(readable),
        "ignored": _ignored(readable),
        "objects": sum(objects) if objects else None,
        "kinds": _kinds(inspection),
    }


def _class_shares(dataset: Dataset) -> list[dict[str, Any]] | None:
    try:
        encoding = dataset.encoding
    except DataError:
        return None
    pixels: Counter[int] = Counter()
    for facts in dataset.facts:
        for value, count in facts.values.items():
            pixels[encoding.values[value]] += count
    total = max(sum(pixels[number] for number in range(len(encoding.classes))), 1)
    return [
        {"name": name, "pixels": pixels[number], "share": round(pixels[number] / total, 6)}
        for number, name in enumerate(encoding.classes)
    ]


def _ignored(dataset: Dataset) -> float | None:
    """Return the share of pixels whose mask says ignore, None where there are none."""
    try:
        values = dataset.encoding.values
    except DataError:
        return None
    counts: Counter[bool] = Counter()
    for facts in dataset.facts:
        for value, count in facts.values.items():
            counts[values[value] == IGNORE] += count
    return round(counts[True] / counts.total(), 6) if counts[True] else None


def _kinds(inspection: Inspection) -> list[dict[str, Any]]:
    prints = inspection.fingerprints
    labels = kinds(prints)
    members: dict[int, list[int]] = {}
    for index, label in enumerate(labels):
        members.setdefault(label, []).append(index)
    return [
        {"kind": describe_kind(prints, found), "images": len(found)}
        for _, found in sorted(members.items())
    ]


def _described(values: dict[str, Any]) -> Section:
    tables = []
    if values["classes"]:
        shares = tuple((item["name"], item["pixels"], item["share"]) for item in values["classes"])
        tables.append(Table("Classes", ("class", "pixels", "share"), shares))
    rows = tuple((item["kind"], item["images"]) for item in values["kinds"])
    tables.append(Table("Kinds of picture", ("kind", "images"), rows))
    tables.append(Table("Sizes", ("height × width", "images"), tuple(values["sizes"].items())))
    return Section("What the data is", tables=tuple(tables))


def _samples(inspection: Inspection) -> list[Section]:
    readable = inspection.readable
    if not len(readable):
        return []
    try:
        colours = readable.colours
    except DataError:
        return []
    chosen = np.linspace(0, len(readable) - 1, min(SHOWN, len(readable))).round().astype(int)
    samples = [readable[index] for index in chosen.tolist()]
    sheet = sample_sheet([(item.name, item.image, item.mask) for item in samples], colours)
    picture = Picture("Samples", "Evenly spread, with their masks.", sheet)
    return [Section("Samples", pictures=(picture,))]


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        items = [f"{key} ({count})" for key, count in value.items()]
        more = f", … {len(items) - 6} more" if len(items) > 6 else ""
        return ", ".join(items[:6]) + more
    if isinstance(value, list):
        return ", ".join(
            " ".join(str(part) for part in item.values()) if isinstance(item, dict) else str(item)
            for item in value
        )
    return str(value)
