"""Models of bundles from elsewhere: looked at, tried by another process, and only then opened."""

import json
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from math import isqrt, lcm, prod
from pathlib import Path
from typing import Any

from delineate.bundle import Bundle, Card, Member
from delineate.child import Limits, run_child
from delineate.data.cache import default_folder
from delineate.errors import BundleError
from delineate.files import write_whole
from delineate.modelfiles.openvino_graph import weights_of
from delineate.prediction import prepare
from delineate.prediction.averaging import WAYS
from delineate.prediction.prepare import Preparation, Runtime
from delineate.temporary import room_told
from delineate.version import __version__

# Of each file of a model; ONNX and LiteRT cannot have larger ones.
MOST_BYTES = 2 * 2**30
# The image on which a model of any size is tried.
TRIED = 256


@dataclass(frozen=True)
class Bound:
    """How much of something a network may take for an image.

    Attributes:
        per_pixel: For each of the image's pixels.
        at_all: For any image, however small.
        never_more: For any image, however large.
    """

    per_pixel: int
    at_all: int
    never_more: int

    def of(self, pixels: int) -> int:
        """Return how much that is for an image of so many pixels."""
        return min(self.never_more, max(self.at_all, self.per_pixel * pixels))


# What our own take for each pixel of a tile of 1024 by 1024, by the shapes of their layers: U-Net++
# with 64 channels and five levels has a tensor of 384 numbers, 11,000 in all of its tensors, and
# 2.7 million multiply-adds. Of the encoders EfficientNetB7 has 2800 numbers in all, MiT-B5, whose
# attention grows with the image, 4000, and ConvNeXtXLarge 2400, for 1.2 million multiply-adds.
# For such a tile the bounds are 512 numbers, 16,384 in all, and 17 million multiply-adds.
LARGEST = Bound(2**12, 2**26, 2**29)
"""Numbers of the largest tensor: 2 GiB at the most."""
TOGETHER = Bound(2**15, 2**28, 2**34)
"""Numbers of all tensors, which PyTorch keeps until the last of them is there."""
STEPS = Bound(2**24, 2**36, 2**45)
"""Multiply-adds, and values that pooling looks at: some minutes of a processor."""

MOST_PIXELS = 2048**2
"""That a card may make of the smallest image."""
MOST_LOOKS = 128
"""How often a card may have each pixel predicted: all turns, and four sizes up to the double."""

_PROGRAM = "savedmodel"
_ENGINES = ("ai-edge-litert", "onnxruntime", "onnxruntime-gpu", "openvino")


def open_stranger(
    bundle: Bundle, member: Member, engine: Any, *, chosen: str | None = None
) -> Runtime:
    """Return an engine with a model from elsewhere.

    Args:
        bundle: The bundle, verified.
        member: Which of its models.
        engine: The entry of the table of runtimes for it.
        chosen: The engine that the user has named. A SavedModel, a program that may read and write
            files, is opened only then.

    Raises:
        BundleError: It is refused, or does not do what the card says.
        MissingExtraError: The engine, or what looks at its files, is not installed.
        BackendError: It is for TensorRT, and there is no NVIDIA GPU, or no TensorRT.
    """
    path = bundle.folder / member.file
    if chosen not in (None, member.runtime):
        raise _refused(path, f"its card says that it is for {member.runtime}, not for {chosen}")
    require_modest(bundle.card, path, granularity=getattr(engine, "granularity", 1))
    if member.runtime == _PROGRAM:
        if chosen is None:
            raise BundleError(
                f"{path} is a program from elsewhere, which may read and write your files.",
                hint="If you trust whoever made it, name the engine: --runtime savedmodel with "
                "predict and evaluate, Predictor.open(..., runtime='savedmodel') in Python.",
            )
    elif member.runtime != "keras":
        _refuse_files(bundle, member)
        _try_once(bundle, member)
    runtime: Runtime = engine.open(path)
    if member.runtime == "keras":
        model = getattr(runtime, "model", None)
        require_its_card(model, bundle.card, path, granularity=runtime.granularity)
    return runtime


def require_modest(card: Card, path: Path, *, granularity: int = 1) -> None:
    """Refuse a card that makes much of a small image, whatever the network is.

    Args:
        card: The card.
        path: The file of one of its models, for the error.
        granularity: Of the engine.

    Raises:
        BundleError: It is refused.
    """
    least = lcm(card.stride, granularity) ** 2 if _is_free(card) else prod(card.size)
    if least > MOST_PIXELS:
        raise _refused(path, f"its card makes {least} pixels of the smallest image")
    looks = len(WAYS[card.post.averaging]) * (1 + sum(scale**2 for scale in card.post.scales))
    if looks > MOST_LOOKS:
        raise _refused(path, f"its card has each pixel predicted {looks:.0f} times")
    files = [member.file for member in card.members]
    if len(set(files)) < len(files):
        raise _refused(path, "its card names a model twice")


def require_its_card(model: Any, card: Card, path: Path, *, granularity: int = 1) -> None:
    """Refuse a Keras model that does not take and give what its card says, or needs too much.

    Nothing is computed.

    Args:
        model: A functional model.
        card: The card.
        path: The file, for the error.
        granularity: Of the engine.

    Raises:
        BundleError: It is refused.
    """
    for size, images in _predicted(card, granularity):
        _require_of(model, card, path, size, images)


def _require_of(model: Any, card: Card, path: Path, size: tuple[int, int], images: int) -> None:
    """Refuse a model as :func:`require_its_card` does, for so many images of a size at once."""
    from delineate.models.costs import demand_of

    try:
        graph = _graph_of(model, size)
        given, taken = [each.shape for each in graph.outputs], graph.image.shape
        demand = demand_of(graph)
    except Exception as error:
        raise _refused(path, "its shapes cannot be told") from error
    expected = [(*taken[:3], _outputs(card))]
    if taken[3] != card.channels or [tuple(shape) for shape in given] != expected:
        raise _refused(
            path, f"it makes {given} of {taken}, and its card says {expected} of {card.channels}"
        )
    # The image is a tensor, too.
    largest = images * max(demand.largest, prod(taken))
    together, steps = images * (demand.values + prod(taken)), images * demand.steps
    told_of = f"an image of {taken}" if images == 1 else f"{images} images of {taken}"
    for asked, bound, told in (
        (largest, LARGEST, f"it has a tensor of {largest} numbers"),
        (together, TOGETHER, f"its tensors have {together} numbers"),
        (steps, STEPS, f"it takes {steps} multiply-adds"),
    ):
        if asked > bound.of(images * taken[1] * taken[2]):
            raise _refused(path, f"{told} for {told_of}")


def _graph_of(model: Any, size: tuple[int, int]) -> Any:
    """Return the graph of a model for an image of a size, where the model leaves that open."""
    import keras

    from delineate.models.summary import Graph, follow

    (image,) = model.inputs
    sides = (fixed or side for fixed, side in zip(image.shape[1:3], size, strict=True))
    tensor = keras.KerasTensor((1, *sides, image.shape[3]), image.dtype)
    return Graph(tensor, *follow(model, [tensor]))


def _predicted(card: Card, granularity: int) -> list[tuple[tuple[int, int], int]]:
    """Return sizes of images, and how many of each are predicted at once.

    What a network takes beside what grows with an image is most where most images go together; all
    else is most for the largest one.
    """
    largest = _largest_size(card, granularity)
    preparation = Preparation(card.fit, card.size, card.stride, card.tile, fixed=card.fixed_size)
    if not _is_free(card):
        return [(largest, preparation.together((1, 1), 1))]
    step = lcm(card.stride, granularity)
    side = max(step, largest[0] // isqrt(prepare.TOGETHER) // step * step)
    return [(largest, 1), ((side, side), preparation.together((side, side), step))]


def _largest_size(card: Card, granularity: int) -> tuple[int, int]:
    """Return the size of the largest image that is predicted in one go."""
    if not _is_free(card):
        height, width = (-(-side // card.stride) * card.stride for side in card.size)
        return height, width
    step = lcm(card.stride, granularity)
    side = max(2 * step, -(-card.tile // step) * step)
    return side, side


def _is_free(card: Card) -> bool:
    """Return whether images are predicted at sizes of their own."""
    return not card.fixed_size and card.fit != "resize"


def _refused(path: Path, reason: str) -> BundleError:
    return BundleError(
        f"{path} is not opened: {reason}.",
        hint="Get the bundle again; its card is that of another model, or it is made to do harm.",
    )


def _refuse_files(bundle: Bundle, member: Member) -> None:
    path = bundle.folder / member.file
    files = [path]
    if member.runtime == "openvino":
        weights = weights_of(path)
        if weights.relative_to(bundle.folder).as_posix() not in bundle.card.files:
            raise _refused(path, f"its card does not name {weights.name}")
        files.append(weights)
    for file in files:
        if file.stat().st_size > MOST_BYTES:
            raise _refused(path, f"{file.name} has more than {MOST_BYTES} bytes")


def _try_once(bundle: Bundle, member: Member) -> None:
    """Let another process open and run a model, unless one has done so with these very files."""
    card, path = bundle.card, bundle.folder / member.file
    said = {
        "runtime": member.runtime,
        "size": _tried_size(card),
        "channels": card.channels,
        "outputs": _outputs(card),
    }
    told = json.dumps([said, member.file, sorted(card.files.items()), _versions()])
    mark = default_folder() / "tried" / sha256(told.encode()).hexdigest()
    if mark.is_file():
        return
    size = sum((bundle.folder / name).stat().st_size for name in card.files)
    with room_told(str(path)):
        run_child(
            "delineate.prediction.trial",
            said | {"file": str(path.resolve())},
            limits=Limits.for_file(size),
            name=str(path),
        )
    # Where nothing can be kept, it is tried again the next time.
    with suppress(OSError):
        write_whole(mark, b"", durable=False)


def _tried_size(card: Card) -> tuple[int, int]:
    if not _is_free(card):
        return card.size
    side = -(-min(TRIED, max(card.size)) // card.stride) * card.stride
    return side, side


def _outputs(card: Card) -> int:
    return card.class_channels + len(card.objects)


def _versions() -> dict[str, str]:
    found = {}
    for name in _ENGINES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found | {"delineate": __version__}
