"""From an image of any size to the network's input, and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from delineate.imaging import Padding, pad_to_multiple, resize_image, resize_probabilities
from delineate.prediction.tiling import Tiling, in_tiles

# Of a tile's side: the largest margin, and the longest blending.
SHARED = 4
# Images of one size that go through an engine at once, at the most.
TOGETHER = 16


class Runtime(Protocol):
    """An engine with an open model."""

    granularity: int

    def run(self, images: np.ndarray) -> np.ndarray:
        """Return float32 (batch, height, width, channels) probabilities of such images."""
        ...


@dataclass(frozen=True)
class Preparation:
    """How a bundle wants its images.

    Attributes:
        fit: "resize" to the network's size, or "crop": native resolution.
        size: (height, width) that the network was trained at.
        stride: What the sides have to divide by.
        tile: Larger images are predicted in tiles of this side, in pixels.
        overlap: Over how many pixels neighbouring tiles are blended, where they are.
        fixed: Whether the network takes images of ``size`` only: all are predicted in such tiles.
        field: No pixel farther away than so many changes what the network says of one; None: there
            is no such bound.
    """

    fit: str
    size: tuple[int, int]
    stride: int
    tile: int = 1024
    overlap: int = 64
    fixed: bool = False
    field: int | None = None

    def tiling(self, granularity: int = 1, *, exact: bool = True) -> Tiling:
        """Return how images larger than a tile are cut.

        Where half of a tile at the least is farther from its border than the network looks, tiles
        are cut sharply there, and give what the whole image gives. Else they are blended.

        Args:
            granularity: Of the engine.
            exact: False: they are blended in any case.
        """
        if self.fixed:
            return Tiling(self.size, ramp=min(self.overlap, min(self.size) // SHARED))
        step = int(np.lcm(self.stride, granularity))
        # At least two steps: tiles that share one go on by the other.
        side = max(2 * step, self.tile // step * step)
        if exact and self.field is not None and self.field <= side // SHARED:
            return Tiling((side, side), margin=self.field, ramp=0, step=step)
        return Tiling((side, side), ramp=min(self.overlap, side // SHARED), step=step)

    def multiple(self, runtime: Runtime) -> int:
        """Return what the sides of an image have to divide by where it is not resized."""
        free = self.fit != "resize" and not self.fixed
        return int(np.lcm(self.stride, runtime.granularity)) if free else 1

    def predict(self, image: np.ndarray, runtime: Runtime) -> np.ndarray:
        """Return the probabilities of one image at its own size.

        Args:
            image: (height, width, channels) of the network's channels, normalised.
            runtime: The engine.

        Returns:
            float32 (height, width, channels), the model's own.
        """
        if self.goes_whole((image.shape[0], image.shape[1])):
            return self.predict_together([image], runtime)[0]
        tiling = self.tiling(runtime.granularity)
        return in_tiles(image, lambda part: self.padded(part, runtime), tiling)

    def goes_whole(self, size: tuple[int, int]) -> bool:
        """Return whether images of such a (height, width) are predicted in one go each."""
        return self.fit == "resize" or (max(size) <= self.tile and not self.fixed)

    def together(self, size: tuple[int, int], multiple: int) -> int:
        """Return how many images of such a size go through an engine at once.

        All together have no more pixels than a tile, neither as they are nor as the engine has
        them; images that are padded alike are as many.

        Args:
            size: (height, width) in pixels.
            multiple: What the engine's sides divide by, see :meth:`multiple`.
        """
        if not self.goes_whole(size):
            return 1
        height, width = pad_to_multiple(size, multiple).padded_size
        pixels = height * width
        if self.fit == "resize":
            pixels = max(pixels, self.size[0] * self.size[1])
        return max(1, min(TOGETHER, self.tile**2 // pixels))

    def predict_together(self, images: Sequence[np.ndarray], runtime: Runtime) -> list[np.ndarray]:
        """Return the probabilities of images that are predicted in one go each, all at once.

        Args:
            images: Each (height, width, channels) of one size, as for :meth:`predict`.
            runtime: The engine.

        Returns:
            Of each float32 (height, width, channels), the model's own.
        """
        size = images[0].shape[0], images[0].shape[1]
        if self.fit == "resize":
            small = [resize_image(image, self.size) for image in images]
            return [resize_probabilities(found, size) for found in _run(runtime, small)]
        padding = pad_to_multiple(size, self.multiple(runtime))
        found = _run(runtime, [padding.apply(image) for image in images])
        return [padding.undo(each) for each in found]

    def padded(self, image: np.ndarray, runtime: Runtime) -> np.ndarray:
        """Return the probabilities of an image, or of a tile of one, in one go.

        Args:
            image: (height, width, channels) of the network's channels, normalised.
            runtime: The engine.

        Returns:
            float32 (height, width, channels), the model's own.
        """
        size = image.shape[0], image.shape[1]
        if self.fixed:
            padding = Padding(size, self.size[0] - size[0], self.size[1] - size[1])
        else:
            padding = pad_to_multiple(size, self.multiple(runtime))
        cut: np.ndarray = padding.undo(_run(runtime, [padding.apply(image)])[0])
        return cut


def two_classes(probabilities: np.ndarray) -> np.ndarray:
    """Return (height, width, 2) for a single channel, the foreground's; others as they are."""
    if probabilities.shape[-1] > 1:
        return probabilities
    return np.concatenate([1.0 - probabilities, probabilities], axis=-1)


def to_mask(probabilities: np.ndarray, *, output: str, threshold: float) -> np.ndarray:
    """Return the class ids that probabilities give, uint8 (height, width).

    Args:
        probabilities: float32 (height, width, classes).
        output: "softmax" or "sigmoid".
        threshold: With two classes: foreground from this probability on.
    """
    if probabilities.shape[-1] == 2:
        foreground = probabilities[..., 1]
        if output == "softmax" and threshold == 0.5:
            return (foreground > probabilities[..., 0]).astype(np.uint8)
        return (foreground >= threshold).astype(np.uint8)
    ids: np.ndarray = probabilities.argmax(axis=-1).astype(np.uint8)
    return ids


def _run(runtime: Runtime, images: Sequence[np.ndarray]) -> np.ndarray:
    batch = np.empty((len(images), *images[0].shape), np.float32)
    for place, image in zip(batch, images, strict=True):
        place[...] = image
    return runtime.run(batch)
