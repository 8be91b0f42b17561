"""Pictures of cell nuclei made from a seed, with the outline of every nucleus known.

The data set has the layout and the five kinds of picture of the Data Science Bowl 2018, so that
everything can be tried without a download. Nothing in it comes from a real picture.

The same seed gives the same pixels wherever NumPy's ``Generator`` gives the same stream. What may
differ between processors are the last bits of ``exp`` and of fused multiply-adds. They move a pixel
only where its value lies within about 1e-12 of the border between two grey levels: of a million
such data sets a few would differ, by one level in one pixel. A NumPy release that changes its
stream changes every picture. ``content_hash`` shows either.
"""

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from delineate.data.synthetic.light import bright_field, fluorescence, pink_tissue, purple_tissue
from delineate.data.synthetic.shapes import Blob, Crowd, Size, place
from delineate.errors import DataError, UsageError, near_miss

_SMALLEST_SIDE = 32

_Painter = Callable[[Sequence[Blob], Size, np.random.Generator], NDArray[np.uint8]]

_KINDS: dict[str, tuple[Crowd, _Painter]] = {
    "small_fluorescence": (
        Crowd((16, 34), (4.0, 7.5), (1.0, 1.9), 0.09, 0.4, 0.2),
        partial(fluorescence, dye=(36, 230), blur=(0.7, 1.3), grain=2.5),
    ),
    "large_fluorescence": (
        Crowd((4, 8), (12, 19), (1.0, 1.8), 0.1, 0.4, 0.15),
        partial(fluorescence, dye=(24, 230), blur=(0.9, 1.7), grain=4.0),
    ),
    "purple_tissue": (Crowd((7, 15), (8, 13), (1.0, 2.4), 0.14, 0.45, 0.15), purple_tissue),
    "pink_tissue": (Crowd((10, 20), (6, 10), (1.0, 1.8), 0.16, 0.4, 0.15), pink_tissue),
    "bright_field": (Crowd((6, 12), (6, 10), (1.0, 1.6), 0.1, 0.25, 0.1), bright_field),
}

KINDS: tuple[str, ...] = tuple(_KINDS)


def nucleus_image(
    kind: str, size: Size, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return one picture of nuclei and the nuclei in it.

    Args:
        kind: One of ``KINDS``.
        size: (height, width) in pixels, each at least 32.
        rng: Source of everything in the picture.

    Returns:
        image: (height, width, 3) uint8, RGB; fluorescence and bright field are grey.
        instances: (height, width) int32: 0 where no nucleus is, else its number, from 1 without
            gaps. A nucleus is one connected region; of two that overlap, the later is on top.

    Raises:
        UsageError: The kind is unknown, or the size too small.

    Example:
        >>> image, instances = nucleus_image("bright_field", (64, 96), np.random.default_rng(0))
        >>> image.shape, instances.shape
        ((64, 96, 3), (64, 96))
    """
    if kind not in _KINDS:
        raise UsageError(
            f"There is no kind of nuclei picture named '{kind}'.{near_miss(kind, KINDS)}",
            hint=f"Choose one of {', '.join(KINDS)}.",
        )
    if min(size) < _SMALLEST_SIDE:
        raise UsageError(
            f"A nuclei picture of {size[0]} x {size[1]} pixels is too small.",
            hint=f"Make height and width at least {_SMALLEST_SIDE}.",
        )
    crowd, paint = _KINDS[kind]
    blobs, instances = place(crowd, size, rng)
    return paint(blobs, size, rng), instances


def make_nuclei(
    folder: Path,
    *,
    train: int = 48,
    validation: int = 8,
    test: int = 12,
    sizes: Sequence[Size] = ((128, 128), (128, 160), (160, 160)),
    seed: int = 0,
) -> None:
    """Write a data set of nuclei in the layout of the Data Science Bowl 2018.

    The files are ``<split>/<id>/images/<id>.png`` (RGB, 8 bits) and ``<split>/<id>/masks/<n>.png``
    (0 and 255), one mask per nucleus. The kinds take turns, then the sizes. Each picture has its
    own generator, so a split that grows keeps the pictures it had.

    Args:
        folder: Where to write; made if missing.
        train: Pictures in the training split.
        validation: Pictures in the validation split.
        test: Pictures in the test split.
        sizes: (height, width) of the pictures, in turn.
        seed: Start of every generator; the same seed gives the same pixels.

    Raises:
        DataError: The folder is a file, or holds something already.
        UsageError: A size is too small.

    Example:
        >>> make_nuclei(Path("nuclei"), train=5, validation=5, test=5)  # doctest: +SKIP
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(
            f"Nuclei cannot be written to {folder}: it exists and is not an empty folder.",
            hint="Name a folder that does not exist yet.",
        )
    splits = {"train": train, "validation": validation, "test": test}
    for number, (split, count) in enumerate(splits.items()):
        for index in range(count):
            kind = KINDS[index % len(KINDS)]
            size = sizes[index // len(KINDS) % len(sizes)]
            rng = np.random.default_rng([seed, number, index])
            image, instances = nucleus_image(kind, size, rng)
            _write_sample(folder / split / f"{split}_{index:03d}_{kind}", image, instances)


def _write_sample(folder: Path, image: NDArray[np.uint8], instances: NDArray[np.int32]) -> None:
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    Image.fromarray(image).save(folder / "images" / f"{folder.name}.png")
    for number in range(1, int(instances.max()) + 1):
        mask = np.where(instances == number, 255, 0).astype(np.uint8)
        Image.fromarray(mask).save(folder / "masks" / f"{number:03d}.png")


def content_hash(folder: Path) -> str:
    """Return the sha256 of the names and pixels of all PNG files below a folder, in hexadecimal.

    Pixels are decoded first, so that another version of the compressor does not change the hash.

    Args:
        folder: Any folder; names count relative to it, with forward slashes.

    Raises:
        DataError: There is no PNG file below the folder.

    Example:
        >>> content_hash(Path("nuclei"))  # doctest: +SKIP
        '0b2c...'
    """
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.png")}
    if not paths:
        raise DataError(
            f"The folder {folder} holds no PNG file.", hint="Name the folder of a data set."
        )
    digest = sha256()
    for name in sorted(paths):
        with Image.open(paths[name]) as picture:
            pixels = np.asarray(picture)
        digest.update(f"{name} {pixels.shape} {pixels.dtype}\n".encode())
        digest.update(pixels.tobytes())
    return digest.hexdigest()
