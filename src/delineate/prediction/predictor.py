"""The predictor: an open bundle. Any image in, a prediction at the image's own size out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from math import lcm
from pathlib import Path
from typing import Any

import numpy as np

from delineate.bundle import Bundle, Card, Member
from delineate.catalog import RUNTIMES, find
from delineate.data.pipeline import adapt_channels
from delineate.errors import BackendError, BundleError, DataError, MissingExtraError
from delineate.imaging import read_image
from delineate.normalisation import normalise
from delineate.prediction.averaging import averaged
from delineate.prediction.cleaning import clean, drop_small
from delineate.prediction.exports import ranked
from delineate.prediction.prepare import Preparation, Runtime, to_mask, two_classes
from delineate.prediction.separation import Separation, connected_parts, separate
from delineate.prediction.tiling import Tiling
from delineate.recipe import Post


@dataclass(frozen=True)
class Prediction:
    """What a bundle says of one image.

    Attributes:
        mask: (height, width) uint8 class ids.
        probabilities: (height, width, classes) float32.
        maps: What the network says of objects, each (height, width) float32 in 0 to 1, by name:
            "boundary", "distance", or neither.
    """

    mask: np.ndarray
    probabilities: np.ndarray
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)
    separated: np.ndarray | None = field(default=None, repr=False)

    @cached_property
    def instances(self) -> np.ndarray:
        """(height, width) int32 object numbers, 0 = none: parts that touch as the network says."""
        return connected_parts(self.mask) if self.separated is None else self.separated


@dataclass(frozen=True)
class Predictor:
    """An open bundle.

    Attributes:
        card: The bundle's card.
        runtimes: The engines, one for each member.
        runtime: The name of another one than the card's, where that was asked for.

    Example:
        >>> predictor = Predictor.open("runs/first")  # doctest: +SKIP
        >>> predictor.predict(image).mask.shape == image.shape[:2]  # doctest: +SKIP
        True
    """

    card: Card
    runtimes: Sequence[Runtime]
    runtime: str | None = None

    @classmethod
    def open(cls, path: Any, *, runtime: str | None = None) -> "Predictor":
        """Return the predictor of a bundle, or of a run's best one.

        Args:
            path: The folder of a bundle or of a run, or an opened Run or Bundle. Of a run it is the
                fastest export whose engine runs here, where there are some.
            runtime: A name in the table of runtimes; unset: the one that the bundle's card names.

        Raises:
            BundleError: There is no bundle, or it is damaged.
            BackendError: No Keras backend is installed.
        """
        folder: Path = getattr(path, "folder", path)
        *exports, last = ranked(folder, runtime=runtime)
        for bundle in exports:
            # Made elsewhere, for an engine that does not run here, or is broken here.
            with suppress(BackendError, BundleError, MissingExtraError):
                return cls._of(bundle, runtime)
        return cls._of(last, runtime)

    @classmethod
    def _of(cls, bundle: Bundle, runtime: str | None) -> "Predictor":
        if (runtime or bundle.card.members[0].runtime) == "keras":
            from delineate.backend import choose_backend

            choose_backend()
        return cls(
            bundle.card,
            [
                _engine(runtime, member).open(bundle.folder / member.file)
                for member in bundle.card.members
            ],
            runtime,
        )

    @property
    def engine(self) -> dict[str, str]:
        """What predicts: ``runtime``, and the ``precision`` of the card."""
        name = self.runtime or self.card.members[0].runtime
        return {"runtime": name, "precision": self.card.precision}

    def predict(self, image: np.ndarray | str | Path) -> Prediction:
        """Return the prediction of one image, at its own size.

        Args:
            image: (height, width) or (height, width, channels) uint8 or uint16; or a file.

        Raises:
            ImageError: The file cannot be read.
            DataError: The image has another type or other channels than the network takes.
        """
        return finish(self.raw(self.accepted(image)), self.card)

    def predict_many(self, images: Iterable[np.ndarray | str | Path]) -> Iterator[Prediction]:
        """Yield the predictions of many images, in order.

        Of one size, sixteen that follow each other go through the engine at once, or fewer where
        they are large; what is left over goes one by one. That is faster for small images.

        Args:
            images: Each as for :meth:`predict`.

        Raises:
            ImageError: A file cannot be read.
            DataError: An image has another type or other channels than the network takes.
        """
        for group in self._groups(map(self.accepted, images)):
            if len(group) == 1:
                yield finish(self.raw(group[0]), self.card)
            else:
                yield from (finish(raw, self.card) for raw in self._raw_together(group))

    def _groups(self, images: Iterable[np.ndarray]) -> Iterator[list[np.ndarray]]:
        """Yield images that go through the engine at once: as many as can, or a single one.

        Engines compile for each number, too: of a size there are only these two.
        """
        waiting: list[np.ndarray] = []
        for image in images:
            if waiting and image.shape != waiting[0].shape:
                yield from ([each] for each in waiting)
                waiting = []
            waiting.append(image)
            if len(waiting) == self._together(image):
                yield waiting
                waiting = []
        yield from ([each] for each in waiting)

    def _together(self, image: np.ndarray) -> int:
        post = self.card.post
        alone = post.averaging != "none" or bool(post.scales)
        if alone:
            return 1
        preparation = self.preparation
        multiple = lcm(*map(preparation.multiple, self.runtimes))
        return preparation.together((image.shape[0], image.shape[1]), multiple)

    def _raw_together(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return what :meth:`raw` does of images of one size, without averaging over views."""
        preparation = self.preparation
        given = [normalise(image, self.card.normalisation) for image in images]
        found = [preparation.predict_together(given, runtime) for runtime in self.runtimes]
        if len(found) == 1:
            return found[0]
        return [np.mean(each, axis=0) for each in zip(*found, strict=True)]

    def accepted(self, image: np.ndarray | str | Path) -> np.ndarray:
        """Return an image as the bundle takes it: (height, width, channels).

        Args:
            image: As for :meth:`predict`.

        Raises:
            ImageError: The file cannot be read.
            DataError: The image has another type or other channels than the network takes.
        """
        if isinstance(image, str | Path):
            name, image = str(image), read_image(Path(image))
        else:
            name, image = "The image", np.asarray(image)
        if image.ndim not in (2, 3) or not image.size:
            raise DataError(
                f"{name} has the shape {image.shape}.",
                hint="Give pixels of shape (height, width) or (height, width, channels).",
            )
        image = image[..., np.newaxis] if image.ndim == 2 else image
        require_dtype(image.dtype, self.card, name)
        return adapt_channels(image, self.card.channels, name)

    def raw(self, image: np.ndarray) -> np.ndarray:
        """Return what the members say of an image on the average, before any decision.

        Args:
            image: (height, width, channels) of the card's type and channels.

        Returns:
            float32 (height, width, channels of the model).
        """
        return self.raw_normalised(normalise(image, self.card.normalisation))

    def raw_normalised(self, image: np.ndarray) -> np.ndarray:
        """Return what the members say of an image, or of a part of one, that is normalised already.

        Args:
            image: (height, width, channels) of the card's type and channels.

        Returns:
            float32 (height, width, channels of the model).
        """
        post, preparation = self.card.post, self.preparation
        found = [
            averaged(
                image,
                partial(preparation.predict, runtime=runtime),
                ways=post.averaging,
                scales=post.scales,
                multiple=preparation.multiple(runtime),
            )
            for runtime in self.runtimes
        ]
        mean: np.ndarray = found[0] if len(found) == 1 else np.mean(found, axis=0)
        return mean

    @property
    def tiling(self) -> Tiling:
        """How large images are cut into tiles."""
        granularity = lcm(*(runtime.granularity for runtime in self.runtimes))
        # Tiles of another scale have other pixels than that scale's whole image.
        return self.preparation.tiling(granularity, exact=not self.card.post.scales)

    @property
    def preparation(self) -> Preparation:
        """How the bundle wants its images."""
        card = self.card
        return Preparation(
            card.fit,
            card.size,
            card.stride,
            card.tile,
            fixed=card.fixed_size,
            field=card.receptive_field,
        )


def finish(raw: np.ndarray, card: Card) -> Prediction:
    """Return the prediction that a model's output stands for, by the settings in its card.

    Args:
        raw: float32 (height, width, channels of the model).
        card: The card.
    """
    post, count = card.post, card.class_channels
    probabilities = two_classes(raw[..., :count])
    maps: dict[str, np.ndarray] = {
        name: raw[..., count + number] for number, name in enumerate(card.objects)
    }
    mask = to_mask(probabilities, output=card.output, threshold=post.threshold)
    separation = separation_of(post, card.objects)
    if separation.by == "connected":
        return Prediction(clean(mask, **cleaning_of(post)), probabilities, maps)
    mask = clean(mask, **cleaning_of(post) | {"smallest_object": 0})
    separated = separate(mask, 1 - probabilities[..., 0], maps, separation)
    separated, mask = drop_small(separated, mask, post.smallest_object)
    return Prediction(mask, probabilities, maps, separated)


def without_averaging(predictor: Predictor) -> Predictor:
    """Return a predictor that looks at each image once."""
    post = predictor.card.post.model_copy(update={"averaging": "none", "scales": ()})
    return replace(predictor, card=predictor.card.model_copy(update={"post": post}))


def require_dtype(dtype: Any, card: Card, name: str) -> None:
    """Refuse an image of another type than those that a bundle was trained on.

    Args:
        dtype: Of the image.
        card: The bundle's card.
        name: The image's name, for the error.

    Raises:
        DataError: It is another one.
    """
    if str(dtype) != card.dtype:
        raise DataError(
            f"{name} is {dtype}, the network was trained on {card.dtype}.",
            hint=f"Give {card.dtype} pixels of the range that the training images have.",
        )


def cleaning_of(post: Post) -> dict[str, Any]:
    """Return the arguments of ``clean`` that are set."""
    return {
        "largest_hole": post.largest_hole,
        "smallest_object": post.smallest_object,
        "largest_only": post.largest_only,
    }


def separation_of(post: Post, objects: Sequence[str]) -> Separation:
    """Return how objects are told apart.

    Args:
        post: The settings; where they do not say, all that the network says is used.
        objects: What the network says of objects.
    """
    said = "both" if len(objects) == 2 else (*objects, "connected")[0]
    by: Any = post.objects_by or said
    return Separation(by, post.seed, post.smoothing, post.smallest_seed)


def _engine(chosen: str | None, member: Member) -> Any:
    # What a bundle names must not import modules of its own choice; the caller may.
    if chosen is None and member.runtime not in RUNTIMES:
        raise BundleError(
            f"The bundle's card names the runtime '{member.runtime}', which delineate has not.",
            hint=f"Choose one of: {', '.join(RUNTIMES)}; or use the delineate that wrote it.",
        )
    return find("runtimes", chosen or member.runtime)
