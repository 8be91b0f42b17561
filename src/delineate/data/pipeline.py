"""From a sample to a window of the network's size.

A window is a function of (seed, epoch, index), so that any of them can be made again, by any
worker and in any order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Protocol

import numpy as np

from delineate.data.augment import augment_window
from delineate.data.classes import IGNORE
from delineate.data.colour import alter_intensity
from delineate.data.copy_paste import paste_objects
from delineate.data.dataset import Dataset
from delineate.data.object_targets import with_objects
from delineate.data.shares import pixels_of_classes
from delineate.data.source import Source
from delineate.data.windows import Parts, resize_parts, where
from delineate.errors import DataError
from delineate.normalisation import Correction, correction
from delineate.recipe import Augment

COLOUR_CHANNELS = 3

Window = tuple[np.ndarray, np.ndarray]
Size = tuple[int, int]


class Windows(Protocol):
    """A numbered collection of windows."""

    def __len__(self) -> int:
        """Return the number of windows in an epoch."""
        ...

    def window(self, epoch: int, index: int) -> Window:
        """Return one image (height, width, channels) and what is to be learnt of it, uint8.

        That is its mask (height, width); or (height, width, 1 + targets) where objects are learnt
        too: see :func:`~delineate.data.object_targets.with_objects`.
        """
        ...

    def name(self, epoch: int, index: int) -> str:
        """Return the name of the sample that a window is of."""
        ...


@dataclass(frozen=True)
class Inputs:
    """Whole images, with what brings them into the form that the network takes.

    Attributes:
        dataset: The samples.
        channels: Channels that the network takes.
        normalise: A kind of normalisation.
        corrections: What normalises each image, as far as it has been measured: a few numbers, so
            that an image is measured once and not for each of its windows.
    """

    dataset: Dataset
    channels: int
    normalise: str = "none"
    corrections: dict[int, Correction] = field(default_factory=dict, repr=False, compare=False)

    def load(self, index: int, *, instances: bool = True) -> Source:
        """Return a sample, any part of which it makes what the network takes.

        Args:
            index: Of the sample.
            instances: Whether its objects are wanted.

        Raises:
            DataError: The image has other channels, or cannot be read or normalised.
        """
        found = self.dataset.decoded(index)
        name = self.dataset.records[index].name
        adapt = partial(adapt_channels, channels=self.channels, name=name)
        if index not in self.corrections:
            self.corrections[index] = correction(adapt(found.image), self.normalise)
        correct = self.corrections[index]
        return Source(
            found.image,
            found.labels,
            found.instances if instances else None,
            prepare=lambda pixels: correct(adapt(pixels)),
            encode=partial(self.dataset.encoding.encode, colours=found.facts.colours),
        )


@dataclass(frozen=True)
class TrainingWindows:
    """Augmented windows at random places.

    Attributes:
        dataset: The samples.
        size: (height, width) of each window in pixels.
        fit: "crop" or "resize".
        channels: Channels of each window.
        augment: The random changes.
        seed: Of everything random.
        per_image: Windows drawn from each image in an epoch.
        normalise: The kind of normalisation, measured on the whole image.
        oversample: Share of the windows that are laid around a pixel of a class; see ``_place``.
        oversample_kinds: Share of the windows of which the kind of picture is drawn first, by the
            square root of the number of its images.
        kinds: The kind of picture that each sample is; objects are pasted within a kind. Empty:
            all are of one kind.
        targets: What is learnt of objects.
    """

    dataset: Dataset
    size: Size
    fit: str
    channels: int
    augment: Augment
    seed: int
    per_image: int = 1
    normalise: str = "none"
    oversample: float = 0.0
    oversample_kinds: float = 0.0
    kinds: tuple[int, ...] = ()
    targets: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of windows in an epoch."""
        return len(self.dataset) * self.per_image

    def window(self, epoch: int, index: int) -> Window:
        """Return the window that (seed, epoch, index) gives."""
        rng = np.random.default_rng([self.seed, epoch, index])
        number, wanted = self._place(index % len(self.dataset), rng)
        parts = self._drawn(number, wanted, rng)
        if self.augment.copy_paste and rng.random() < self.augment.copy_paste:
            donor = int(rng.choice(self._alike(number)))
            parts = paste_objects(parts, self._drawn(donor, None, rng), rng)
        image, mask, instances = parts
        image = alter_intensity(image, self.augment, rng)
        return image, with_objects(mask, instances, self.targets)

    def name(self, epoch: int, index: int) -> str:
        """Return the name of the sample that a window is of."""
        rng = np.random.default_rng([self.seed, epoch, index])
        return self.dataset.records[self._place(index % len(self.dataset), rng)[0]].name

    def _place(self, number: int, rng: np.random.Generator) -> tuple[int, int | None]:
        """Return the image of a window, and the class around a pixel of which it is laid, or None.

        For a share of the windows the class is drawn first, each but the background equally often,
        then an image that has it: after Isensee et al., nnU-Net, Nature Methods 2021, who draw the
        class among those of the image. For a share of the others the kind of picture is drawn.
        """
        if self.oversample_kinds and rng.random() < self.oversample_kinds:
            chances = np.sqrt([len(images) for images in self._of_kinds.values()])
            kind = rng.choice(list(self._of_kinds), p=chances / chances.sum())
            number = int(rng.choice(self._of_kinds[int(kind)]))
        if not self.oversample or rng.random() >= self.oversample or not self._holders:
            return number, None
        wanted = int(rng.choice(list(self._holders)))
        return int(rng.choice(self._holders[wanted])), wanted

    def _drawn(self, number: int, wanted: int | None, rng: np.random.Generator) -> Parts:
        """Return a random window of an image, its mask and, where they are used, its objects."""
        objects = bool(self.targets or self.augment.copy_paste)
        source = self._inputs.load(number, instances=objects)
        return augment_window(
            source,
            size=self.size,
            fit=self.fit,
            classes=len(self.dataset.classes),
            settings=self.augment,
            rng=rng,
            around=None if wanted is None else _pixel_of(source.mask, wanted, rng),
        )

    @cached_property
    def _inputs(self) -> Inputs:
        return Inputs(self.dataset, self.channels, self.normalise)

    @cached_property
    def _holders(self) -> dict[int, np.ndarray]:
        """The images that hold each class but the background, without the classes in none."""
        found = {
            number: np.flatnonzero(pixels)
            for number, pixels in enumerate(pixels_of_classes(self.dataset).T)
        }
        return {number: images for number, images in found.items() if number and len(images)}

    def _alike(self, number: int) -> np.ndarray:
        """Return the images of the kind of an image, itself among them."""
        return self._of_kinds[self.kinds[number] if self.kinds else 0]

    @cached_property
    def _of_kinds(self) -> dict[int, np.ndarray]:
        kinds = np.array(self.kinds or [0] * len(self.dataset))
        return {int(kind): np.flatnonzero(kinds == kind) for kind in np.unique(kinds)}


@dataclass(frozen=True)
class ValidationWindows:
    """The images as they are: resized whole, or cut into tiles that cover each pixel once.

    Attributes:
        dataset: The samples.
        size: (height, width) of each window in pixels.
        fit: "crop" or "resize".
        channels: Channels of each window.
        normalise: The kind of normalisation, measured on the whole image.
        targets: What is learnt of objects.
    """

    dataset: Dataset
    size: Size
    fit: str
    channels: int
    normalise: str = "none"
    targets: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self._places)

    def window(self, epoch: int, index: int) -> Window:
        """Return a window, the same in each epoch; outside the image the mask is ignore."""
        number, row, column = self._places[index]
        source = self._inputs.load(number, instances=bool(self.targets))
        if self.fit == "resize":
            parts = resize_parts(source.whole(), self.size, len(self.dataset.classes))
        else:
            rows, columns = slice(row, row + self.size[0]), slice(column, column + self.size[1])
            image, mask, instances = source.part(rows, columns)
            parts = (
                self._filled(image, None),
                self._filled(mask, IGNORE),
                where(instances, lambda ids: self._filled(ids, 0)),
            )
        image, mask, instances = parts
        return image, with_objects(mask, instances, self.targets)

    def name(self, epoch: int, index: int) -> str:
        """Return the name of the sample that a window is of."""
        return self.dataset.records[self._places[index][0]].name

    def _filled(self, array: np.ndarray, value: int | None) -> np.ndarray:
        """Return a part of an array, filled up to a window below and right; None: by its edge."""
        missing = [(0, whole - side) for whole, side in zip(self.size, array.shape, strict=False)]
        missing += [(0, 0)] * (array.ndim - 2)
        if value is None:
            return np.pad(array, missing, mode="edge")
        return np.pad(array, missing, constant_values=value)

    @cached_property
    def _inputs(self) -> Inputs:
        return Inputs(self.dataset, self.channels, self.normalise)

    @cached_property
    def _places(self) -> list[tuple[int, int, int]]:
        if self.fit == "resize":
            return [(number, 0, 0) for number in range(len(self.dataset))]
        height, width = self.size
        return [
            (number, row, column)
            for number, facts in enumerate(self.dataset.facts)
            for row in range(0, facts.size[0], height)
            for column in range(0, facts.size[1], width)
        ]


def _pixel_of(mask: np.ndarray, wanted: int, rng: np.random.Generator) -> tuple[int, int]:
    """Return (row, column) of a random pixel of a class that a mask holds."""
    places = np.flatnonzero(mask == wanted)
    row, column = divmod(int(places[rng.integers(len(places))]), mask.shape[1])
    return row, column


def adapt_channels(image: np.ndarray, channels: int, name: str) -> np.ndarray:
    """Return the image with the channels that the network takes; grey is repeated for three.

    Args:
        image: (height, width, channels) of any type.
        channels: How many are wanted.
        name: The image's name, for the error.

    Raises:
        DataError: The image has other channels, and is not grey among colours.
    """
    require_channels(image.shape[2], channels, name)
    return image if image.shape[2] == channels else np.repeat(image, channels, axis=2)


def require_channels(found: int, channels: int, name: str) -> None:
    """Refuse an image whose channels are not the network's, nor grey for three.

    Args:
        found: The channels that it has.
        channels: The channels that the network takes.
        name: The image's name, for the error.

    Raises:
        DataError: It cannot be given to the network.
    """
    if found == channels or (found, channels) == (1, COLOUR_CHANNELS):
        return
    hint = "Give images with as many channels as the training images have."
    if found == 1:
        hint = f"Join the files of its {channels} channels into one file, or one array, in order."
    has = "1 channel" if found == 1 else f"{found} channels"
    raise DataError(f"{name} has {has}, the network takes {channels}.", hint=hint)


def stack(windows: Sequence[Window]) -> Window:
    """Return windows as one batch: float32 (batch, height, width, channels), int32 targets."""
    images = np.stack([image for image, _ in windows]).astype(np.float32)
    masks = np.stack([mask for _, mask in windows]).astype(np.int32)
    return images, masks
