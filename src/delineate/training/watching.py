"""What an onlooker is told while a training runs."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """A moment of a training.

    Attributes:
        epoch: From 1.
        epochs: At most.
        step: Steps done in this epoch.
        steps: Steps of an epoch.
        scores: The scores so far; at an epoch's end those of the validation too.
        images_per_second: Of the training's steps in this epoch.
        seconds_left: Until the last epoch's end, at this pace; without the validation.
        epoch_done: Whether the epoch has ended.
        stage: What is trained: "" for the network itself, "refiner" for what refines it.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    scores: Mapping[str, float]
    images_per_second: float
    seconds_left: float
    epoch_done: bool = False
    stage: str = ""


# Seconds between two moments within an epoch.
EVERY = 0.2

Watch = Callable[[Progress], None]


class Pace:
    """How fast the steps of an epoch go."""

    def __init__(self) -> None:
        self.begun = time.perf_counter()
        self.told = self.begun
        self.images = 0
        self.done = 0

    def step(self, images: int) -> None:
        """Count a step."""
        self.images += images
        self.done += 1

    def due(self) -> bool:
        """Return whether an onlooker should be told of this step: not more often than they see."""
        now = time.perf_counter()
        if now - self.told < EVERY:
            return False
        self.told = now
        return True

    @property
    def seconds(self) -> float:
        """Since the epoch's first step."""
        return time.perf_counter() - self.begun

    @property
    def images_per_second(self) -> float:
        """Of the steps so far."""
        return self.images / max(self.seconds, 1e-9)

    def seconds_left(self, steps: int) -> float:
        """Return the seconds that a number of steps takes at this pace."""
        return steps * self.seconds / max(self.done, 1)
