"""Classes as numbers and as colours in files, and back."""

from io import BytesIO
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from delineate.data.classes import recognise
from delineate.data.dataset import Dataset
from delineate.data.describing.description import Description
from delineate.data.reading import decode
from delineate.data.records import Record
from delineate.data.shares import pixels_of_classes
from delineate.imaging import colourise, read_image, read_labels, write_png
from tests.properties.strategies import colours, images, masks, noise, sizes

palettes = st.lists(colours, min_size=2, max_size=6, unique=True)


@given(palettes, st.data())
def test_a_mask_in_the_colours_of_its_classes_is_read_as_its_classes(folder, shown, data):
    mask = data.draw(masks(len(shown)))
    record = Record("a", (folder / "image.png",), (folder / "mask.png",))
    Image.fromarray(np.zeros_like(mask)).save(record.images[0])
    Image.fromarray(colourise(mask, shown)).save(record.masks[0])
    names = tuple(f"class {number}" for number in range(len(shown)))
    said = Description(names=names, colours=tuple(shown), encoding="colours")
    found = decode(record)
    encoding = recognise([found.facts], said)
    assert encoding.colours == tuple(shown)
    np.testing.assert_array_equal(encoding.encode(found.labels, found.facts.colours), mask)


@given(images(channels=(3,), kinds=(np.uint8,)))
def test_a_picture_in_colours_is_which_of_them_each_pixel_has(image):
    file = BytesIO()
    Image.fromarray(image).save(file, "PNG")
    labels = read_labels(Path("a.png"), file.getvalue())
    if labels.colours is None:
        for channel in range(3):
            np.testing.assert_array_equal(image[..., channel], labels.values)
        return
    assert list(labels.colours) == sorted(set(labels.colours))
    packed = (image.astype(int) * [1 << 16, 1 << 8, 1]).sum(axis=-1)
    np.testing.assert_array_equal(np.array(labels.colours)[labels.values], packed)


@given(st.lists(colours, max_size=255), sizes(), st.data())
def test_ids_with_a_palette_are_ids_as_a_mask_and_colours_as_an_image(folder, shown, size, data):
    ids = data.draw(noise(size))
    write_png(folder / "ids.png", ids, shown)
    labels = read_labels(folder / "ids.png")
    np.testing.assert_array_equal(labels.values, ids)
    assert labels.palette.keys() == set(np.unique(ids))
    expected = colourise(ids, shown)
    np.testing.assert_array_equal(read_image(folder / "ids.png"), expected)
    for value, colour in labels.palette.items():
        red, green, blue = expected[ids == value][0].tolist()
        assert colour == red << 16 | green << 8 | blue


@given(st.lists(masks(4, side=8, ignored=True), min_size=1, max_size=4))
def test_masks_of_class_ids_are_themselves_and_their_pixels_are_counted(drawn):
    pictures = [np.zeros((*mask.shape, 1), np.uint8) for mask in drawn]
    dataset = Dataset.from_arrays(pictures, drawn, classes=["a", "b", "c", "d"])
    for sample, mask in zip(dataset, drawn, strict=True):
        np.testing.assert_array_equal(sample.mask, mask)
    counts = [[np.count_nonzero(mask == label) for label in range(4)] for mask in drawn]
    np.testing.assert_array_equal(pixels_of_classes(dataset), counts)
