import numpy as np
import pytest

from delineate.data.looks.alignment import TURNS, measure_alignment
from delineate.data.synthetic.nuclei import nucleus_image

TURNED = {
    "as they are": lambda a: a,
    "mirrored left to right": np.fliplr,
    "mirrored top to bottom": np.flipud,
    "turned by 180 degrees": lambda a: np.rot90(a, 2),
    "transposed (rows and columns swapped)": np.transpose,
    "turned by 90 degrees clockwise": lambda a: np.rot90(a, -1),
    "turned by 90 degrees counter-clockwise": np.rot90,
    "transposed and turned by 180 degrees": lambda a: np.rot90(a.T, 2),
}


def border_of(labels):
    border = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        differs = np.diff(labels, axis=axis) != 0
        for part in (slice(1, None), slice(None, -1)):
            border[(part, slice(None)) if axis == 0 else (slice(None), part)] |= differs
    return border


@pytest.mark.parametrize("number", range(8))
def test_the_orientation_that_fits_undoes_the_turn(number):
    image, instances = nucleus_image("small_fluorescence", (128, 128), np.random.default_rng(1))
    turn = TURNED[TURNS[number]]
    # What has to be done to the mask to fit is what was done to the image.
    found = measure_alignment(_turn_image(turn, image), border_of(instances))
    assert int(np.argmax(found)) == number
    assert found[number] > 0.3


def _turn_image(turn, image):
    return np.stack([turn(image[..., channel]) for channel in range(image.shape[2])], axis=-1)


def test_a_mask_that_is_not_square_has_four_orientations():
    image, instances = nucleus_image("bright_field", (64, 96), np.random.default_rng(0))
    assert len(measure_alignment(image, border_of(instances))) == 4


@pytest.mark.parametrize("factor", [1, 257])
def test_bit_depth_does_not_matter(factor):
    image, instances = nucleus_image("bright_field", (64, 96), np.random.default_rng(0))
    deep = image.astype(np.uint16) * factor
    one, other = (measure_alignment(i, border_of(instances)) for i in (image, deep))
    assert one == pytest.approx(other, abs=0.002)


@pytest.mark.parametrize("case", ["no border", "no edge", "too small"])
def test_where_there_is_nothing_to_compare_nothing_comes_back(case):
    image, instances = nucleus_image("bright_field", (64, 96), np.random.default_rng(0))
    border = border_of(instances)
    if case == "no border":
        border[:] = False
    elif case == "no edge":
        image[:] = 90
    else:
        image, border = image[:12], border[:12]
    assert measure_alignment(image, border) == ()


def test_images_of_one_two_and_many_channels_are_measured():
    image, instances = nucleus_image("bright_field", (64, 64), np.random.default_rng(0))
    for channels in (1, 2, 7):
        many = np.repeat(image[..., :1], channels, axis=2)
        assert measure_alignment(many, border_of(instances))[0] > 0.2
