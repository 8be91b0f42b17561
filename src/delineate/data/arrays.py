"""Records of arrays in memory."""

from collections.abc import Sequence

import numpy as np

from delineate.data.records import SPLITS, Record, Sample
from delineate.errors import DataError


def records_of(
    images: Sequence[np.ndarray] | np.ndarray,
    masks: Sequence[np.ndarray] | np.ndarray,
    instances: Sequence[np.ndarray] | None,
    splits: Sequence[str] | None,
) -> tuple[Record, ...]:
    """Return a record for each image, mask, label image and split.

    Raises:
        DataError: Counts, shapes or types do not fit, or there are no images.
    """
    count = len(images)
    if count == 0:
        raise DataError("There are no images.", hint="Give at least one image and its mask.")
    for name, values in {"masks": masks, "instances": instances, "splits": splits}.items():
        if values is not None and len(values) != count:
            raise DataError(
                f"There are {count} images but {len(values)} {name}.",
                hint=f"Give one of the {name} for each image.",
            )
    return tuple(
        _record(
            str(number),
            images[number],
            masks[number],
            None if instances is None else instances[number],
            None if splits is None else splits[number],
        )
        for number in range(count)
    )


def _record(
    name: str,
    image: np.ndarray,
    mask: np.ndarray,
    instances: np.ndarray | None,
    split: str | None,
) -> Record:
    image, mask = np.asarray(image), np.asarray(mask)
    if image.ndim == 2:
        image = image[..., np.newaxis]
    if image.dtype not in (np.uint8, np.uint16) or image.ndim != 3 or image.size == 0:
        raise DataError(
            f"Image {name} is {image.dtype} of shape {image.shape}.",
            hint="Give uint8 or uint16 of shape (height, width, channels).",
        )
    labels = _labels(name, mask, (image.shape[0], image.shape[1]))
    objects = None if instances is None else _objects(name, np.asarray(instances), labels.shape)
    if split is not None and split not in SPLITS:
        raise DataError(f"'{split}' is no split.", hint=f"Use one of: {', '.join(SPLITS)}.")
    return Record(name, (), (), split=split, arrays=Sample(name, image, labels, objects))


def _objects(name: str, instances: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    whole = np.issubdtype(instances.dtype, np.integer)
    highest = np.iinfo(np.int32).max
    if (
        instances.shape != size
        or not whole
        or not 0 <= instances.min() <= instances.max() <= highest
    ):
        raise DataError(
            f"The instances of image {name} are {instances.dtype} of shape {instances.shape}, its "
            f"mask is {size}.",
            hint="Give whole object ids from 0, of shape (height, width).",
        )
    return instances.astype(np.int32)


def _labels(name: str, mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if mask.ndim == 3 and mask.shape[2] == 1:
        mask = mask[..., 0]
    whole = mask.dtype == bool or np.issubdtype(mask.dtype, np.integer)
    if mask.shape != size or not whole or mask.min(initial=0) < 0 or mask.max(initial=0) > 65535:
        raise DataError(
            f"Mask {name} is {mask.dtype} of shape {mask.shape}, its image is {size}.",
            hint="Give whole class ids from 0 to 65535 of shape (height, width), as large as the "
            "image.",
        )
    return mask.astype(np.uint8 if mask.max(initial=0) < 256 else np.uint16)
