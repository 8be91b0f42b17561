"""The data at hand, checked: rows, pictures, and the tables of docs/explanation/data.md.

Usage: python bench/data.py FOLDER, with stage1_train.zip, camvid/, voc2012_sample/, tiff/ and
odd_images/ in it. What stands between two comments of one name in the page is replaced.
"""

import io
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from measure import run, write_rows
from PIL import Image

from delineate.data.checking.check import examine
from delineate.data.checking.class_map import class_map
from delineate.data.checking.inspection import Inspection, inspect
from delineate.data.checking.summary import percent
from delineate.data.checking.summary import rows as told
from delineate.data.checking.tiles import detail_tile, overlay_tile, plain_tile
from delineate.data.dataset import Dataset
from delineate.data.proposing.proposal import propose
from delineate.data.sheet import PAPER, encode, place, write
from delineate.decoding.formats import IMAGE_SUFFIXES
from delineate.errors import DataError
from delineate.imaging import read_image, read_labels, write_png
from delineate.report import Finding, Report, Tile

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "explanation" / "data.md"
PICTURES = DOCS / "pictures"
SIDE, GAP, LINE = 160, 10, 18
CLASSES = 12


def main() -> None:
    source = Path(sys.argv[1])
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        room = Path(temporary)
        nuclei = room / "nuclei"
        run("fetch", "dsb2018", "--from", source / "stage1_train.zip", "--to", nuclei)
        known = checked("nuclei", nuclei, rows)
        draw_nuclei(*known, room)
        camvid, _ = checked("camvid", source / "camvid", rows)
        for part in ("train", "val"):
            checked(f"camvid-{part}", source / "camvid" / part, rows)
        described, _ = checked("camvid-described", with_proposal(camvid, room / "camvid"), rows)
        draw_camvid(described)
        checked("voc", source / "voc2012_sample", rows)
        checked("tiff", paired_tiff(source / "tiff", room / "tiff"), rows)
    odd = read_odd(source / "odd_images")
    rows.append({"data": "odd_images", "files": odd})
    fill(rows, odd)
    write_rows("data", rows)


def checked(name: str, folder: Path, rows: list[dict[str, Any]]) -> tuple[Inspection, Report]:
    """Check a data set and keep a row of what was found."""
    begun = time.monotonic()
    inspection = inspect(Dataset.open(folder, cache=False))
    report = examine(inspection, pictures=False)
    rows.append(
        {
            "data": name,
            "seconds": round(time.monotonic() - begun, 1),
            "lines": [*lines_of(report)],
            "findings": findings_of(report, folder),
        }
    )
    return inspection, report


def lines_of(report: Report) -> Iterator[tuple[str, str]]:
    """Yield what the data is, in lines; the classes with the largest shares."""
    kept = [(label, text) for label, text in told(report.values) if text and label != "data"]
    kinds = [text for label, text in kept if label in ("kinds", "")]
    yield from (line for line in kept if line[0] not in ("kinds", ""))
    if kinds:
        yield "kinds", "; ".join(kinds)
    classes = [item for item in report.values["classes"] or [] if item["images"]]
    if len(classes) > 2:
        largest = sorted(classes, key=lambda item: -item["share"])[:CLASSES]
        shares = [f"{item['name']} {percent(item['share'])}" for item in largest]
        more = [f"{len(classes) - CLASSES} more"] if len(classes) > CLASSES else []
        yield "classes", ", ".join(shares + more)


def findings_of(report: Report, folder: Path) -> list[dict[str, Any]]:
    """Return each rule that found something: how often, and the first of its findings."""
    first: dict[tuple[str, str], Finding] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for finding in report.findings:
        first.setdefault((finding.level, finding.code), finding)
        counts[finding.level, finding.code] += 1
    order = ("error", "warning", "note")
    return [
        {
            "code": code,
            "level": level,
            "times": counts[level, code],
            "first": first[level, code].message.replace(f"{folder}/", ""),
        }
        for level, code in sorted(first, key=lambda key: (order.index(key[0]), key[1]))
    ]


def with_proposal(inspection: Inspection, folder: Path) -> Path:
    """Return a copy of a data set with the dataset.toml that is proposed for it."""
    source = inspection.dataset.folder
    if source is None:
        raise SystemExit("the data set is no folder")
    shutil.copytree(source, folder)
    (folder / "dataset.toml").write_text(propose(inspection), encoding="utf-8")
    return folder


def paired_tiff(source: Path, folder: Path) -> Path:
    """Return the image and the mask as a data set of one."""
    for part, name in (("images", "img2d.tif"), ("masks", "mask2d.tif")):
        (folder / part).mkdir(parents=True)
        shutil.copyfile(source / name, folder / part / "one.tif")
    return folder


def read_odd(folder: Path) -> list[dict[str, Any]]:
    """Return for each file how it is read as an image and as a mask."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        {
            "folder": path.parent.name,
            "file": path.name,
            "suffix": path.suffix.lower() in IMAGE_SUFFIXES,
            "image": outcome(lambda path=path: read_image(path).shape, folder),
            "mask": outcome(lambda path=path: read_labels(path).values.shape, folder),
        }
        for path in files
        if path.name not in ("SOURCE.txt", "readers.json")
    ]


def outcome(read: Callable[[], tuple[int, ...]], folder: Path) -> str:
    try:
        return "×".join(map(str, read()))
    except DataError as error:
        return error.message.replace(f"{folder}/", "")


def draw_nuclei(inspection: Inspection, report: Report, room: Path) -> None:
    """Draw near-duplicates, an example of each kind, and findings in a copy that was damaged."""
    dataset = inspection.readable
    groups = sorted(inspection.duplicates, key=len, reverse=True)[:6]
    pairs = [plain_tile(dataset, index, " ") for group in groups for index in group[:2]]
    strip(pairs, PICTURES / "data-duplicates.png", columns=6)
    names = {record.name: index for index, record in enumerate(dataset.records)}
    kinds = [
        Tile(overlay_tile(dataset, names[item["example"]]).picture, f"{item['images']} images")
        for item in report.values["kinds"][:6]
    ]
    strip(kinds, PICTURES / "data-kinds.png", columns=6)
    strip(damaged(dataset, room / "damaged"), PICTURES / "data-damage.png", columns=4)


def damaged(dataset: Dataset, folder: Path) -> list[Tile]:
    """Return pictures of findings in a few images whose masks were damaged."""
    size = (256, 320)
    chosen = [i for i, facts in enumerate(dataset.facts) if facts.size == size][:3]
    for number, index in enumerate(chosen):
        sample = dataset[index]
        mask = sample.mask * np.uint8(255)
        blurred = np.asarray(Image.fromarray(mask).resize((160, 128)).resize((320, 256)))
        write_png(folder / "images" / f"{number}.png", np.asarray(sample.image))
        write_png(folder / "masks" / f"{number}.png", (blurred, mask[::-1], mask)[number])
    found = inspect(Dataset.open(folder, cache=False)).readable
    return [
        overlay_tile(found, 0, "resized smoothly"),
        detail_tile(found, 0, "D205: borders, enlarged"),
        overlay_tile(found, 1, "D105: mirrored mask"),
        overlay_tile(found, 2, "as it should be"),
    ]


def draw_camvid(inspection: Inspection) -> None:
    """Draw where the classes of the street lie, and which frames are in which split."""
    gallery = class_map(inspection.readable)
    if gallery is not None:
        strip(gallery.tiles, PICTURES / "data-camvid-places.png", columns=6)
    draw_frames(inspection)


def draw_frames(inspection: Inspection) -> None:
    """Draw each drive as a line of frames, coloured by their splits."""
    matplotlib.use("agg")
    from matplotlib import pyplot

    frames: dict[str, list[tuple[int, str]]] = {}
    for record in inspection.dataset.records:
        drive, _, number = record.name.rpartition("/")[2].rpartition("_")
        frames.setdefault(drive, []).append((int(re.sub(r"\D", "", number)), str(record.split)))
    figure, axes = pyplot.subplots(figsize=(8.6, 1.9), layout="constrained")
    for row, (_, found) in enumerate(sorted(frames.items())):
        for split, colour in (("train", "#1f6f78"), ("validation", "#c8553d")):
            numbers = [number for number, name in found if name == split]
            label = split if row == 1 else None
            axes.plot(numbers, [row] * len(numbers), "|", color=colour, ms=18, label=label)
    axes.set_yticks(range(len(frames)), sorted(frames))
    axes.set_ylim(-0.6, len(frames) - 0.4)
    axes.set_xlabel("number of the frame")
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.legend(loc="outside right upper", frameon=False)
    figure.savefig(PICTURES / "data-camvid-frames.png", dpi=110)


def strip(tiles: Sequence[Tile], path: Path, *, columns: int) -> None:
    """Write pictures side by side, their names and remarks below them."""
    columns = min(columns, len(tiles))
    lines = -(-len(tiles) // columns)
    pictures = [Image.open(io.BytesIO(tile.picture)).convert("RGB") for tile in tiles]
    for picture in pictures:
        picture.thumbnail((SIDE, SIDE))
    heights = [
        max(picture.height for picture in pictures[row * columns : (row + 1) * columns])
        for row in range(lines)
    ]
    below = 2 * LINE + GAP
    size = columns * (SIDE + GAP) + GAP, sum(heights) + lines * below + GAP
    sheet = Image.new("RGB", size, PAPER)
    for number, (tile, picture) in enumerate(zip(tiles, pictures, strict=True)):
        row, column = divmod(number, columns)
        top = GAP + sum(heights[:row]) + row * below
        left = GAP + column * (SIDE + GAP)
        place(sheet, np.asarray(picture), (top, left), (heights[row], SIDE))
        for line, text in enumerate((tile.name, tile.remark)):
            write(sheet, text, (top + heights[row] + 3 + line * LINE, left), width=SIDE)
    path.write_bytes(encode(sheet.quantize(256, dither=Image.Dither.FLOYDSTEINBERG)))


def fill(rows: Sequence[dict[str, Any]], odd: Sequence[dict[str, Any]]) -> None:
    """Replace the tables of the page."""
    text = PAGE.read_text(encoding="utf-8")
    for row in rows:
        if "lines" in row:
            text = replaced(text, row["data"], facts_table(row) + "\n" + findings_table(row))
    text = replaced(text, "odd", odd_table(odd))
    PAGE.write_text(text, encoding="utf-8")


def replaced(text: str, name: str, block: str) -> str:
    """Return the page with what stands between the comments of a name replaced."""
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    before, found, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        return text
    return f"{before}{start}\n\n{block}\n{end}{after}"


def facts_table(row: dict[str, Any]) -> str:
    lines = row["lines"]
    return "| what | |\n| --- | --- |\n" + "".join(
        f"| {label} | {text} |\n" for label, text in lines
    )


def findings_table(row: dict[str, Any]) -> str:
    if not row["findings"]:
        return "Nothing was found wrong.\n"
    lines = [
        f"| {found['level']} {found['code']} | {found['times']} | {shortened(found['first'])} |"
        for found in row["findings"]
    ]
    return "| finding | times | the first |\n| --- | --- | --- |\n" + "\n".join(lines) + "\n"


def shortened(message: str) -> str:
    """Return a message with its long hexadecimal names cut."""
    return re.sub(r"\b([0-9a-f]{8})[0-9a-f]{48,}\b", r"\1…", message).replace("|", "\\|")


def odd_table(odd: Sequence[dict[str, Any]]) -> str:
    lines = []
    for folder in dict.fromkeys(row["folder"] for row in odd):
        those = [row for row in odd if row["folder"] == folder]
        counts = [sum(is_read(row[kind]) for row in those) for kind in ("image", "mask")]
        left = len(those)
        lines.append(
            f"| {folder} | {left} | {counts[0]} | {left - counts[0]} | {counts[1]} "
            f"| {left - counts[1]} |"
        )
    head = "| kind | files | read as image | refused | read as mask | refused |\n"
    return head + "| --- | --- | --- | --- | --- | --- |\n" + "\n".join(lines) + "\n"


def is_read(text: str) -> bool:
    return re.fullmatch(r"\d+(×\d+)*", text) is not None


if __name__ == "__main__":
    main()
