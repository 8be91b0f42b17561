"""The course of a training as one picture."""

import io
import math
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from delineate.errors import DataError

_PANELS = {
    "loss": "Loss",
    "accuracy": "Accuracy",
    "dice": "Dice",
    "mean_iou": "Mean IoU",
    "fidelity": "Fidelity loss",
    "adversarial": "Adversarial loss",
    "critic": "Critic's loss",
}
_LOSSES = ("loss", "fidelity")
# Two adversaries rise and fall with each other: neither has a best epoch.
_CONTESTED = ("adversarial", "critic")
_TRAINING = "#9aa5ad"
_VALIDATION = "#1f6f78"
_INK = "#3a4147"

Row = Mapping[str, float]
Points = list[tuple[float, float]]


def draw_curves(rows: Sequence[Row], *, title: str) -> bytes:
    """Return a picture of the losses and scores of a training over its epochs.

    There is a panel each for loss, accuracy, Dice and mean IoU, and for the losses of a refiner, as
    far as the rows have them, with training and validation together and the best epoch marked;
    below them the learning rate.

    Args:
        rows: One mapping per epoch: "epoch" (from 1 on), "loss", "accuracy", "dice", "mean_iou",
            the same of validation with "val_" before the name, and "learning_rate". What is
            absent or not finite is left out.
        title: What stands above the panels.

    Returns:
        The content of a PNG file.

    Raises:
        DataError: There is no epoch, or nothing to draw about any.

    Example:
        >>> draw_curves([{"epoch": 1, "loss": 0.7, "val_loss": 0.6}], title="first")[1:4]
        b'PNG'
    """
    names = [name for name in _PANELS if _points(rows, name) or _points(rows, f"val_{name}")]
    if not names:
        raise DataError(
            f"The training '{title}' has {len(rows)} epochs and no loss or score to draw.",
            hint="Draw the curves after the first epoch.",
        )
    rate = _points(rows, "learning_rate")
    columns = min(len(names), 2)
    lines = -(-len(names) // columns)
    heights = [2.6] * lines + [1.0] * bool(rate)
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
    figure = Figure(figsize=(5.2 * columns, sum(heights) + 0.7), dpi=110, layout=layout)
    figure.suptitle(title, color=_INK, x=0.012, ha="left", weight="bold", parse_math=False)
    grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
    for index, name in enumerate(names):
        _draw_score(figure.add_subplot(grid[index // columns, index % columns]), rows, name)
    if rate:
        _draw_rate(figure.add_subplot(grid[lines, :]), rows, rate)
    return _png(figure)


def _draw_score(axes: Axes, rows: Sequence[Row], name: str) -> None:
    training, validation = _points(rows, name), _points(rows, f"val_{name}")
    _prepare(axes, _PANELS[name], rows)
    for points, colour, label in (
        (training, _TRAINING, "training"),
        (validation, _VALIDATION, "validation"),
    ):
        if points:
            marker = "o" if len(points) < 12 else ""
            axes.plot(
                *zip(*points, strict=True), color=colour, label=label, lw=1.8, marker=marker, ms=3.5
            )
    if name not in _CONTESTED:
        _mark_best(axes, _best(validation or training, lowest=name in _LOSSES))
    axes.legend(frameon=False, fontsize=8.5, labelcolor=_INK)


def _mark_best(axes: Axes, best: tuple[float, float]) -> None:
    axes.plot(*best, "o", color="none", mec="#c8553d", mew=1.8, ms=9, zorder=5)
    axes.set_title(
        f"best {best[1]:.3f} in epoch {best[0]:g}", loc="right", fontsize=9, color="#c8553d"
    )


def _draw_rate(axes: Axes, rows: Sequence[Row], points: Points) -> None:
    _prepare(axes, "Learning rate", rows)
    axes.step(*zip(*points, strict=True), where="mid", color=_TRAINING, lw=1.5)
    if len(points) == 1:
        axes.plot(*points[0], "o", color=_TRAINING, ms=4)
    axes.set_ylim(bottom=0)
    axes.ticklabel_format(axis="y", scilimits=(-2, 3))
    axes.yaxis.get_offset_text().set(color=_INK, fontsize=8.5)
    axes.set_xlabel("epoch", color=_INK, fontsize=9)


def _prepare(axes: Axes, title: str, rows: Sequence[Row]) -> None:
    epochs = [row["epoch"] for row in rows]
    margin = max(0.02 * (max(epochs) - min(epochs)), 0.2)
    axes.set_xlim(min(epochs) - margin, max(epochs) + margin)
    axes.margins(y=0.12)
    axes.set_title(title, loc="left", fontsize=10.5, color=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#c9ced2")
    axes.tick_params(colors=_INK, labelsize=8.5, length=0)
    axes.grid(axis="y", color="#eceeef")
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _points(rows: Sequence[Row], name: str) -> Points:
    """Return (epoch, value) of the epochs in which a value is known."""
    known = [(row["epoch"], row[name]) for row in rows if row.get(name) is not None]
    return [(epoch, value) for epoch, value in known if math.isfinite(value)]


def _best(points: Points, *, lowest: bool) -> tuple[float, float]:
    """Return the first of the best points."""
    return min(points, key=lambda point: point[1] if lowest else -point[1])


def _png(figure: Figure) -> bytes:
    content = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(content, format="png", facecolor="white")
    return content.getvalue()
