"""A check in words, for a terminal: what the data is, then what was found, the worst first."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from delineate.report import Finding, Report

MOST_ALIKE = 5  # findings of one rule that are told
_PLACES = 3
_SIZES = 4
_ABSENT = 6
_LEVELS = ("error", "warning", "note")
_DASH = "–"

Values = Mapping[str, Any]
Row = tuple[str, str]


def summarise(report: Report) -> str:
    """Return a check as text: what the data is, and the findings.

    Args:
        report: What :func:`~delineate.data.checking.check.check` has returned.

    Example:
        >>> print(summarise(Report("Cells", "check", {}, ())))
        Nothing was found wrong.
    """
    parts = [describe(report.values), tell(report.every_finding)]
    return "\n\n".join(part for part in parts if part)


def describe(values: Values) -> str:
    """Return what a data set is, in aligned lines; nothing where nothing is known."""
    if not values:
        return ""
    told = [row for row in rows(values) if row[1]]
    width = max(len(label) for label, _ in told)
    lines = [f"{label.ljust(width)}  {text}" for label, text in told]
    classes = values["classes"] or []
    return "\n".join([*lines, "", *_class_lines(values)] if len(classes) > 2 else lines)


def tell(findings: Sequence[Finding]) -> str:
    """Return findings as text, the worst first, of each rule the first five and a count."""
    if not findings:
        return "Nothing was found wrong."
    lines: list[str] = []
    for level in _LEVELS:
        alike: dict[str, list[Finding]] = {}
        for finding in findings:
            if finding.level == level:
                alike.setdefault(finding.code, []).append(finding)
        for code, group in alike.items():
            lines += [line for finding in group[:MOST_ALIKE] for line in _told(finding)]
            if len(group) > MOST_ALIKE:
                lines.append(f"  and {len(group) - MOST_ALIKE:,} more of {code}")
    return "\n".join([*lines, "", _tally(findings)])


def _told(finding: Finding) -> Iterator[str]:
    yield f"{finding.level} {finding.code}: {finding.message}"
    text, *lines = finding.hint.splitlines() or [""]
    yield f"  hint: {text}"
    yield from (f"    {line}" for line in lines)
    if finding.where:
        rest = len(finding.where) - _PLACES
        more = f" and {rest} more" if rest > 0 else ""
        yield f"  where: {', '.join(finding.where[:_PLACES])}{more}"


def _tally(findings: Sequence[Finding]) -> str:
    counts = [(sum(finding.level == level for finding in findings), level) for level in _LEVELS]
    told = [f"{count:,} {level}{'s' if count > 1 else ''}" for count, level in counts if count]
    return f"Found: {', '.join(told)}."


def rows(values: Values) -> Iterator[Row]:
    """Yield what is to be known, and what it is; what is not known is empty.

    Args:
        values: What :func:`~delineate.data.checking.statistics.statistics` has returned.
    """
    yield "data", f"{values['data']}, layout {values['layout']}"
    yield "images", _images(values)
    yield from (("note", note) for note in values["notes"])
    yield "sizes", _counted(values["sizes"], values)
    yield "pixel", _pixel(values["pixel_size"])
    yield "channels", _channels(values)
    yield "files", _files(values)
    yield "masks", values["masks"] or "not understood: see the findings"
    yield "ignored", "" if values["ignored"] is None else f"{percent(values['ignored'])} of pixels"
    yield "groups", _groups(values["groups"])
    if values["classes"] and len(values["classes"]) <= 2:
        shares = [f"{item['name']} {percent(item['share'])}" for item in values["classes"]]
        yield "classes", ", ".join(shares)
    yield "objects", _objects(values)
    for number, item in enumerate(values["kinds"]):
        yield "kinds" if number == 0 else "", f"{item['images']:,} × {item['kind']}"


def _pixel(size: Mapping[str, Any] | None) -> str:
    return "" if size is None else f"{size['height']:g} × {size['width']:g} {size['unit']}"


def _images(values: Values) -> str:
    splits = values["splits"] or {}
    told = ", ".join(f"{name} {count:,}" for name, count in splits.items())
    text = f"{values['images']:,}" + (f" ({told})" if told else ", in no splits")
    broken, alone = values["unreadable"], values["unpaired"]
    text += f", {broken:,} that cannot be read" if broken else ""
    if alone:
        text += f", {alone:,} file{'s' if alone > 1 else ''} without a partner"
    return text


def _counted(counts: Mapping[str, int], values: Values) -> str:
    """Return values with how often they occur, where they do not all have the same."""
    if len(counts) == 1 and values["unreadable"] == 0:
        return next(iter(counts))
    shown = [f"{name} ({count:,})" for name, count in list(counts.items())[:_SIZES]]
    more = [f"{len(counts) - _SIZES} more"] if len(counts) > _SIZES else []
    return ", ".join(shown + more)


def _channels(values: Values) -> str:
    ranges = [
        f"{item['depth']} with values {item['lowest']:,} to {item['highest']:,}"
        for item in values["value_ranges"]
    ]
    return "; ".join(part for part in [_counted(values["channels"], values), *ranges] if part)


def _files(values: Values) -> str:
    """Return the formats of images and masks; a transparent image would not have been read."""
    images = _formats(values["formats"]).replace("and alpha", "and opaque alpha")
    masks = _formats(values["mask_formats"])
    return f"{images}; masks {masks}" if images and masks else images


def _formats(counts: Mapping[str, int]) -> str:
    """Return formats, the most frequent first; one alone has no number."""
    names = {name.replace(", ", " "): count for name, count in list(counts.items())[:_SIZES]}
    shown = [f"{name} ({count:,})" if len(counts) > 1 else name for name, count in names.items()]
    return ", ".join(shown)


def _groups(groups: Values | None) -> str:
    if groups is None:
        return ""
    return (
        f"{groups['groups']:,} of {groups['images']:,} images, the largest of {groups['largest']:,}"
    )


def _objects(values: Values) -> str:
    counts = values["objects_per_image"]
    if not counts or not counts["most"]:
        return ""
    least, most, median = (f"{counts[name]:,.0f}" for name in ("least", "most", "median"))
    about = f"{least} to {most} in an image (median {median})"
    if least == most:
        about = f"{most} in each image"
    whole = values["objects"]
    parts = [f"connected parts, {about}" if whole is None else f"{whole:,}, {about}"]
    sizes = values["object_sizes"] or []
    if len(sizes) == 1:
        parts.append(_size(sizes[0]))
    if values["touching"]:
        parts.append(f"{percent(values['touching'])} touch another")
    return "; ".join(parts)


def _size(item: Values) -> str:
    pixels, area = item["pixels"], item["area"]
    text = f"median {pixels['median']:,.0f} pixels, most from {pixels['p5']:,.0f} to "
    text += f"{pixels['p95']:,.0f}"
    if area:
        text += f" (median {area['median']:.3g} {item['unit']})"
    return text


def _class_lines(values: Values) -> Iterator[str]:
    """Yield the table of the classes."""
    splits = list(values["splits"] or {})
    sizes = {item["name"]: item["pixels"]["median"] for item in values["object_sizes"] or []}
    head = ["class", "share", *(f"in {name}" for name in splits), "images", "part (median)"]
    lines = [head]
    present = [item for item in values["classes"] if item["images"]]
    for item in present:
        shares = [percent((item["splits"] or {}).get(name)) for name in splits]
        size = f"{sizes[item['name']]:,.0f}" if item["name"] in sizes else _DASH
        lines.append([item["name"], percent(item["share"]), *shares, f"{item['images']:,}", size])
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        cells = [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        yield "  ".join([line[0].ljust(widths[0]), *cells]).rstrip()
    absent = [item["name"] for item in values["classes"] if not item["images"]]
    if absent:
        more = f" and {len(absent) - _ABSENT} more" if len(absent) > _ABSENT else ""
        yield f"nowhere: {', '.join(absent[:_ABSENT])}{more}"


def percent(share: float | None) -> str:
    """Return a share in per cent, with two digits where it is small; a dash for None.

    Example:
        >>> percent(0.1234), percent(0.000123), percent(0.0)
        ('12.3 %', '0.012 %', '0 %')
    """
    if share is None:
        return _DASH
    if share == 0:
        return "0 %"
    return f"{share:.1%}"[:-1] + " %" if share >= 0.001 else f"{100 * share:.2g} %"
