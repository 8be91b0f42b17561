"""The report of an evaluation: what it holds, and that it reads well."""

from dataclasses import replace

import numpy as np
import pytest

from delineate.bundle import Member
from delineate.data.dataset import Dataset
from delineate.evaluation.describe import NORMALISED, Evaluated, describe, triptych
from delineate.evaluation.evaluate import evaluate
from delineate.evaluation.tally import BINS, histogram_of, score_image, summarise_images
from delineate.evaluation.wording import HEADLINE, OBJECTS, SCORES
from delineate.instance_scores import mean_instance_scores
from delineate.normalisation import KINDS
from delineate.page import render
from delineate.prediction.predictor import Predictor
from tests.bundles import classes_of
from tests.evaluation.conftest import BOUNDS, CLASSES


@pytest.fixture(scope="module")
def predictor(run):
    return Predictor.open(run)


_KEPT = {}


def evaluated(predictor, whole, split, *, known=True):
    """Return what a report is made from; the same data is scored once."""
    names = tuple((record.name, record.split) for record in whole.records)
    key = predictor.card.fit, whole.name, split, names
    if key not in _KEPT:
        _KEPT[key] = scored(predictor, whole, split)
    kept = _KEPT[key]
    return replace(kept, predictor=predictor, values=dict(kept.values), known=known)


def scored(predictor, whole, split):
    part = whole if split == "all" else whole.split(split)
    images, histogram = [], np.zeros((BINS, 3))
    for sample in part:
        prediction = predictor.predict(sample.image)
        images.append(score_image(sample, prediction, classes=3))
        histogram += histogram_of(sample, prediction)
    stored = {
        "normalise": predictor.card.normalisation,
        "dtype": "uint8",
        "lowest": 3,
        "highest": 250,
    }
    scores = summarise_images(images, histogram, CLASSES)
    values = {"data": whole.name, "split": split, "input": stored, **scores}
    return Evaluated(predictor, whole, part, split, images, histogram, values)


def described(predictor, whole, split, *, cases=0, **options):
    return describe(evaluated(predictor, whole, split, **options), (), cases=cases)


def section(report, title):
    return next(item for item in report.sections if item.title == title)


def titles(report):
    return [item.title for item in report.sections]


def table(report, place, title):
    return next(item for item in section(report, place).tables if item.title == title)


@pytest.fixture(autouse=True)
def drawn(monkeypatch):
    """The names of the images in each picture, and the names in its legend, in order.

    Nothing is really drawn, which takes long; what the session's own report holds has been.
    """
    seen = []
    for name in ("confusion_matrix", "histogram_of_scores", "reliability", "draw_curves"):
        monkeypatch.setattr(f"delineate.evaluation.describe.{name}", lambda *_, **__: b"\x89PNG")
    monkeypatch.setattr("delineate.models.drawing.draw_model", lambda *_, **__: b"\x89PNG")

    def triptychs(rows, colours, *, names):
        seen.append(([row.title for row in rows], names))
        return b"\x89PNG"

    monkeypatch.setattr("delineate.evaluation.describe.triptychs", triptychs)
    return seen


def test_scores_come_first_then_images_then_training_and_network(report):
    assert titles(report) == [
        "Scores",
        "Worst images",
        "Best images",
        "Look at these first",
        "Samples",
        "What the network sees",
        "Training",
        "Network",
        "Layers",
    ]
    assert report.title == "blots: test images"
    assert report.kind == "evaluation"


def test_every_picture_is_a_png_and_says_how_to_read_it(report):
    pictures = [picture for item in report.sections for picture in item.pictures]
    assert len(pictures) == 11
    for picture in pictures:
        assert picture.png[1:4] == b"PNG"
        assert picture.caption.endswith(".")
        assert picture.title


def test_the_table_of_scores_has_each_with_its_interval_and_its_meaning(report):
    found = table(report, "Scores", "Scores")
    assert [row[0] for row in found.rows] == [SCORES[name][0] for name in HEADLINE]
    by_name = dict(zip(HEADLINE, found.rows, strict=True))
    for name, row in by_name.items():
        low, high = report.values["intervals"].get(name, (None, None))
        assert row[1:4] == (report.values[name], low, high)
        assert row[4] == SCORES[name][1]
    assert by_name["calibration_error"][2] is None


def test_scores_that_were_not_made_are_left_out_of_the_table(predictor, data):
    outcome = evaluated(predictor, data, "test")
    del outcome.values["boundary_f1"]
    found = table(describe(outcome, (), cases=0), "Scores", "Scores")
    assert "Boundary F1" not in [row[0] for row in found.rows]


def test_the_table_of_classes_names_them_all(report):
    found = table(report, "Scores", "Classes")
    assert [row[0] for row in found.rows] == list(CLASSES)
    assert found.rows[1][1:] == tuple(
        report.values["classes"][1][key] for key in ("iou", "dice", "pixels")
    )


def test_every_score_of_objects_has_a_name_and_a_meaning():
    assert set(OBJECTS) == set(mean_instance_scores([]))


def test_scores_of_objects_have_a_table_where_there_are_any(predictor, data, report):
    assert [item.title for item in section(report, "Scores").tables] == ["Scores", "Classes"]
    outcome = evaluated(predictor, data, "test")
    outcome.values["instances"] = {"ap50": 0.5, "unheard_of": 1.0}
    outcome.values["intervals"] = outcome.values["intervals"] | {"ap50": [0.25, 0.75]}
    found = table(describe(outcome, (), cases=0), "Scores", "Objects")
    assert found.rows == (
        ("AP at IoU 0.5", 0.5, 0.25, 0.75, OBJECTS["ap50"][1]),
        ("unheard_of", 1.0, None, None, ""),
    )


@pytest.mark.parametrize(
    ("split", "known", "sentence"),
    [
        ("test", True, "The training has seen none of these images."),
        ("validation", True, "settings were chosen by them"),
    ],
)
def test_the_reader_is_told_how_far_the_network_knows_the_images(
    predictor, data, split, known, sentence
):
    assert sentence in section(described(predictor, data, split, known=known), "Scores").text
    foreign = described(predictor, data, split, known=False)
    assert sentence not in section(foreign, "Scores").text
    assert not foreign.findings


@pytest.mark.parametrize("split", ["train", "all"])
def test_scores_of_images_that_were_trained_on_come_with_a_warning(predictor, data, split):
    found = described(predictor, data, split).findings
    assert [(item.code, item.level) for item in found] == [("trained-on", "warning")]
    assert not described(predictor, data, split, known=False).findings
    assert not described(predictor, data, "test").findings


@pytest.mark.parametrize(("indices", "words"), [([7], "One image was"), ([7, 8], "2 images were")])
def test_images_are_counted_in_words_that_fit(predictor, data, indices, words):
    report = described(predictor, data.subset(indices), "all")
    assert section(report, "Scores").text.startswith(words)


def test_the_worst_and_the_best_images_are_drawn_in_order(predictor, data, drawn):
    outcome = evaluated(predictor, data, "all")
    report = describe(outcome, (), cases=3)
    dice = {image.name: image.dice for image in outcome.images if image.dice is not None}
    order = sorted(dice, key=dice.get)
    assert [names for names, _ in drawn[:2]] == [order[:3], order[::-1][:3]]
    assert titles(report)[1:3] == ["Worst images", "Best images"]


def test_of_few_images_each_is_drawn_once(predictor, data, drawn):
    described(predictor, data.subset([7, 8, 10]), "all", cases=6)
    worst, best = drawn[0][0], drawn[1][0]
    assert (len(worst), len(best)) == (2, 1)
    assert not set(worst) & set(best)


def test_a_single_image_is_the_worst_and_no_best(predictor, data, drawn):
    assert "Best images" not in titles(described(predictor, data.subset([7]), "all", cases=6))


def test_no_cases_are_drawn_where_none_are_asked_for_or_none_has_a_score(predictor, data, drawn):
    assert "Worst images" not in titles(described(predictor, data, "test", cases=0))
    dark = np.zeros((8, 8), np.uint8)
    empty = Dataset.from_arrays([dark], [dark], classes=CLASSES)
    assert "Worst images" not in titles(described(predictor, empty, "all", cases=6))


def test_three_samples_of_each_split_are_drawn_from_the_first_to_the_last(predictor, data, drawn):
    report = described(predictor, data, "test")
    assert [names for names, _ in drawn] == [["0", "2", "3"], ["4", "5", "6"], ["7", "9", "10"]]
    assert [picture.title for picture in section(report, "Samples").pictures] == [
        "Samples: train",
        "Samples: validation",
        "Samples: test",
    ]


def test_data_without_splits_has_samples_of_all(predictor, data, drawn):
    report = described(predictor, data.with_splits({}), "all")
    assert [picture.title for picture in section(report, "Samples").pictures] == ["Samples: all"]


def test_the_classes_are_named_in_the_legend(predictor, data, drawn):
    described(predictor, data, "test", cases=1)
    assert {names for _, names in drawn} == {CLASSES}


def test_a_triptych_holds_sample_prediction_and_score(predictor, data):
    found = triptych(predictor, data, 8)
    sample = data[8]
    np.testing.assert_array_equal(found.truth, sample.mask)
    np.testing.assert_array_equal(found.prediction, classes_of(sample.image, BOUNDS))
    expected = score_image(sample, predictor.predict(sample.image), classes=3).dice
    assert (found.title, found.score) == ("8", expected)


def test_the_training_is_summed_up_where_there_was_one(predictor, data, report):
    assert section(report, "Training").text == "2 epochs, 5 seconds in the training steps."
    assert "Training" not in titles(described(predictor, data, "test"))
    once = describe(evaluated(predictor, data, "test"), [{"epoch": 1, "loss": 1.0}], cases=0)
    assert section(once, "Training").text.startswith("One epoch, 0 seconds")


def test_the_network_is_counted_and_listed_layer_by_layer(report, predictor):
    text = section(report, "Network").text
    assert text.endswith(": 6 parameters, 6 of them trained, on windows of 16 × 16 pixels.")
    found = table(report, "Layers", "Layers")
    assert found.columns == ("name", "type", "size", "stride", "channels", "parameters")
    assert found.rows[-2] == ("logits", "Conv2D", "16 × 16", 1, 3, 6)


def test_a_network_that_resizes_says_so(predictor, data):
    card = predictor.card.model_copy(update={"fit": "resize"})
    report = described(Predictor(card, predictor.runtimes), data, "test")
    assert "on whole images, resized to 16 × 16 pixels." in section(report, "Network").text


class Opaque:
    """An engine without a graph."""

    granularity = 1

    def run(self, images):
        return np.full((*images.shape[:3], 3), 1 / 3, np.float32)


def test_of_an_engine_without_a_graph_its_name_is_told(predictor, data):
    card = predictor.card.model_copy(
        update={"members": (Member(file="model.xml", runtime="openvino"),), "precision": "int8"}
    )
    section = described(Predictor(card, [Opaque()]), data, "test").sections[-1]
    assert section.title == "Network"
    assert "its export to openvino, in int8" in section.text
    assert not section.pictures


def test_the_page_shows_names_for_people_and_no_keys_of_programs(report):
    page = render(report)
    assert "Dice per image" in page
    assert "dice_per_image" not in page


def test_names_from_files_are_escaped_on_the_page(run, data):
    image, mask = data[8].image, data[8].mask
    odd = Dataset.from_arrays([image], [mask], name="<script>x</script>")
    page = render(evaluate(run.best, odd))
    assert "<script>" not in page


def test_kinds_and_a_comparison_stand_below_the_scores_where_there_are_any(predictor, data):
    outcome = evaluated(predictor, data, "test")
    assert titles(describe(outcome, (), cases=0))[1] == "Samples"
    scores = {"dice_per_image": 0.5, "iou_per_image": 0.4, "mean_iou": 0.6, "intervals": {}}
    outcome.values["kinds"] = [{"kind": "dark", "images": 3, **scores}] * 2
    outcome.values["compare"] = {"run": "other", "seen": {"train": 1}, "scores": {}}
    found = describe(outcome, (), cases=0)
    assert titles(found)[:3] == ["Scores", "Kinds of picture", "Compared with another"]
    assert [item.code for item in found.findings] == ["compared-on-trained"]


def test_the_note_says_whether_images_or_groups_were_resampled(predictor, data):
    outcome = evaluated(predictor, data, "test")
    note = table(describe(outcome, (), cases=0), "Scores", "Scores").note
    assert "(bootstrap over the images)" in note
    outcome.values["bootstrap"] = {"over": "groups", "units": 3}
    note = table(describe(outcome, (), cases=0), "Scores", "Scores").note
    assert "(bootstrap over the 3 groups of images)" in note


def test_every_normalisation_is_explained():
    assert set(NORMALISED) == set(KINDS)


def test_the_reader_is_told_what_the_network_sees(predictor, data):
    outcome = evaluated(predictor, data, "test")
    outcome.values["input"] = outcome.values["input"] | {"normalise": "channel"}
    found = section(describe(outcome, (), cases=0), "What the network sees")
    assert "stored as uint8; over all of them the values go from 3 to 250." in found.text
    assert f"Normalisation: channel ({NORMALISED['channel']})." in found.text
    assert found.pictures == ()
    shown = describe(replace(outcome, first_batch=b"\x89PNG"), (), cases=0)
    (picture,) = section(shown, "What the network sees").pictures
    assert picture.png == b"\x89PNG"


def test_what_resizing_costs_stands_beside_what_was_reached(predictor, data, report):
    assert "Lost by resizing alone" not in titles(report)
    outcome = evaluated(predictor, data, "test")
    best = [{"name": name, "iou": 0.9, "dice": 0.95, "pixels": 7} for name in CLASSES]
    scores = {"dice_per_image": 0.97, "iou_per_image": 0.94, "mean_iou": 0.96}
    outcome.values["resize_limit"] = {**scores, "classes": best}
    found = describe(outcome, (), cases=0)
    assert titles(found)[1] == "Lost by resizing alone"
    whole, each = section(found, "Lost by resizing alone").tables
    assert [row[1:] for row in whole.rows] == [
        (value, outcome.values[name]) for name, value in scores.items()
    ]
    assert [row[:2] for row in each.rows] == [(name, 0.9) for name in CLASSES]
    assert each.rows[1][2::2] == tuple(outcome.values["classes"][1][key] for key in ("iou", "dice"))
