"""Sections of tissue whose stains and amounts of stain are known."""

import numpy as np

# Directions of haematoxylin and eosin as two laboratories might have them.
FIRST = np.array([[0.62, 0.72, 0.31], [0.15, 0.95, 0.27]])
SECOND = np.array([[0.74, 0.61, 0.28], [0.20, 0.88, 0.43]])


def unit(stains):
    return stains / np.linalg.norm(stains, axis=1, keepdims=True)


def amounts_of(size=(60, 80), seed=0):
    """(height, width, 2) amounts: an empty margin, pure eosin, pure nuclei, and what lies between."""
    rng = np.random.default_rng(seed)
    amounts = np.zeros((*size, 2))
    rows, columns = np.mgrid[: size[0], : size[1]]
    tissue = columns >= size[1] // 5
    amounts[tissue, 1] = rng.uniform(0.25, 0.6, size)[tissue]
    for _ in range(12):
        row, column = rng.uniform(0, size[0]), rng.uniform(size[1] // 5 + 8, size[1])
        distance = np.hypot(rows - row, columns - column)
        nucleus = distance < 6
        amounts[nucleus, 0] = rng.uniform(0.3, 0.8, size)[nucleus]
        amounts[nucleus, 1] *= np.clip((distance[nucleus] - 3) / 3, 0, 1)
    return amounts


def stained(stains, amounts):
    """The 8-bit RGB image that such amounts of two stains leave of white light."""
    light = 10.0 ** -(amounts @ unit(stains))
    return np.rint(255 * light).astype(np.uint8)


def section(stains=FIRST, **options):
    return stained(stains, amounts_of(**options))
