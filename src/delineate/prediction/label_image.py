"""The label image as a file: each pixel holds the number of its object."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from delineate.files import whole_file
from delineate.imaging import write_png

# What 16 bits can number.
MOST_IN_PNG = 65535


def label_image_dtype(count: int) -> type[np.integer[Any]]:
    """Return the type of a label image of so many objects: uint16, or int32 where that is short.

    Args:
        count: The highest object number.

    Example:
        >>> label_image_dtype(65_535).__name__, label_image_dtype(65_536).__name__
        ('uint16', 'int32')
    """
    return np.uint16 if count <= MOST_IN_PNG else np.int32


def write_labels(path: Path, instances: np.ndarray) -> Path:
    """Write a label image, whole or not at all: a PNG of 16 bits, or a TIFF of 32 where need be.

    Args:
        path: The file, ending in ``.png``; with object numbers above 65,535, which no PNG holds,
            it ends in ``.tif`` instead.
        instances: (height, width) int32 object numbers, 0 = none.

    Returns:
        The path of the file that was written.

    Raises:
        OSError: The file cannot be written; what stood there before is untouched.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_labels(Path(folder) / "cells.png", np.int32([[0, 70_000]])).name
        'cells.tif'
    """
    labels = instances.astype(label_image_dtype(int(instances.max(initial=0))))
    if labels.dtype == np.uint16:
        write_png(path, labels)
        return path
    path = path.with_suffix(".tif")
    with whole_file(path) as temporary:
        tifffile.imwrite(temporary, labels, compression="zlib", metadata=None)
    return path
