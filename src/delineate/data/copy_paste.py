"""Objects of one window pasted onto another, where they may touch and cover what is there."""

import numpy as np

from delineate.data.classes import IGNORE
from delineate.data.windows import Parts

_LARGEST = np.iinfo(np.int32).max


def paste_objects(base: Parts, donor: Parts, rng: np.random.Generator) -> Parts:
    """Return a window with some objects of another one on top, each with its own pixels.

    Each object of the donor is taken half of the time, as in Ghiasi et al., "Simple Copy-Paste is a
    Strong Data Augmentation Method", CVPR 2021; nothing is blended.

    Args:
        base: Image, mask and instances of a window.
        donor: The same of another one, of the same size and type.
        rng: All randomness comes from here.

    Returns:
        New arrays; the ids of pasted objects follow those of the base, which are counted anew
        where there is no room for them. The base itself where the donor has no objects, or none was
        taken.

    Example:
        >>> empty = np.zeros((1, 3), np.uint8)
        >>> base = (empty[..., None], empty, empty.astype(np.int32))
        >>> ones = empty + np.uint8(1)
        >>> donor = (ones[..., None], ones, np.array([[0, 7, 7]], np.int32))
        >>> paste_objects(base, donor, np.random.default_rng(2))[2].tolist()
        [[0, 1, 1]]
    """
    image, mask, instances = base
    other_image, other_mask, other = donor
    if instances is None or other is None:
        return base
    here = (other > 0) & (other_mask != IGNORE)
    ids = np.unique(other[here])
    taken = ids[rng.random(len(ids)) < 0.5]
    if not len(taken):
        return base
    pasted = here & np.isin(other, taken)
    if instances.max(initial=0) > _LARGEST - len(taken):
        instances = np.unique(np.append(instances, 0), return_inverse=True)[1][:-1].reshape(
            instances.shape
        )
    moved = instances.max(initial=0) + 1 + np.searchsorted(taken, other)
    return (
        np.where(pasted[..., None], other_image, image),
        np.where(pasted, other_mask, mask),
        np.where(pasted, moved, instances).astype(np.int32),
    )
