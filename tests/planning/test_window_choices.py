"""Crop or resize, at which size, and that the reason names what decided."""

import pytest

from delineate.planning.window_choices import LARGEST_WINDOW, window_choices
from tests.planning.conftest import fingerprint

LARGE = {"diameter": 300.0, "smallest_diameter": 60.0}


def sized(height, width, **changes):
    """Images of half of which are smaller than this, in which no two sizes are alike."""
    around = {"smallest": (height // 2, width // 2), "largest": (2 * height, 2 * width)}
    return fingerprint(height=height, width=width, **{**around, **changes})


@pytest.mark.parametrize(
    ("found", "fit", "size"),
    [
        (sized(800, 1000, **LARGE), "resize", [352, 416]),
        # At 128 pixels each object, the image would still have 3413×4267.
        (sized(8000, 10000, **LARGE), "crop", [512, 512]),
        # The smallest ones would vanish.
        (sized(800, 1000, diameter=300.0, smallest_diameter=4.0), "crop", [512, 512]),
        (sized(800, 1000), "crop", [256, 256]),
    ],
)
def test_large_objects_are_made_smaller_where_the_image_then_fits_a_window(found, fit, size):
    chosen = window_choices(found, {})
    assert (chosen["data.fit"].value, chosen["data.size"].value) == (fit, size)


def test_no_window_has_more_pixels_than_the_largest():
    for side in (600, 1200, 2400, 9600):
        for diameter in (None, 20.0, 260.0, 300.0, 3000.0):
            for fit in (None, "crop", "resize"):
                found = sized(side, 2 * side, diameter=diameter, smallest_diameter=diameter)
                chosen = window_choices(found, {} if fit is None else {"data.fit": fit})
                height, width = chosen["data.size"].value
                assert height * width <= LARGEST_WINDOW**2


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (sized(3000, 3000, diameter=300.0), "larger windows are slow"),
        (sized(3000, 3000, diameter=None), "larger windows are slow"),
        (sized(300, 3000, diameter=300.0), "at most 300 pixels across"),
        (sized(3000, 3000, diameter=40.0), "8 objects across"),
        (sized(3000, 3000, diameter=10.0), "sees around a pixel"),
        (fingerprint(height=161, width=519, smallest=(161, 519), largest=(161, 519)), "161×519"),
    ],
)
def test_the_reason_names_the_bound_that_decided_the_size(found, words):
    assert words in window_choices(found, {})["data.size"].reason


def test_what_is_said_to_be_resized_keeps_its_shape():
    height, width = window_choices(sized(1000, 1400), {"data.fit": "resize"})["data.size"].value
    assert width / height == pytest.approx(1.4, rel=0.05)
    reason = window_choices(sized(1000, 1400), {"data.fit": "resize"})["data.size"].reason
    assert "1000×1400" in reason


def test_what_is_said_to_be_cropped_has_a_window_s_reason():
    chosen = window_choices(sized(800, 1000, **LARGE), {"data.fit": "crop"})
    assert chosen["data.size"].value == [512, 512]
    assert "become" not in chosen["data.size"].reason


def test_windows_are_cropped_where_classes_are_to_be_looked_for():
    chosen = window_choices(sized(800, 1000, **LARGE), {"data.oversample": 0.5})
    assert chosen["data.fit"].value == "crop"


def test_a_deeper_network_gets_sides_that_divide_by_its_stride():
    for found in (sized(800, 1000, **LARGE), sized(700, 700), fingerprint(height=400, width=400)):
        for side in window_choices(found, {"model.depth": 7})["data.size"].value:
            assert side % 128 == 0
