"""Two bundles on the same images: what is told of them, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest

from delineate.bundle import Category
from delineate.data.dataset import Dataset
from delineate.errors import BundleError, DataError
from delineate.evaluation.compare import (
    compare_scores,
    comparison_findings,
    comparison_section,
)
from delineate.evaluation.evaluate import evaluate
from delineate.evaluation.paired import paired_difference, paired_tables
from delineate.evaluation.tally import POOLED, Scored, groups_of, score_of
from delineate.evaluation.wording import OBJECTS, SCORES
from delineate.page import render
from tests.bundles import pointwise_model, save_bundle
from tests.evaluation.conftest import BOUNDS, make_data, make_run

WORSE = [0.3, 0.85]
KEYS = {"here", "there", "difference", "interval", "there_better", "p_value"}


def scored(rng, *, shift=0, objects=True):
    table = rng.integers(20, 90, (2, 2)) + shift * np.eye(2, dtype=int)
    iou = float(table[1, 1] / (table.sum() - table[0, 0]))
    instances = {"ap50": iou, "count_error": float(10 - shift / 20)} if objects else None
    return Scored("x", table, iou, 2 * iou / (1 + iou), {"boundary_iou": iou / 2}, instances)


def images_of(seed, count=8, **options):
    rng = np.random.default_rng(seed)
    return [scored(rng, **options) for _ in range(count)]


def test_every_score_is_compared_in_the_order_of_the_report():
    found = compare_scores(images_of(0), images_of(1))
    assert list(found) == [key for key in (*SCORES, *OBJECTS) if key in found]
    assert set(found) == {
        *POOLED,
        "iou_per_image",
        "dice_per_image",
        "boundary_iou",
        "ap50",
        "count_error",
    }
    assert all(set(scores) == KEYS for scores in found.values())
    assert "ap50" not in compare_scores(images_of(0, objects=False), images_of(1, objects=False))


def test_differences_are_those_of_the_pooled_tables_and_of_the_values_per_image():
    here, there = images_of(2), images_of(3)
    found = compare_scores(here, there)
    tables = [np.stack([image.table for image in images]) for images in (here, there)]
    pooled = paired_tables(*tables, score_of("accuracy"), np.random.default_rng(0))
    assert found["accuracy"]["here"] == pooled.first
    assert found["accuracy"]["difference"] == pooled.difference
    dice = [[image.dice for image in images] for images in (here, there)]
    alone = paired_difference(*dice, np.random.default_rng(0))
    assert found["dice_per_image"]["there"] == alone.second
    assert found["dice_per_image"]["interval"] == pytest.approx(list(alone.interval), abs=0.03)


def test_a_run_and_itself_differ_by_nothing_in_any_score():
    images = images_of(4)
    for scores in compare_scores(images, images).values():
        assert (scores["difference"], scores["interval"]) == (0, [0, 0])
        assert (scores["there_better"], scores["p_value"]) == (0.5, 1)


def test_of_the_count_error_less_is_better():
    found = compare_scores(images_of(5), images_of(6, shift=100))
    assert found["accuracy"]["difference"] < 0
    assert found["count_error"]["difference"] == 5
    assert found["accuracy"]["there_better"] == found["count_error"]["there_better"] == 1


def test_images_of_one_group_are_resampled_together():
    here, there = images_of(7), images_of(8)
    assert compare_scores(here, there, ["a"] * 8)["mean_iou"]["interval"] is None
    pairs = compare_scores(here, there, list("aabbccdd"))
    assert pairs["mean_iou"]["difference"] == compare_scores(here, there)["mean_iou"]["difference"]


@pytest.mark.parametrize(
    ("seen", "split", "codes"),
    [
        ({}, "test", []),
        ({"test": 9}, "test", []),
        ({"test": 8, "train": 1}, "test", ["compared-on-trained"]),
        ({"train": 2, "validation": 3}, "all", ["compared-on-trained"]),
        ({"validation": 3}, "test", ["compared-on-validation"]),
        ({"validation": 3}, "validation", []),
    ],
)
def test_the_reader_is_warned_where_the_other_knows_the_images(seen, split, codes):
    found = comparison_findings({"run": "runs/other", "seen": seen}, split)
    assert [finding.code for finding in found] == codes
    assert all("runs/other" in finding.message for finding in found)


def test_the_page_has_a_row_for_each_score_and_a_dash_for_no_interval():
    scores = compare_scores(images_of(9, count=1), images_of(10, count=1))
    section = comparison_section({"run": "runs/other", "seen": {}, "scores": scores})
    (table,) = section.tables
    assert [row[0] for row in table.rows[:2]] == ["Dice per image", "IoU per image"]
    assert table.rows[0][4:] == (None, None, None, None)
    assert "runs/other" in section.text


@pytest.fixture(scope="module")
def other(tmp_path_factory, data):
    """A run with other bounds that was trained on one of the images that the first keeps apart."""
    splits = ["train"] * 3 + ["validation"] * 4 + ["test"] * 3 + ["train"]
    return make_run(
        tmp_path_factory.mktemp("runs") / "other", make_data(splits=splits), bounds=WORSE
    )


def test_both_runs_score_the_part_that_the_first_one_chooses(run, other, data, report, tmp_path):
    compared = evaluate(run, data, compare=other, to=tmp_path / "out")
    found = compared.values["compare"]
    there = evaluate(other.best, data.split("test"), split="all", to=tmp_path / "there").values
    assert found["run"] == str(other.folder)
    for key, scores in found["scores"].items():
        assert scores["here"] == report.values[key]
        assert scores["there"] == pytest.approx(there[key])
        assert scores["difference"] == scores["here"] - scores["there"]
    assert found["seen"] == {"test": 3, "train": 1}
    assert [finding.code for finding in compared.findings] == ["compared-on-trained"]
    written = json.loads((tmp_path / "out" / "report.json").read_text())
    assert written["compare"] == json.loads(json.dumps(found))
    page = render(compared)
    assert "Compared with another" in page
    assert str(other.folder) in page


def test_a_bundle_is_compared_like_a_run_and_progress_goes_over_both(run, other, data, tmp_path):
    seen = []
    report = evaluate(
        run,
        data,
        compare=str(other.best),
        to=tmp_path,
        progress=lambda *step: seen.append(step),
    )
    assert report.values["compare"]["run"] == str(other.best)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)] * 2


def test_without_a_comparison_there_is_none_in_the_report(report):
    assert "compare" not in report.values
    assert "Compared with another" not in [section.title for section in report.sections]


def test_groups_of_the_data_are_what_is_resampled(run, data, tmp_path):
    records = tuple(replace(record, group=f"g{int(record.name) // 10}") for record in data.records)
    grouped = evaluate(run, replace(data, records=records), compare=run, to=tmp_path).values
    assert groups_of(records)[9:] == [("group", "g0"), ("group", "g1")]
    assert grouped["bootstrap"] == {"over": "groups", "units": 2}
    assert grouped["compare"]["scores"]["mean_iou"]["interval"] == [0, 0]


def test_bundles_with_other_classes_or_depths_are_refused_before_anything_is_scored(
    run, data, tmp_path
):
    names = ("background", "vessel", "cell")
    classes = tuple(Category(name=name, colour=(1, 2, 3)) for name in names)
    changes = {"swapped": {"classes": classes}, "deep": {"dtype": "uint16"}}
    for name, change in changes.items():
        save_bundle(tmp_path / name, pointwise_model(BOUNDS), **change)
    save_bundle(tmp_path / "two", pointwise_model([0.5]))
    seen = []
    options = {"to": tmp_path / "out", "progress": lambda *step: seen.append(step)}
    for name, message in (
        ("swapped", "has the classes background, vessel, cell"),
        ("two", "has the classes background, cell, and"),
        ("deep", "takes uint16 images"),
    ):
        with pytest.raises(DataError, match=message):
            evaluate(run, data, compare=tmp_path / name, **options)
    with pytest.raises(BundleError):
        evaluate(run, data, compare=tmp_path / "nothing", **options)
    assert not seen


def test_a_rival_of_other_channels_is_refused_with_the_image_before_anything_is_scored(
    run, data, tmp_path
):
    save_bundle(tmp_path / "four", pointwise_model(BOUNDS, channels=4))
    save_bundle(tmp_path / "three", pointwise_model(BOUNDS, channels=3))
    seen = []
    options = {"to": tmp_path / "out", "progress": lambda *step: seen.append(step)}
    first = data.split("test").records[0].name
    with pytest.raises(DataError) as caught:
        evaluate(run, data, compare=tmp_path / "four", **options)
    assert caught.value.message == (
        f"{tmp_path / 'four'} cannot be compared: {first} has 1 channel, the network takes 4."
    )
    assert "these channels" in caught.value.hint
    assert not seen
    # Grey images are repeated for three channels.
    assert "compare" in evaluate(run, data, compare=tmp_path / "three", **options).values


def test_data_of_another_source_has_no_warning(run, other, tmp_path):
    foreign = make_data(seed=1, splits=None)
    report = evaluate(run, foreign, compare=other, to=tmp_path)
    assert report.values["compare"]["seen"] == {}
    assert not report.findings
    assert isinstance(foreign, Dataset)
