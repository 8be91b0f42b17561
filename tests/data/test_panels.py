import io

import numpy as np
import pytest
from PIL import Image

from delineate.data.panels import SIDE, Strip, strip_sheet
from delineate.errors import DataError


def strip(colour, size=(SIDE, SIDE), panels=2):
    return Strip(tuple(np.full((*size, 3), colour, np.uint8) for _ in range(panels)), ("a", "b"))


def pixels_of(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_strips_are_read_row_by_row_in_two_columns():
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    sheet = pixels_of(strip_sheet([strip(colour) for colour in colours], ["one", "two"]))
    places = [np.argwhere((sheet == colour).all(axis=-1)) for colour in colours]
    assert [len(found) for found in places] == [2 * SIDE * SIDE] * 3
    first, second, third = (found.min(axis=0) for found in places)
    assert first[0] == second[0] < third[0]
    assert first[1] == third[1] < second[1]


def test_panels_of_other_sizes_stand_in_the_middle_of_their_room_and_rows_do_not_overlap():
    tall, low = strip((200, 0, 0), (SIDE, 40)), strip((0, 200, 0), (30, SIDE))
    sheet = pixels_of(strip_sheet([tall, low, low], ["one", "two"]))
    red = np.argwhere((sheet == (200, 0, 0)).all(axis=-1))
    green = np.argwhere((sheet == (0, 200, 0)).all(axis=-1))
    assert len(red) == 2 * SIDE * 40
    assert len(green) == 2 * 2 * SIDE * 30
    assert red[:, 1].min() == 8 + (SIDE - 40) // 2
    assert green[:, 0].max() > red[:, 0].max()


def test_a_single_strip_is_as_wide_as_it_needs_and_has_its_headings_text_and_legend():
    alone = pixels_of(strip_sheet([strip((120, 120, 120))], ["one", "two"]))
    several = pixels_of(strip_sheet([strip((120, 120, 120))] * 2, ["one", "two"]))
    assert alone.shape[1] * 2 == several.shape[1]
    ink = (alone < 100).all(axis=-1)
    assert ink[:24].any()
    assert ink[24 + SIDE :].any()
    keyed = pixels_of(strip_sheet([strip((9, 9, 9))], ["a", "b"], keys=[((1, 250, 3), "cell")]))
    assert keyed.shape[0] > alone.shape[0]
    assert (keyed == (1, 250, 3)).all(axis=-1).any()


def test_nothing_at_all_is_refused():
    with pytest.raises(DataError, match="nothing to put on a sheet"):
        strip_sheet([], ["one"])
