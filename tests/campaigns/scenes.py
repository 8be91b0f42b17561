"""Pictures with known masks for the campaign: pebbles on sand, touching, of several kinds.

Their borders are visible and their places random, so that rules which compare pictures with each
other, or masks with pictures, behave as on photographs.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from PIL import Image
from scipy import ndimage

from delineate.data.synthetic.shapes import Crowd, place

SIZE = (64, 80)
SQUARE = (72, 72)
NAMES = ("sand", "flint", "shell", "slate")
COLOURS = ((0, 0, 0), (192, 0, 0), (0, 128, 64), (64, 0, 192))

_CROWD = Crowd((26, 32), (7.0, 9.5), (1.0, 1.7), 0.1, 0.4, 0.15)
_STONES = np.array([(70, 62, 58), (226, 214, 190), (58, 84, 104), (168, 88, 60), (120, 132, 66)])
_SAND = np.array((150, 130, 104))


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture of pebbles.

    Attributes:
        image: (height, width, 3) uint8.
        instances: (height, width) int32, each pebble's number, 0 = sand.
        classes: How many classes there are, with the sand.
        first: The class of the first pebble; the others follow in turn.
    """

    image: np.ndarray
    instances: np.ndarray
    classes: int
    first: int

    @cached_property
    def mask(self):
        """(height, width) uint8 class ids from 0, the sand."""
        kinds = 1 + (self.first + self.instances) % (self.classes - 1)
        return np.where(self.instances > 0, kinds, 0).astype(np.uint8)

    @property
    def binary(self):
        """(height, width) uint8, 0 and 1."""
        return (self.instances > 0).astype(np.uint8)

    @property
    def objects(self):
        """(height, width) bool for each pebble."""
        return [self.instances == number for number in range(1, self.instances.max() + 1)]


@cache
def scene(number: int, size=SIZE, classes: int = 4) -> Scene:
    """Return the scene of a number, always the same."""
    rng = np.random.default_rng([number, *size])
    _, instances = place(_CROWD, size, rng)
    found = Scene(np.zeros((*size, 3), np.uint8), instances, classes, 3 * number)
    return Scene(_paint(found, rng), instances, classes, 3 * number)


def scenes(count: int, first: int = 0, **options) -> list[Scene]:
    """Return scenes of consecutive numbers."""
    return [scene(number, **options) for number in range(first, first + count)]


def _paint(bare: Scene, rng: np.random.Generator) -> np.ndarray:
    size = bare.instances.shape
    sand = _SAND + 9.0 * _clouds(size, 1.5, rng) + 7.0 * _clouds(size, 6, rng)
    tint = _STONES[(bare.mask.astype(int) - 1) % len(_STONES)]
    light = rng.uniform(-14, 14, bare.instances.max() + 1)[bare.instances]
    depth = ndimage.distance_transform_edt(_inner(bare.instances))
    stone = tint + light[..., None] + 5.0 * np.minimum(depth, 5)[..., None] - 22
    stone = stone + 5.0 * _clouds(size, 1.0, rng)
    picture = np.where(bare.instances[..., None] > 0, stone, sand)
    picture = ndimage.gaussian_filter(picture, (0.5, 0.5, 0)) + rng.normal(0, 2.5, (*size, 1))
    return np.clip(np.rint(picture), 1, 254).astype(np.uint8)


def _inner(instances: np.ndarray) -> np.ndarray:
    """Return where the neighbours are of the same pebble: dark gaps part those that touch."""
    lowest = ndimage.minimum_filter(instances, 3)
    return (instances > 0) & (lowest == ndimage.maximum_filter(instances, 3))


def _clouds(size, scale: float, rng: np.random.Generator) -> np.ndarray:
    noise = ndimage.gaussian_filter(rng.standard_normal(size), scale, mode="wrap")
    return (noise / noise.std())[..., None]


def panorama(number: int, steps: int, shift: int = 6) -> list[Scene]:
    """Return the frames of a camera that moves over one long scene."""
    whole = scene(number, size=(SIZE[0], SIZE[1] + shift * steps))
    cuts = [slice(step * shift, step * shift + SIZE[1]) for step in range(steps)]
    return [
        Scene(whole.image[:, cut], whole.instances[:, cut], whole.classes, whole.first)
        for cut in cuts
    ]


def coloured(mask: np.ndarray, colours: Sequence[tuple[int, int, int]] = COLOURS) -> np.ndarray:
    """Return (height, width, 3) uint8: the colour of each class."""
    return np.array(colours, np.uint8)[mask]


def through_jpeg(array: np.ndarray, quality: int = 75) -> np.ndarray:
    """Return what is left of a picture after JPEG."""
    content = io.BytesIO()
    Image.fromarray(array).save(content, "JPEG", quality=quality)
    return np.array(Image.open(content))
