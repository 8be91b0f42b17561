import numpy as np
import pytest

from delineate.data.checking.inspection import inspect
from delineate.data.checking.meaning import Meaning, find_meaning, frequent_values, two_ends
from delineate.data.classes import Encoding
from delineate.data.dataset import Dataset
from delineate.data.describing.description import colour_value
from delineate.errors import DataError

BLACK, RED, BROWN = (0, 0, 0), (220, 0, 0), (110, 10, 0)
COLOURS = (BLACK, RED, BROWN)
TABLE = {colour_value(colour): number for number, colour in enumerate(COLOURS)}
MEANING = Meaning(Encoding(("none", "red", "brown"), TABLE, COLOURS))


def picture_of(*colours, width=6):
    """Bands of colours, as wide as that."""
    return np.repeat(np.array([colours], np.uint8), width, axis=1).repeat(8, axis=0)


def test_a_blend_of_two_colours_is_one_of_the_two_and_not_a_third_that_it_resembles():
    picture = picture_of(BLACK, RED)
    picture[:, 5] = (90, 0, 0)
    picture[:, 6] = (140, 0, 0)
    ids, told = MEANING.of_picture("a", picture)
    assert ids[0].tolist() == [0] * 6 + [1] * 6
    assert told == ["16 pixels of its mask were given the nearest colour of the classes"]


def test_a_colour_that_is_nearly_that_of_a_class_is_that_class_wherever_it_lies():
    ids, _ = MEANING.of_picture("a", picture_of(BLACK, (200, 15, 10), (100, 20, 8)))
    assert ids[0].tolist() == [0] * 6 + [1] * 6 + [2] * 6


def test_a_sound_picture_is_left_as_it_is():
    ids, told = MEANING.of_picture("a", picture_of(BROWN, BLACK, RED))
    assert ids[0].tolist() == [2] * 6 + [0] * 6 + [1] * 6
    assert told == []


@pytest.mark.parametrize(
    ("counts", "kept"),
    [
        ({0: 1000, 255: 300, 100: 20, 180: 15}, [0, 255]),
        ({0: 1000, 255: 300, 128: 200}, [0, 128, 255]),
        ({0: 1000, 2: 50, 253: 40, 255: 300}, [0, 255]),
        ({0: 10_000, 255: 3}, [0]),
    ],
)
def test_values_are_meant_that_are_frequent_and_no_mixtures(counts, kept):
    assert frequent_values(counts) == kept


def test_what_was_seen_between_its_neighbours_is_a_mixture_however_frequent():
    counts = {0: 1000, 255: 300, 128: 200}
    assert frequent_values(counts, {128}) == [0, 255]


@pytest.mark.parametrize(
    ("counts", "ends"),
    [
        ({0: 900, 255: 60, 128: 40}, (0, 255)),
        ({3: 900, 250: 60}, (3, 250)),
        ({0: 900, 1: 60}, None),
        ({0: 500, 255: 100, 128: 400}, None),
        ({}, None),
    ],
)
def test_masks_of_two_values_are_told_from_others(counts, ends):
    assert two_ends(counts) == ends


def test_where_no_mask_is_sound_and_the_values_are_no_two_it_is_said():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (3, 32, 32, 3), np.uint8)
    masks = rng.integers(0, 60_000, (3, 8, 8)).repeat(4, 1).repeat(4, 2)
    with pytest.raises(DataError, match="no class ids"):
        find_meaning(inspect(Dataset.from_arrays(images, masks)))


def test_a_photograph_is_no_mask():
    photograph = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    with pytest.raises(DataError, match="mask of a is a picture"):
        MEANING.of_picture("a", photograph)
    ids = Meaning(Encoding(("none", "red"), {0: 0, 1: 1, 255: 255}))
    with pytest.raises(DataError, match="mask of a is a picture"):
        ids.of_picture("a", picture_of(BLACK, RED))


def test_a_mask_that_is_its_image_once_more_is_left_out():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (4, 32, 32, 1), np.uint8)
    masks = [*(images[:3, ..., 0] > 128).astype(np.uint8), images[3, ..., 0]]
    found = find_meaning(inspect(Dataset.from_arrays(images, masks)))
    assert found.copies == {"3"}
