"""Pictures of how good predictions are."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray
from PIL import Image

from delineate.data.sheet import (
    PAPER,
    Colours,
    Key,
    Pixels,
    encode,
    fit,
    legend_height,
    place,
    write,
    write_legend,
)
from delineate.errors import DataError
from delineate.imaging import error_overlay, overlay
from delineate.scores import calibration_error

_INK = "#3a4147"
_ACCENT = "#1f6f78"
_DASH = "\N{EN DASH}"
_WARM = "#c8553d"
_SHADES = LinearSegmentedColormap.from_list("shares", ["#f3f5f5", "#a9cfcb", "#1f6f78"])
_SIDE = 256
_GAP = 8
_LINE = 24
_HEADINGS = ("Image", "Truth", "Prediction", "Errors")
# Up to _FEW classes there is room for counts beside the percentages, up to _MANY for percentages.
_FEW = 6
_MANY = 40


@dataclass(frozen=True)
class Triptych:
    """An image with its truth and a prediction.

    Attributes:
        title: What stands above the row, such as the name of the image.
        image: (height, width, channels), any type.
        truth: (height, width) class ids, 255 (65535) is ignore; None where it is not known.
        prediction: (height, width) class ids.
        score: The Dice coefficient of the image, 0 .. 1, or None.
    """

    title: str
    image: NDArray[Any]
    truth: NDArray[Any] | None
    prediction: NDArray[Any]
    score: float | None


def triptychs(rows: Sequence[Triptych], colours: Colours, *, names: Sequence[str] = ()) -> bytes:
    """Return image, truth, prediction and errors side by side, a row for each image.

    Without any truth there are only image and prediction. In the errors, green is right, magenta
    was predicted wrongly (or as another class), yellow was missed.

    Args:
        rows: What to show; sizes may differ.
        colours: The colour (red, green, blue; 0 .. 255) of each class id.
        names: The name of each class, for the legend.

    Returns:
        The content of a PNG file.

    Raises:
        DataError: There are no rows, or a mask has not the size of its image.

    Example:
        >>> image, mask = np.zeros((8, 8, 3), np.uint8), np.ones((8, 8), np.uint8)
        >>> triptychs([Triptych("one", image, mask, mask, 1.0)], [(0, 0, 0), (9, 9, 9)])[1:4]
        b'PNG'
    """
    if not rows:
        raise DataError("There are no predictions to show.", hint="Give at least one.")
    known = any(row.truth is not None for row in rows)
    headings = _HEADINGS if known else ("Image", "Prediction")
    strips = [_strip(row, colours, known=known) for row in rows]
    heights = [max(panel.shape[0] for panel in strip if panel is not None) for strip in strips]
    width = len(headings) * (_SIDE + _GAP) + _GAP
    bottom = sum(heights) + len(rows) * (_LINE + 2 * _GAP) + _LINE + 2 * _GAP
    classes, errors = list(zip(colours, names, strict=False))[1:], _error_keys() if known else []
    middle = bottom + legend_height(classes, width)
    sheet = Image.new("RGB", (width, middle + legend_height(errors, width)), PAPER)
    for column, heading in enumerate(headings):
        write(sheet, heading, (_GAP, _left(column)), width=_SIDE, size=15)
    top = _LINE + 2 * _GAP
    for row, strip, height in zip(rows, strips, heights, strict=True):
        _write_title(sheet, row, top)
        for column, panel in enumerate(strip):
            if panel is not None:
                place(sheet, panel, (top + _LINE, _left(column)), (height, _SIDE))
        top += height + _LINE + 2 * _GAP
    write_legend(sheet, classes, bottom)
    write_legend(sheet, errors, middle)
    return encode(sheet)


def confusion_matrix(table: NDArray[np.int64], names: Sequence[str]) -> bytes:
    """Return a picture of a confusion table, each row as shares of a true class.

    Args:
        table: (classes, classes) int64, pixels: a row for each true class, a column for each
            predicted.
        names: The name of each class.

    Returns:
        The content of a PNG file.

    Raises:
        DataError: The table is not square, or the names are not as many.

    Example:
        >>> confusion_matrix(np.array([[8, 2], [1, 9]]), ["background", "cell"])[1:4]
        b'PNG'
    """
    classes = len(names)
    if table.shape != (classes, classes):
        raise DataError(
            f"A confusion table of shape {table.shape} came with {classes} class names.",
            hint="Give a square table and one name for each of its rows.",
        )
    totals = table.sum(axis=1, keepdims=True)
    shares = np.divide(table, totals, out=np.full(table.shape, np.nan), where=totals > 0)
    cell = 1.15 if classes <= _FEW else 0.46 if classes <= _MANY else 12 / classes
    figure = _figure(classes * cell + 2.4, classes * cell + 1.8)
    axes = figure.add_subplot()
    # The root brings out small confusions, which are what one looks for.
    axes.imshow(np.nan_to_num(shares), cmap=_SHADES, norm=PowerNorm(0.6, 0, 1))
    if classes <= _MANY:
        _write_cells(axes, table, shares)
    letters = min(8.5, 50 * cell)
    turn = 0 if classes <= 3 else 40 if classes <= _MANY else 90
    axes.set_xticks(range(classes), names, rotation=turn, rotation_mode="anchor")
    axes.set_yticks(range(classes), names)
    for label in axes.get_xticklabels():
        label.set(
            ha="right" if turn else "center", va="center" if turn == 90 else "top", parse_math=False
        )
    for label in axes.get_yticklabels():
        label.set(parse_math=False)
    unit = "" if classes <= _FEW or classes > _MANY else "  (% of the pixels of each true class)"
    axes.set_xlabel(f"predicted{unit}", color=_INK, labelpad=8)
    axes.set_ylabel("true", color=_INK, labelpad=8)
    axes.set_xticks(np.arange(classes - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(classes - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", lw=2 if classes <= _FEW else 0.8)
    axes.tick_params(
        which="both", length=0, colors=_INK, labelsize=10 if classes <= _FEW else letters
    )
    axes.spines[:].set_visible(False)
    return _png(figure)


def histogram_of_scores(values: Sequence[float | None]) -> bytes:
    """Return a picture of how the Dice coefficients of single images are distributed.

    Args:
        values: One Dice coefficient (0 .. 1) per image; None or NaN is left out.

    Returns:
        The content of a PNG file.

    Example:
        >>> histogram_of_scores([0.2, 0.9, None])[1:4]
        b'PNG'
    """
    known = np.array([value for value in values if value is not None], np.float64)
    known = known[~np.isnan(known)]
    figure = _figure(6.4, 3.2)
    axes = figure.add_subplot()
    _prepare(axes, x="Dice of an image", y="images")
    axes.set_xlim(0, 1)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    if not known.size:
        axes.text(
            0.5, 0.5, "No image has a score.", ha="center", transform=axes.transAxes, color=_INK
        )
        return _png(figure)
    axes.hist(known, bins=25, range=(0, 1), color="#a9cfcb", edgecolor="white")
    for value, name, style in (
        (known.mean(), "mean", "-"),
        (np.median(known), "median", (0, (2, 2))),
    ):
        axes.axvline(value, color=_ACCENT, ls=style, lw=1.6, label=f"{name} {value:.3f}")
    axes.legend(
        frameon=False,
        labelcolor=_INK,
        fontsize=9,
        ncols=2,
        loc="lower right",
        bbox_to_anchor=(1, 1),
    )
    return _png(figure)


def reliability(histogram: NDArray[np.float64]) -> bytes:
    """Return a picture of how far confidence and share of right pixels agree.

    Args:
        histogram: (bins, 3) float64: pixels, sum of their confidences, number of right ones, as
            from ``scores.calibration_histogram``.

    Returns:
        The content of a PNG file.

    Example:
        >>> reliability(np.array([[0.0, 0.0, 0.0], [10.0, 9.0, 7.0]]))[1:4]
        b'PNG'
    """
    filled = histogram[histogram[:, 0] > 0]
    pixels = filled[:, 0]
    confidence, right = filled[:, 1] / pixels, filled[:, 2] / pixels
    error = calibration_error(histogram)
    figure = _figure(4.4, 4.8)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    _prepare(axes, x="", y="share of right pixels")
    _prepare(below, x="confidence", y="pixels")
    axes.plot([0, 1], [0, 1], color="#c9ced2", ls=(0, (3, 3)))
    axes.vlines(confidence, confidence, right, color=_WARM, lw=2, alpha=0.6)
    axes.plot(confidence, right, "o-", color=_ACCENT, ms=5, lw=1.6)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    if error is not None:
        axes.set_title(f"calibration error {error:.3f}", loc="left", fontsize=10, color=_INK)
    below.bar(
        confidence, pixels / max(pixels.sum(), 1), width=0.7 / len(histogram), color="#a9cfcb"
    )
    below.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    return _png(figure)


def _strip(row: Triptych, colours: Colours, *, known: bool) -> list[Pixels | None]:
    masks = [row.prediction] if row.truth is None else [row.prediction, row.truth]
    image, (prediction, *truths) = fit(row.image, masks, side=_SIDE)
    predicted = overlay(image, prediction, colours)
    if not known:
        return [image, predicted]
    if not truths:
        return [image, None, predicted, None]
    truth = truths[0]
    return [
        image,
        overlay(image, truth, colours),
        predicted,
        error_overlay(image, truth, prediction),
    ]


def _left(column: int) -> int:
    return column * (_SIDE + _GAP) + _GAP


def _write_title(sheet: Image.Image, row: Triptych, top: int) -> None:
    score = "" if row.score is None else f"Dice {row.score:.3f}"
    write(sheet, row.title, (top, _GAP), width=sheet.width - 120)
    write(sheet, score, (top, sheet.width - _GAP - 72), width=80)


def _error_keys() -> list[Key]:
    # Asking for the colours keeps the legend true whatever they are.
    grey = np.full((1, 3, 1), 128, np.uint8)
    truth, prediction = np.array([[[1, 0, 1]], [[1, 1, 0]]], np.uint8)
    shown = [(int(r), int(g), int(b)) for r, g, b in error_overlay(grey, truth, prediction)[0]]
    return list(zip(shown, ("right", "predicted wrongly", "missed"), strict=True))


def _write_cells(axes: Axes, table: NDArray[np.int64], shares: NDArray[np.float64]) -> None:
    few = len(table) <= _FEW
    for (row, column), share in np.ndenumerate(shares):
        if np.isnan(share):
            text = _DASH if row == column else ""
        elif few:
            text = f"{share:.1%}\n{table[row, column]:,}"
        else:
            text = f"{share:.0%}".rstrip("%") if share >= 0.005 else ""
        colour = "white" if share > 0.6 else _INK
        axes.text(
            column, row, text, ha="center", va="center", color=colour, fontsize=9 if few else 7.5
        )


def _prepare(axes: Axes, *, x: str, y: str) -> None:
    axes.set_xlabel(x, color=_INK)
    axes.set_ylabel(y, color=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#c9ced2")
    axes.tick_params(colors=_INK, labelsize=8.5, length=0)


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), dpi=110, layout="constrained")


def _png(figure: Figure) -> bytes:
    content = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(content, format="png", facecolor="white", bbox_inches="tight", pad_inches=0.12)
    return content.getvalue()
