"""Scores per kind of picture: the kinds of the whole data set, the scores of their own images."""

import numpy as np
import pytest

from delineate.data.checking.inspection import inspect
from delineate.data.checking.statistics import statistics
from delineate.data.dataset import Dataset
from delineate.data.synthetic.nuclei import nucleus_image
from delineate.evaluation.kinds import kind_of_each, kind_scores, kind_section
from delineate.evaluation.tally import BINS, Scored, summarise_images
from delineate.page import render
from delineate.report import Report

KINDS = ("small_fluorescence", "purple_tissue")


@pytest.fixture(scope="module")
def nuclei():
    """Twelve images: eight dark ones, and four of tissue."""
    rng = np.random.default_rng(0)
    names = [KINDS[number % 3 == 2] for number in range(12)]
    images, instances = zip(*(nucleus_image(name, (64, 64), rng) for name in names), strict=True)
    masks = [(each > 0).astype(np.uint8) for each in instances]
    splits = ["train"] * 6 + ["test"] * 6
    return Dataset.from_arrays(images, masks, classes=("background", "nucleus"), splits=splits)


def scored(name, table, *, instances=None):
    table = np.array(table)
    iou = table[1, 1] / (table.sum() - table[0, 0])
    return Scored(name, table, float(iou), float(2 * iou / (1 + iou)), instances=instances)


def images_of(seed=0, count=6, **options):
    rng = np.random.default_rng(seed)
    return [scored(str(n), rng.integers(5, 60, (2, 2)), **options) for n in range(count)]


def test_kinds_are_those_of_the_whole_data_set_with_the_phrases_of_check(nuclei):
    found = kind_of_each(nuclei, nuclei.split("test"))
    inspection = inspect(nuclei)
    numbers = inspection.kinds[6:]
    assert [number > 0 for number in numbers] == [False, False, True, False, False, True]
    assert [number for number, _ in found] == numbers
    told = [row["kind"] for row in statistics(inspection)["kinds"]]
    assert [phrase for _, phrase in found] == [told[number] for number, _ in found]


def test_a_part_that_shows_one_of_several_kinds_is_told_which(nuclei):
    found = kind_of_each(nuclei, nuclei.subset([0, 1, 3]))
    assert len(found) == 3
    assert len(set(found)) == 1
    assert "dark" in found[0][1]


def test_where_all_images_are_of_one_kind_there_is_nothing_to_tell(nuclei):
    dark = nuclei.subset([0, 1, 3, 4])
    assert kind_of_each(dark, dark) == []


def test_each_kind_has_the_scores_of_its_own_images_alone():
    images = images_of()
    kinds = [(1, "rare"), (0, "often"), (0, "often"), (1, "rare"), (0, "often"), (0, "often")]
    often, rare = kind_scores(kinds, images)
    assert (often["kind"], often["images"]) == ("often", 4)
    assert (rare["kind"], rare["images"]) == ("rare", 2)
    for row, chosen in ((often, [1, 2, 4, 5]), (rare, [0, 3])):
        alone = [images[index] for index in chosen]
        expected = summarise_images(alone, np.zeros((BINS, 3)), ("background", "cell"))
        for key in ("dice_per_image", "iou_per_image", "mean_iou"):
            assert row[key] == expected[key]
            low, high = row["intervals"][key]
            assert low <= row[key] <= high
        assert "instances" not in row


def test_kinds_come_in_the_order_of_the_whole_data_set_though_the_part_has_other_numbers():
    kinds = [(2, "c"), (0, "a"), (2, "c"), (2, "c")]
    assert [row["kind"] for row in kind_scores(kinds, images_of(count=4))] == ["a", "c"]


def test_objects_are_scored_where_a_kind_has_any():
    with_objects = [
        scored("a", [[9, 1], [1, 9]], instances={"ap50": value}) for value in (0.5, 1.0, None)
    ]
    kinds = [(0, "cells")] * 3 + [(1, "none")] * 2
    cells, none = kind_scores(kinds, with_objects + images_of(count=2))
    assert cells["instances"] == {"ap50": 0.75}
    assert cells["intervals"]["ap50"] == [0.5, 1.0]
    assert "instances" not in none


def test_groups_are_resampled_as_wholes_within_a_kind():
    images = images_of(count=4)
    kinds = [(0, "a")] * 4
    (plain,) = kind_scores(kinds, images)
    (alone,) = kind_scores(kinds, images, ["x"] * 4)
    assert plain["intervals"]
    assert alone["intervals"] == {}


def test_the_same_scores_always_give_the_same_intervals():
    kinds = [(n % 2, "ab"[n % 2]) for n in range(6)]
    assert kind_scores(kinds, images_of()) == kind_scores(kinds, images_of())


def test_the_page_has_a_row_for_each_kind_and_a_table_of_objects_where_there_are_any():
    kinds = [(n % 2, ("dark <cells>", "bright tissue")[n % 2]) for n in range(6)]
    rows = kind_scores(kinds, images_of(instances={"ap50": 0.25}))
    section = kind_section(rows)
    masks, objects = section.tables
    assert [row[:2] for row in masks.rows] == [("dark <cells>", 3), ("bright tissue", 3)]
    assert masks.rows[0][2:5] == (
        rows[0]["dice_per_image"],
        *rows[0]["intervals"]["dice_per_image"],
    )
    assert objects.rows == (("dark <cells>", 0.25), ("bright tissue", 0.25))
    assert len(kind_section(kind_scores(kinds, images_of())).tables) == 1
    page = render(Report("a", "evaluation", {"kinds": rows}, sections=(section,)))
    assert "Kinds of picture" in page
    assert "dark &lt;cells&gt;" in page
