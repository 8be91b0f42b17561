"""From a sample to a window of the network's size.

A window is a function of (seed, epoch, index), so that any of them can be made again, by any
worker and in any order.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from delineate.data.augment import augment_window, plain_window
from delineate.data.classes import IGNORE
from delineate.data.colour import alter_intensity
from delineate.data.dataset import Dataset
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
        """Return one image (height, width, channels) and its mask (height, width) uint8."""
        ...

    def name(self, index: int) -> str:
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

    def load(self, index: int) -> tuple[np.ndarray, np.ndarray, Correction]:
        """Return an image with the network's channels, its mask, and what normalises the image.

        Each pixel is normalised by itself, so this may be done to any part of the image.

        Raises:
            DataError: The image has other channels, or cannot be read or normalised.
        """
        sample = self.dataset[index]
        image = adapt_channels(sample.image, self.channels, sample.name)
        if index not in self.corrections:
            self.corrections[index] = correction(image, self.normalise)
        return image, sample.mask, self.corrections[index]


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
        normalise: The kind of normalisation, done to the whole image before anything else.
    """

    dataset: Dataset
    size: Size
    fit: str
    channels: int
    augment: Augment
    seed: int
    per_image: int = 1
    normalise: str = "none"

    def __len__(self) -> int:
        """Return the number of windows in an epoch."""
        return len(self.dataset) * self.per_image

    def window(self, epoch: int, index: int) -> Window:
        """Return the window that (seed, epoch, index) gives."""
        rng = np.random.default_rng([self.seed, epoch, index])
        image, mask, normalised = self._inputs.load(index % len(self.dataset))
        image, mask, _ = augment_window(
            normalised(image),
            mask,
            None,
            size=self.size,
            fit=self.fit,
            classes=len(self.dataset.classes),
            settings=self.augment,
            rng=rng,
        )
        return alter_intensity(image, self.augment, rng), mask

    def name(self, index: int) -> str:
        """Return the name of the sample that a window is of."""
        return self.dataset.records[index % len(self.dataset)].name

    @cached_property
    def _inputs(self) -> Inputs:
        return Inputs(self.dataset, self.channels, self.normalise)


@dataclass(frozen=True)
class ValidationWindows:
    """The images as they are: resized whole, or cut into tiles that cover each pixel once.

    Attributes:
        dataset: The samples.
        size: (height, width) of each window in pixels.
        fit: "crop" or "resize".
        channels: Channels of each window.
        normalise: The kind of normalisation, measured on the whole image.
    """

    dataset: Dataset
    size: Size
    fit: str
    channels: int
    normalise: str = "none"

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self._places)

    def window(self, epoch: int, index: int) -> Window:
        """Return a window, the same in each epoch; outside the image the mask is ignore."""
        number, row, column = self._places[index]
        image, mask, normalised = self._inputs.load(number)
        if self.fit == "resize":
            return self._resized(normalised(image), mask)
        height, width = self.size
        part = np.s_[row : row + height, column : column + width]
        image, mask = normalised(image[part]), mask[part]
        missing = ((0, height - mask.shape[0]), (0, width - mask.shape[1]))
        return (
            np.pad(image, (*missing, (0, 0)), mode="edge"),
            np.pad(mask, missing, constant_values=IGNORE),
        )

    def name(self, index: int) -> str:
        """Return the name of the sample that a window is of."""
        return self.dataset.records[self._places[index][0]].name

    def _resized(self, image: np.ndarray, mask: np.ndarray) -> Window:
        image, mask, _ = plain_window(
            image, mask, None, size=self.size, fit="resize", classes=len(self.dataset.classes)
        )
        return image, mask

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
    """Return windows as one batch: float32 (batch, height, width, channels), int32 masks."""
    images = np.stack([image for image, _ in windows]).astype(np.float32)
    masks = np.stack([mask for _, mask in windows]).astype(np.int32)
    return images, masks
