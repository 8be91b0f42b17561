"""What Pillow and tifffile have written is read as it was, or refused."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from delineate.errors import ImageError
from delineate.imaging import read_float, read_image, read_labels, read_one_hot, read_size
from tests.image_files import exif_of
from tests.properties.strategies import images, label_images, noise, sizes

A_FILE = Path("a.file")
LOSSLESS = [
    ("PNG", {}),
    ("BMP", {}),
    ("PPM", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw"}),
    ("TIFF", {"compression": "tiff_deflate"}),
    ("TIFF", {"compression": "packbits"}),
]
TURNED = [("PNG", {}), ("WEBP", {"lossless": True}), ("JPEG", {})]
whole_bytes = images(kinds=(np.uint8,))


def stored(array, kind, **options):
    """The file that Pillow makes of an array, or of a picture."""
    file = BytesIO()
    picture = array if isinstance(array, Image.Image) else Image.fromarray(array)
    picture.save(file, kind, **options)
    return file.getvalue()


def stored_tiff(array, **options):
    """The file that tifffile makes of an array."""
    file = BytesIO()
    tifffile.imwrite(file, array, **options)
    return file.getvalue()


@given(whole_bytes, st.sampled_from(LOSSLESS))
def test_a_picture_without_loss_is_read_as_it_was_written(image, kind):
    name, options = kind
    content = stored(np.squeeze(image, 2) if image.shape[2] == 1 else image, name, **options)
    np.testing.assert_array_equal(read_image(A_FILE, content), image, strict=True)


@given(images(channels=(1,)))
def test_grey_of_any_depth_is_its_own_mask(image):
    content = stored(image[..., 0], "PNG")
    np.testing.assert_array_equal(read_image(A_FILE, content), image, strict=True)
    np.testing.assert_array_equal(read_labels(A_FILE, content).values, image[..., 0], strict=True)


@given(sizes(), st.sampled_from(["PNG", "BMP", "TIFF"]), st.data())
def test_one_bit_is_black_and_white_as_an_image_and_0_and_1_as_a_mask(size, kind, data):
    bits = data.draw(noise(size)) > 127
    content = stored(bits, kind)
    np.testing.assert_array_equal(read_image(A_FILE, content)[..., 0], 255 * bits)
    np.testing.assert_array_equal(read_labels(A_FILE, content).values, bits)


@given(sizes(), st.integers(2, 256), st.data())
def test_a_palette_of_any_length_gives_indices_and_colours(size, count, data):
    table = data.draw(noise((count, 3)))
    indices = (data.draw(noise(size)).astype(int) % count).astype(np.uint8)
    picture = Image.fromarray(indices)
    picture.putpalette(table.tobytes())
    content = stored(picture, "PNG")
    np.testing.assert_array_equal(read_image(A_FILE, content), table[indices])
    np.testing.assert_array_equal(read_labels(A_FILE, content).values, indices)


@given(images(channels=(3,), kinds=(np.uint8,)), st.sampled_from(TURNED), st.integers(1, 8))
def test_a_turned_picture_is_read_upright_as_pillow_shows_it(folder, image, kind, orientation):
    name, options = kind
    content = stored(image, name, exif=exif_of(orientation), **options)
    with Image.open(BytesIO(content)) as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture))
    np.testing.assert_array_equal(read_image(A_FILE, content), expected)
    (folder / "turned").write_bytes(content)
    assert read_size(folder / "turned") == expected.shape[:2]


@given(
    images(least=2, channels=(1, 2, 3, 5)),
    st.booleans(),
    st.fixed_dictionaries(
        {"byteorder": st.sampled_from("<>"), "bigtiff": st.booleans()},
        optional={"tile": st.just((16, 16)), "compression": st.just("zlib")},
    ),
)
def test_a_tiff_of_any_number_of_channels_is_read_as_it_was_written(image, planar, options):
    if image.shape[2] == 1:
        content = stored_tiff(image[..., 0], photometric="minisblack", **options)
    else:
        array = np.moveaxis(image, 2, 0).copy() if planar else image
        options["planarconfig"] = "separate" if planar else "contig"
        content = stored_tiff(array, photometric="minisblack", **options)
    np.testing.assert_array_equal(read_image(A_FILE, content), image, strict=True)


@given(sizes(least=2), st.sampled_from([None, "zlib"]), st.data())
def test_floating_point_numbers_are_read_bit_for_bit(folder, size, compression, data):
    numbers = data.draw(noise(size, np.float32))
    (folder / "a.tif").write_bytes(stored_tiff(numbers, compression=compression))
    found = read_float(folder / "a.tif")
    assert (found.shape, found.dtype) == ((*size, 1), np.float32)
    assert found.tobytes() == numbers.tobytes()


@given(st.integers(2, 6), st.integers(1, 255), sizes(least=2), st.data())
def test_the_channel_that_is_set_is_the_class(classes, value, size, data):
    ids = data.draw(label_images(classes - 1, size=size))
    channels = (np.eye(classes, dtype=np.uint8) * np.uint8(value))[ids]
    content = stored_tiff(channels, photometric="minisblack", planarconfig="contig")
    np.testing.assert_array_equal(read_one_hot(A_FILE, content), ids)


@given(whole_bytes, st.data())
def test_no_beginning_of_a_png_is_a_picture(image, data):
    content = stored(image[..., 0] if image.shape[2] == 1 else image, "PNG")
    cut = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(ImageError):
        read_image(A_FILE, content[:cut])


@given(whole_bytes, st.integers(1, 255), st.data())
def test_a_png_with_one_wrong_byte_is_no_picture(image, flip, data):
    content = bytearray(stored(image[..., 0] if image.shape[2] == 1 else image, "PNG"))
    content[data.draw(st.integers(0, len(content) - 1))] ^= flip
    with pytest.raises(ImageError):
        read_image(A_FILE, bytes(content))
