"""What a network looks like."""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any

import keras
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Patch
from matplotlib.path import Path

from delineate.errors import UsageError
from delineate.models.summary import Call, Graph, count_parameters, summarise_model, trace

__all__ = ["count_parameters", "draw_model", "summarise_model"]

_INK = "#3a4147"
_QUIET = "#8a949c"
_SKIP = "#c48a6a"
# By rising importance: what a group of layers is called, and painted as.
_KINDS = {
    "other": ("#d7dce0", "other"),
    "reduce": ("#e3a587", "lower resolution"),
    "enlarge": ("#e9c46a", "higher resolution"),
    "join": ("#a9bfd6", "join"),
    "convolve": ("#86bcbf", "convolutions"),
    "output": ("#b3a4d0", "output"),
}
_MOST_BOXES = 40
_LEVEL = 1.45


@dataclass
class _Box:
    """Layers that are drawn as one box.

    Attributes:
        names: The names of the layers.
        stride: How many pixels of the image one pixel of the feature map stands for.
        channels: Of the last feature map.
        kind: A key of ``_KINDS``.
        sources: Indices of the boxes whose feature maps it takes.
        left: Where it starts in the drawing.
    """

    names: list[str]
    stride: float
    channels: int
    kind: str
    sources: set[int]
    left: float = 0.0

    @property
    def level(self) -> int:
        """How often the resolution was halved."""
        return round(math.log2(self.stride))

    @property
    def width(self) -> float:
        """In units of the drawing."""
        return 0.14 + 0.07 * math.log2(self.channels + 1)

    @property
    def height(self) -> float:
        """In units of the drawing."""
        return max(1.0 - 0.13 * self.level, 0.3)

    @property
    def middle(self) -> tuple[float, float]:
        """(across, up) in units of the drawing."""
        return self.left + self.width / 2, -_LEVEL * self.level

    @property
    def bottom(self) -> float:
        """Where the label below it ends, in units of the drawing, upwards."""
        return self.middle[1] - self.height / 2 - 0.1 - 0.075 * len(self.label)

    @property
    def label(self) -> str:
        """What the names of the layers have in common."""
        pieces = zip(*(name.split("_") for name in self.names), strict=False)
        shared = takewhile(lambda group: len(set(group)) == 1, pieces)
        return "_".join(group[0] for group in shared) or self.names[-1]


def draw_model(model: keras.Model, *, size: int = 256) -> bytes:
    """Return a drawing of a segmentation network, from left to right, the coarser the deeper.

    A box is a feature map, or consecutive ones of one resolution whose layers' names begin alike;
    the larger the network, the more goes into one box. It is the higher the finer its resolution
    and the wider the more channels it has; the number in it says how many. Arcs are skip
    connections.

    Args:
        model: A functional or sequential model of one image.
        size: The side of the image, in pixels, for which resolutions are worked out where the
            model leaves it open.

    Returns:
        The content of a PNG file.

    Raises:
        UsageError: The model has no graph of layers, not one image as input, or no feature map.

    Example:
        >>> image = keras.Input((None, None, 3))
        >>> model = keras.Model(image, keras.layers.Conv2D(2, 3, name="logits")(image))
        >>> draw_model(model)[1:4]
        b'PNG'
    """
    graph = trace(model, size)
    boxes = _arrange(_boxes(graph, model.name))
    depth = max(box.level for box in boxes)
    right = boxes[-1].left + boxes[-1].width
    width, height = max(right + 1.4, 8.0), 2.2 - min(box.bottom for box in boxes)
    # Agg draws at most 2^16 pixels across.
    figure = Figure(figsize=(0.95 * width, 0.95 * height), dpi=min(110, 60_000 / width))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(-1.2, width - 1.2), ylim=(1.7 - height, 1.7))
    axes.set_axis_off()
    _draw_levels(axes, graph, depth, right)
    for index, box in enumerate(boxes):
        for source in sorted(box.sources - {index}):
            _draw_connection(axes, boxes[source], box, skip=index - source > 1)
        _draw_box(axes, box)
    _write_heading(axes, model, {box.kind for box in boxes})
    content = io.BytesIO()
    figure.savefig(content, format="png", facecolor="white")
    return content.getvalue()


def _boxes(graph: Graph, name: str) -> list[_Box]:
    """Return boxes, by the first of ever coarser ways of grouping that gives few enough."""
    ways: tuple[Callable[[_Box], tuple[object, ...]], ...] = (
        lambda box: (box.level, box.channels, box.names[0].split("_")[0]),
        lambda box: (box.level, box.names[0].split("_")[0]),
        lambda box: (box.level,),
    )
    boxes: list[_Box] = []
    for way in ways:
        boxes = _group(graph, way)
        if len(boxes) <= _MOST_BOXES:
            break
    if not boxes:
        raise UsageError(
            f"The model '{name}' has no feature map to draw.",
            hint="Give a model whose layers give (batch, height, width, channels).",
        )
    return boxes


def _group(graph: Graph, key: Callable[[_Box], tuple[object, ...]]) -> list[_Box]:
    boxes: list[_Box] = []
    # The boxes each tensor comes from, also through layers that are not drawn.
    origins: dict[int, set[int]] = {id(graph.image): set()}
    for call in graph.calls:
        sources = set().union(*(origins.get(id(tensor), set()) for tensor in call.inputs))
        if call.feature_map is not None:
            index = _add(boxes, _box(graph, call, sources), call, key)
            sources = {index}
        origins.update({id(tensor): sources for tensor in call.outputs})
    return boxes


def _add(
    boxes: list[_Box], box: _Box, call: Call, key: Callable[[_Box], tuple[object, ...]]
) -> int:
    """Put a layer into a box that is there, or a new one; return the index of the box."""
    source = min(box.sources) if len(box.sources) == 1 else None
    if source is not None and not _has_kernel(call.layer) and _same_shape(call):
        # An activation or a normalisation belongs to what it is applied to, whatever its name.
        boxes[source].kind = _more_telling(boxes[source].kind, box.kind)
        return source
    if boxes and key(boxes[-1]) == key(box):
        last = boxes[-1]
        last.names += box.names
        last.kind = _more_telling(last.kind, box.kind)
        last.channels = box.channels
        last.sources |= box.sources
    else:
        boxes.append(box)
    return len(boxes) - 1


def _box(graph: Graph, call: Call, sources: set[int]) -> _Box:
    tensor = call.feature_map
    # Borders that are added or cut off change the rows a little, but not the resolution.
    rows = max((given.shape[1] for given in call.inputs if len(given.shape) == 4), default=1)
    maps = [given for given in call.inputs if len(given.shape) == 4 and given.shape[1] > 1]
    if any(tensor is output for output in graph.outputs):
        kind = "output"
    elif len(maps) > 1:
        kind = "join"
    # A border that is added or lost is no change of resolution.
    elif tensor.shape[1] < 0.75 * rows:
        kind = "reduce"
    elif tensor.shape[1] > 1.5 * rows:
        kind = "enlarge"
    else:
        kind = "convolve" if _has_kernel(call.layer) else "other"
    return _Box([call.layer.name], graph.stride_of(tensor), int(tensor.shape[3]), kind, sources)


def _has_kernel(layer: Any) -> bool:
    return isinstance(layer, keras.Model) or any(
        len(weight.shape) > 1 for weight in getattr(layer, "weights", [])
    )


def _same_shape(call: Call) -> bool:
    return any(given.shape == call.feature_map.shape for given in call.inputs)


def _more_telling(first: str, second: str) -> str:
    return max(first, second, key=list(_KINDS).index)


def _arrange(boxes: list[_Box]) -> list[_Box]:
    for before, box in pairwise(boxes):
        gap = 0.12 if before.level == box.level else 0.26
        box.left = before.left + before.width + gap
    return boxes


def _draw_levels(axes: Axes, graph: Graph, depth: int, right: float) -> None:
    height, width = graph.image.shape[1:3]
    for level in range(depth + 1):
        up = -_LEVEL * level
        axes.plot([0, right], [up, up], color="#e6e9ea", lw=1, ls=(0, (1, 3)), zorder=0)
        text = f"{height >> level} \N{MULTIPLICATION SIGN} {width >> level}"
        axes.text(-0.2, up, text, ha="right", va="center", fontsize=8, color=_QUIET)


def _draw_connection(axes: Axes, start: _Box, end: _Box, *, skip: bool) -> None:
    if not skip:
        points = [
            (start.left + start.width, start.middle[1]),
            (end.left, end.middle[1]),
        ]
        axes.plot(*zip(*points, strict=True), color="#b4bcc2", lw=1.2, zorder=1)
        return
    (left, low), (right, high) = start.middle, end.middle
    begin, finish = low + start.height / 2, high + end.height / 2
    rise = max(begin, finish) + min(0.2 + 0.05 * (right - left), 0.55)
    axes.add_patch(
        FancyArrowPatch(
            path=Path(
                [(left, begin), (left, rise), (right, rise), (right, finish)],
                [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4],
            ),
            arrowstyle="-|>",
            mutation_scale=8,
            color=_SKIP,
            lw=1.2,
            zorder=1,
        )
    )


def _draw_box(axes: Axes, box: _Box) -> None:
    across, up = box.middle
    colour = _KINDS[box.kind][0]
    axes.add_patch(
        FancyBboxPatch(
            (box.left, up - box.height / 2),
            box.width,
            box.height,
            boxstyle="round,pad=0,rounding_size=0.05",
            facecolor=colour,
            edgecolor="white",
            zorder=2,
        )
    )
    text: dict[str, Any] = {"ha": "center", "color": _INK, "zorder": 3}
    axes.text(across, up, f"{box.channels}", va="center", fontsize=8, **text)
    axes.text(
        across,
        up - box.height / 2 - 0.06,
        box.label,
        va="top",
        rotation=90,
        fontsize=7,
        parse_math=False,
        **text,
    )


def _write_heading(axes: Axes, model: keras.Model, kinds: set[str]) -> None:
    total, trainable = count_parameters(model)
    frozen = f", {total - trainable:,} not trained" if total > trainable else ""
    axes.text(-1.0, 1.45, model.name, fontsize=12, color=_INK, weight="bold", parse_math=False)
    axes.text(-1.0, 1.2, f"{total:,} parameters{frozen}", fontsize=9, color=_QUIET)
    shown = [(colour, text) for kind, (colour, text) in _KINDS.items() if kind in kinds]
    axes.legend(
        handles=[Patch(color=colour, label=text) for colour, text in shown],
        loc="lower left",
        ncols=len(shown),
        frameon=False,
        fontsize=8,
        labelcolor=_INK,
        handlelength=1,
        columnspacing=1.4,
    )
