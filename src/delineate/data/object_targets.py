"""What a network learns of objects beside their class: their rims, and where their middle is."""

from collections.abc import Sequence

import cv2
import numpy as np
from skimage.measure import label

from delineate.data.classes import IGNORE

# The targets that there are, in the order of the channels.
OBJECT_TARGETS = ("boundary", "distance")
# Targets in 0 to 1 are stored in steps of 1 / 254, so that they lie in a uint8 beside `IGNORE`.
STEPS = 254
# Pixels of an object's rim; of a small object, half its radius at most, but one at the least.
RIM = 2.0


def object_targets(
    instances: np.ndarray, mask: np.ndarray, names: Sequence[str] = OBJECT_TARGETS
) -> np.ndarray:
    """Return what a network is to say of the objects at each pixel.

    "boundary": 1 on the rim of each object, 0 elsewhere: between touching objects there is always
    one. "distance": the distance to the object's end, divided by the largest in the object: 1 in
    its middle, 0 outside; after the distance maps of Naylor et al., IEEE Transactions on Medical
    Imaging 2019. An object that the border of the window cuts goes on beyond it, and so does one
    that meets ignored pixels, such as those beyond the image. Each part of an object that lies in
    several counts as one.

    Args:
        instances: (height, width) int32 object ids, 0 = none.
        mask: (height, width) uint8 class ids, 255 = ignore.
        names: Which of them, in order.

    Returns:
        uint8 (height, width, names), each value in 0 to 1 as 0 to 254, and 255 where ignored.

    Example:
        >>> instances = np.array([[0, 1, 1, 1, 2, 2]], np.int32)
        >>> object_targets(instances, np.minimum(instances, 1).astype(np.uint8))[0, :, 1].tolist()
        [0, 127, 254, 127, 127, 254]
    """
    # Each part by itself: what covers the middle of an object leaves two that have their own.
    parts = np.asarray(label(instances, connectivity=1), np.int32)
    depth = _depths(parts, mask != IGNORE)
    deepest = np.zeros(int(parts.max(initial=0)) + 1, np.float32)
    np.maximum.at(deepest, parts.ravel(), depth.ravel())
    deepest[0] = 1.0
    own = deepest[parts]
    rim = np.clip(own / 2, 1.0, RIM)
    made = {"boundary": (depth > 0) & (depth <= rim), "distance": depth / own}
    targets = np.stack([np.rint(made[name] * STEPS) for name in names], axis=-1).astype(np.uint8)
    targets[mask == IGNORE] = IGNORE
    return targets


def _depths(instances: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return how far each pixel of an object is from what is not the object: 1 at its end."""
    ends = np.zeros(instances.shape, bool)
    down = (instances[1:] != instances[:-1]) & known[1:] & known[:-1]
    right = (instances[:, 1:] != instances[:, :-1]) & known[:, 1:] & known[:, :-1]
    ends[1:] |= down
    ends[:-1] |= down
    ends[:, 1:] |= right
    ends[:, :-1] |= right
    inside = instances > 0
    inner = (~ends & (inside | ~known)).astype(np.uint8)
    if inner.all():
        # Nothing ends here: far from any rim.
        return inside * np.float32(sum(inside.shape))
    distance = cv2.distanceTransform(inner, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(np.where(inside, distance + 1.0, 0.0), np.float32)


def with_objects(
    mask: np.ndarray, instances: np.ndarray | None, names: Sequence[str]
) -> np.ndarray:
    """Return what a network is to learn of a window.

    Args:
        mask: (height, width) uint8 class ids, 255 = ignore.
        instances: (height, width) int32 object ids; None only where there are no names.
        names: Targets of objects.

    Returns:
        The mask, where there are no names; else uint8 (height, width, 1 + names): the mask, and the
        targets of the objects.
    """
    if not names or instances is None:
        return mask
    return np.concatenate([mask[..., None], object_targets(instances, mask, names)], axis=-1)


def mask_of(target: np.ndarray) -> np.ndarray:
    """Return the class ids of what :func:`with_objects` has made, (..., height, width)."""
    return target if target.ndim == 2 else target[..., 0]
