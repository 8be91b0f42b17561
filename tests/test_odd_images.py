"""What comes of each odd file, as image and as mask, is what the table odd_images.json says.

After a change that is meant, write the table anew and go through what has changed in it::

    python tests/test_odd_images.py FOLDER

FOLDER is ``odd_images`` of the real data.
"""

import hashlib
import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from delineate.errors import ImageError
from delineate.imaging import Labels, read_image, read_labels, read_size

TABLE = Path(__file__).with_name("odd_images.json")


def outcome(path: Path, reader) -> dict:
    """Return the shape, type and hash of what a reader returns, or why it refuses."""
    try:
        found = reader(path)
    except ImageError as error:
        return {"refused": error.message.replace(str(path), "FILE")}
    if not isinstance(found, Labels):
        return described(found)
    parts = described(found.values)
    if found.colours is not None:
        parts["colours"] = len(found.colours)
    if found.palette is not None:
        parts["palette"] = len(found.palette)
    return parts


def described(array: np.ndarray) -> dict:
    digest = hashlib.sha256(np.ascontiguousarray(array)).hexdigest()
    return {"shape": list(array.shape), "dtype": str(array.dtype), "sha256": digest}


def outcomes(folder: Path) -> dict:
    """Return what comes of each file, by its path within the folder."""
    paths = sorted(path for path in folder.glob("*/*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): {
            "image": outcome(path, read_image),
            "mask": outcome(path, read_labels),
        }
        for path in paths
    }


def table() -> dict:
    return json.loads(TABLE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def odd_images(real_data):
    return real_data / "odd_images"


def test_the_table_has_every_file(odd_images):
    names = {path.relative_to(odd_images).as_posix() for path in odd_images.glob("*/*")}
    assert names == set(table())
    assert len(names) > 150
    refusals = [
        said["refused"] for row in table().values() for said in row.values() if "refused" in said
    ]
    assert all("'FILE'" in words for words in refusals)


@pytest.mark.parametrize("name", sorted(table()))
def test_what_comes_of_a_file_is_what_the_table_says(odd_images, name):
    path = odd_images / name
    start = time.monotonic()
    found = {"image": outcome(path, read_image), "mask": outcome(path, read_labels)}
    assert time.monotonic() - start < 3
    assert found == table()[name]


def test_the_header_tells_the_size_of_all_that_is_read(odd_images):
    read = 0
    for name, said in table().items():
        if "shape" in said["mask"]:
            assert read_size(odd_images / name) == tuple(said["mask"]["shape"]), name
            read += 1
    assert read > 35


def test_pillow_reads_the_same_pixels_in_8_bits(odd_images):
    compared = 0
    for name, said in table().items():
        if said["image"].get("dtype") != "uint8":
            continue
        image = read_image(odd_images / name)
        with Image.open(odd_images / name) as picture:
            shown = ImageOps.exif_transpose(picture).convert("RGB" if image.shape[2] == 3 else "L")
        expected = np.asarray(shown).reshape(image.shape)
        np.testing.assert_array_equal(image, expected, err_msg=name)
        compared += 1
    assert compared > 25


def test_opencv_reads_the_same_pixels_in_16_bits(odd_images):
    compared = 0
    for name, said in table().items():
        if said["image"].get("dtype") == "uint16":
            content = np.frombuffer((odd_images / name).read_bytes(), np.uint8)
            expected = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
            image = read_image(odd_images / name)
            shown = image[..., ::-1] if image.shape[2] == 3 else image[..., 0]
            if "12bit" in name:  # of which OpenCV makes 16
                shown = shown * 16
            np.testing.assert_array_equal(shown, expected, err_msg=name)
            compared += 1
    assert compared > 5


if __name__ == "__main__":
    rows = outcomes(Path(sys.argv[1]))
    TABLE.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
