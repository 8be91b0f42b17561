"""How unsure a network is: entropy against scipy, the order of images, and what is written."""

import csv
import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import distance_transform_edt
from scipy.stats import entropy

from delineate.data.panels import SIDE
from delineate.errors import DataError
from delineate.prediction.predictor import Prediction
from delineate.prediction.uncertainty import (
    COLUMNS,
    LIKELY,
    NEAR,
    SHOWN,
    LeastSure,
    entropy_of,
    uncertainty,
    write_review,
)

COLOURS = ((0, 0, 0), (230, 159, 0))


def probabilities_of(cell):
    cell = np.asarray(cell, np.float32)
    return np.stack([1 - cell, cell], axis=-1)


def soft_disc(size, centre, radius, *, top=0.99, blur=1.0):
    """Return the probability of a disc with an outline that gives way over some pixels."""
    rows, columns = np.ogrid[: size[0], : size[1]]
    distance = np.hypot(rows - centre[0], columns - centre[1]) - radius
    return top / (1 + np.exp(distance / blur))


def added(least_sure, name, cell):
    cell = np.asarray(cell)
    image = np.full((*cell.shape, 3), 90, np.uint8)
    prediction = Prediction((cell > 0.5).astype(np.uint8), probabilities_of(cell))
    least_sure.add(name, image, prediction)
    return least_sure


def flat(value, size=(24, 32)):
    return np.full(size, value)


def test_the_entropy_of_a_pixel_is_that_of_scipy_over_the_greatest():
    probabilities = np.random.default_rng(0).dirichlet([0.5] * 5, (7, 9)).astype(np.float32)
    probabilities[0, 0] = [1, 0, 0, 0, 0]
    expected = entropy(probabilities, base=5, axis=-1)
    found = entropy_of(probabilities)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found[0, 0] == 0


def test_probabilities_that_do_not_sum_to_one_are_taken_as_shares():
    probabilities = np.random.default_rng(1).random((4, 5, 3))
    shares = probabilities / probabilities.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(entropy_of(probabilities), entropy_of(shares), atol=1e-6)
    assert (entropy_of(np.zeros((2, 2, 3))) == 0).all()


def test_uncertainty_is_the_mean_entropy_near_what_may_be_foreground():
    cell = soft_disc((50, 60), (20, 30), 9) + soft_disc((50, 60), (42, 8), 3, top=0.3)
    probabilities = probabilities_of(cell.clip(0, 1))
    distance = distance_transform_edt(1 - probabilities[..., 0] < LIKELY)
    near = distance <= NEAR + 0.5
    expected = entropy(probabilities[near].astype(np.float64), base=2, axis=-1).mean()
    assert uncertainty(probabilities) == pytest.approx(expected, rel=0.03)
    assert near.mean() < 0.5


def test_many_objects_that_are_well_understood_are_no_reason_to_be_unsure():
    size = 96, 96
    centres = [(row, column) for row in range(16, 96, 32) for column in range(16, 96, 32)]
    crowd = np.max([soft_disc(size, centre, 9, blur=0.5) for centre in centres], axis=0)
    vague = soft_disc(size, (48, 48), 9, top=0.6, blur=3)
    crowded, sparse = probabilities_of(crowd), probabilities_of(vague)
    assert entropy_of(crowded).mean() > entropy_of(sparse).mean()
    assert uncertainty(crowded) < uncertainty(sparse)


def test_where_there_may_be_no_foreground_at_all_every_pixel_counts():
    nearly = probabilities_of(flat(0.15))
    assert uncertainty(nearly) == pytest.approx(float(entropy_of(nearly).mean()))
    assert uncertainty(probabilities_of(flat(0.0))) == 0
    assert uncertainty(probabilities_of(flat(0.5))) == 1


def test_images_are_in_the_order_of_their_uncertainty_and_equal_ones_in_that_of_their_names():
    least_sure = LeastSure(COLOURS)
    for name, value in (("c", 0.9), ("b", 0.5), ("d", 0.99), ("a", 0.9)):
        added(least_sure, name, flat(value))
    assert [item.image for item in least_sure.items] == ["b", "a", "c", "d"]


def test_the_place_is_where_the_network_is_least_sure():
    cell = soft_disc((60, 80), (20, 20), 10, blur=0.5)
    cell = np.maximum(cell, soft_disc((60, 80), (42, 61), 8, top=0.5, blur=0.5))
    item = added(LeastSure(COLOURS), "a", cell).items[0]
    assert np.hypot(item.place[0] - 42, item.place[1] - 61) < 5


def test_only_of_the_first_images_are_there_pictures_and_these_are_small():
    least_sure = LeastSure(COLOURS)
    for number in np.random.default_rng(2).permutation(SHOWN + 9):
        added(least_sure, f"{number:02}", flat(0.5 + 0.01 * number, (300, 200)))
    drawn = [item.strip is not None for item in least_sure.items]
    assert drawn == [True] * SHOWN + [False] * 9
    assert [item.image for item in least_sure.items] == [f"{n:02}" for n in range(SHOWN + 9)]
    panels = least_sure.items[0].strip.panels
    assert [panel.shape for panel in panels] == [(SIDE, round(SIDE * 2 / 3), 3)] * 3


def test_the_table_has_all_images_and_the_sheet_the_first(tmp_path):
    least_sure = LeastSure(COLOURS)
    added(added(least_sure, "sure\udce9", flat(0.98)), "a,b", flat(0.5))
    write_review(tmp_path, least_sure.items)
    content = (tmp_path / "review.csv").read_bytes().decode("utf-8", "surrogateescape")
    rows = list(csv.DictReader(io.StringIO(content)))
    assert tuple(rows[0]) == COLUMNS
    assert [row["image"] for row in rows] == ["a,b", "sure\udce9"]
    assert rows[0]["uncertainty"] == rows[0]["mean_entropy"] == "1.0000"
    with Image.open(tmp_path / "review.png") as sheet:
        assert sheet.width > 2 * 3 * SIDE


def test_a_sheet_of_no_pictures_is_refused(tmp_path):
    with pytest.raises(DataError, match="nothing to put on a sheet"):
        write_review(tmp_path, [])
