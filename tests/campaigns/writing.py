"""Files of the campaign's data sets."""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from tests.campaigns.scenes import COLOURS, Scene

ORIENTATION = 0x0112
ANSWERED_BY_TURNING = 6  # the picture is to be turned by 90 degrees to the right
Choice = Callable[[Scene], np.ndarray]


def write(path: Path, array, *, palette: Sequence | None = None, **options) -> None:
    """Write an array in the format of the path's suffix; TIFF also takes floats and stacks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.ascontiguousarray(array)
    if path.suffix == ".tif":
        colour = array.ndim == 3 and array.shape[2] in (3, 4)
        tifffile.imwrite(path, array, photometric="rgb" if colour else "minisblack", **options)
        return
    picture = Image.fromarray(array)
    if palette is not None:
        picture.putpalette(list(chain(*palette)))
    if path.suffix == ".webp":
        options = {"lossless": True, "exact": True} | options
    if path.suffix == ".jpg":
        options = {"quality": 92} | options
    picture.save(path, **options)


def turned_by_exif() -> Image.Exif:
    """Return EXIF data that ask for a quarter turn to the right."""
    exif = Image.Exif()
    exif[ORIENTATION] = ANSWERED_BY_TURNING
    return exif


def as_camera_stores(upright: np.ndarray) -> np.ndarray:
    """Return the pixels that the quarter turn of ``turned_by_exif`` makes upright."""
    return np.rot90(upright)


def ids(one: Scene) -> np.ndarray:
    """Return the mask of a scene."""
    return one.mask


def binary(one: Scene) -> np.ndarray:
    """Return 0 and 1."""
    return one.binary


def black_and_white(one: Scene) -> np.ndarray:
    """Return 0 and 255."""
    return 255 * one.binary


def write_pairs(
    root: Path,
    found: Iterable[Scene],
    *,
    mask: Choice = ids,
    names: str = "pebbles_{:03}",
    suffixes: tuple[str, str] = (".png", ".png"),
    **options,
) -> None:
    """Write ``images/`` and ``masks/``, named in turn from 0."""
    for number, one in enumerate(found):
        name = names.format(number)
        write(root / "images" / f"{name}{suffixes[0]}", one.image)
        write(root / "masks" / f"{name}{suffixes[1]}", mask(one), **options)


def write_objects(folder: Path, one: Scene) -> None:
    """Write ``images/<id>.png`` and ``masks/<n>.png`` of one picture, a mask for each pebble."""
    write(folder / "images" / f"{folder.name}.png", one.image)
    for number, inside in enumerate(one.objects):
        write(folder / "masks" / f"{number:02}.png", 255 * inside.astype(np.uint8))


def read(path: Path) -> np.ndarray:
    """Return the pixels of a file as they are stored."""
    return np.array(Image.open(path))


def change(path: Path, by: Choice | Callable[[np.ndarray], np.ndarray]) -> None:
    """Write a file again with other pixels."""
    write(path, by(read(path)))


def describe(root: Path, text: str) -> None:
    """Write ``dataset.toml``."""
    (root / "dataset.toml").write_text(text, encoding="utf-8")


def hexadecimal(colours: Sequence[tuple[int, int, int]] = COLOURS) -> str:
    """Return colours as a list in TOML."""
    return "[" + ", ".join(f'"#{r:02x}{g:02x}{b:02x}"' for r, g, b in colours) + "]"
