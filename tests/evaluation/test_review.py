"""What to look at over a whole data set, and the picture of it."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from delineate.data.panels import SIDE
from delineate.data.records import Sample
from delineate.errors import DataError
from delineate.evaluation.contradiction import Contradiction
from delineate.evaluation.disagreement import find_disagreements
from delineate.evaluation.evaluate import evaluate
from delineate.evaluation.review import (
    COLUMNS,
    MOST,
    SHOWN,
    SHOWN_OF_AN_IMAGE,
    Review,
    review_sections,
    to_csv,
    write_review,
)
from delineate.evaluation.review_sheet import cut, review_sheet
from delineate.page import render
from delineate.prediction.predictor import Prediction
from delineate.report import Report
from delineate.runs import Run
from tests.evaluation.conftest import make_data

NAMES, COLOURS = ("background", "cell"), ((0, 0, 0), (230, 159, 0))


def example(name, *, sure=0.9, places=((5, 5),), size=(40, 60)):
    """Return an image in which the prediction has squares that the truth has not."""
    mask = np.zeros(size, np.uint8)
    for row, column in places:
        mask[row : row + 8, column : column + 8] = 1
    cell = np.where(mask, sure, 1 - sure).astype(np.float32)
    image = np.full((*size, 3), 120, np.uint8)
    prediction = Prediction(mask, np.stack([1 - cell, cell], axis=-1))
    return Sample(name, image, np.zeros_like(mask)), prediction


def review_of(*examples):
    review = Review(NAMES, COLOURS)
    for each in examples:
        review.add(*each)
    return review


def pixels_of(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def test_the_places_of_all_images_are_in_one_order_whatever_that_of_the_images():
    examples = [example(f"{n}", sure=sure) for n, sure in enumerate((0.7, 0.95, 0.8))]
    assert [place.image for place in review_of(*examples).places] == ["1", "2", "0"]
    assert review_of(*examples).places == review_of(*examples[::-1]).places


def test_no_more_places_are_kept_than_are_listed_and_no_more_crops_than_are_drawn():
    squares = [(row, column) for row in range(2, 110, 12) for column in range(2, 200, 12)]
    many = review_of(*(example(f"{n}", places=squares, size=(120, 210)) for n in range(7)))
    assert len(squares) * 7 > MOST
    assert len(many.places) == MOST
    assert len(many.crops) == SHOWN
    assert review_sections(many, trained_on=False)[0].text.startswith("At least 1,000 places")
    names = [crop.about.image for crop in many.crops]
    assert max(map(names.count, names)) == SHOWN_OF_AN_IMAGE


def test_a_surer_place_that_comes_late_pushes_the_least_sure_out_of_the_picture():
    early = [example(f"{n}", sure=0.7 + n / 100) for n in range(SHOWN)]
    review = review_of(*early, example("late", sure=0.99))
    names = [crop.about.image for crop in review.crops]
    assert names == ["late", *(f"{n}" for n in range(SHOWN - 1, 0, -1))]
    assert all(max(crop.image.shape) == SIDE for crop in review.crops)


def test_the_crop_is_around_the_place_and_marks_it_and_nothing_else():
    sample, prediction = example("a", places=((30, 100), (4, 4)), size=(90, 200))
    about = review_of((sample, prediction)).places[1]
    assert about.box == (30, 100, 38, 108)
    crop = cut(Contradiction.of(sample, prediction), about)
    assert crop.image.shape == (SIDE, SIDE, 3)
    share = crop.region.mean()
    assert share == pytest.approx(64 / 64**2, rel=0.2)
    assert (crop.prediction[crop.region] == 1).all()
    rows, columns = np.nonzero(crop.region)
    assert abs(columns.mean() - SIDE / 2) < 4
    assert (rows.max() - rows.min() + 1, columns.max() - columns.min() + 1) == (22, 22)


@pytest.mark.parametrize("size", [(9, 300), (300, 9), (12, 12)])
def test_crops_of_small_and_narrow_images_end_where_the_image_ends(size):
    sample, prediction = example("a", places=((1, 1),), size=size)
    review = review_of((sample, prediction))
    crop = review.crops[0]
    height, width = (min(side, 64) for side in size)
    assert crop.image.shape[:2] == tuple(
        round(side * SIDE / max(height, width)) for side in (height, width)
    )
    assert pixels_of(review.sheet).shape[2] == 3


def test_the_sheet_shows_image_truth_and_prediction_with_the_place_outlined_in_white():
    review = review_of(example("a", places=((20, 30),), size=(64, 64)))
    sheet = pixels_of(review_sheet(review.crops, COLOURS, names=NAMES))
    left = [8 + number * (SIDE + 8) for number in range(3)]
    panels = [sheet[24 : 24 + SIDE, column : column + SIDE] for column in left]
    white = [(panel == 255).all(axis=-1) for panel in panels]
    assert white[0].any()
    assert all((each == white[0]).all() for each in white)
    middle = [panel[66, 93].tolist() for panel in panels]
    assert middle[0] == middle[1] == [120, 120, 120]
    assert middle[2] != middle[0]


def test_the_table_has_a_line_per_place_and_keeps_odd_names():
    sample, prediction = example('a,"b"\n', places=((5, 5), (5, 25), (20, 5), (20, 25)))
    objects = np.where(prediction.mask, prediction.instances + 2, 0)
    numbered = replace(sample, instances=objects)
    places = find_disagreements(Contradiction.of(numbered, prediction), NAMES)
    named = [replace(places[0], image="b\udce9")]
    content = to_csv([*places, *named])
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8", "surrogateescape"))))
    assert tuple(rows[0]) == COLUMNS
    assert [row["image"] for row in rows] == ['a,"b"\n'] * 4 + ["b\udce9"]
    assert b"b\xe9,0." in content
    first = rows[0]
    assert first["score"] == f"{places[0].score:.4f}"
    assert [int(first[key]) for key in ("row", "column")] == list(places[0].place)
    assert [int(first[key]) for key in ("top", "left", "bottom", "right")] == list(places[0].box)
    assert [row["object"] for row in rows[:4]] == [str(place.object) for place in places]
    assert {row["object"] for row in rows[:4]} == {"3", "4", "5", "6"}
    assert {row["kind"] for row in rows} == {"class"}
    assert to_csv([replace(places[0], object=None)]).endswith(
        f",,{first['image_score']}\n".encode()
    )
    assert to_csv([]).decode() == ",".join(COLUMNS) + "\n"


def touching(name="a", *, size=(45, 71), cut=20):
    """Return two objects that touch, which the truth has as one."""
    objects = np.zeros(size, np.int32)
    objects[10:24, 8:cut], objects[10:24, cut:33] = 4, 9
    mask = (objects > 0).astype(np.uint8)
    line = np.zeros(size, np.float32)
    line[10:24, cut - 2 : cut + 2] = 0.9
    cell = np.where(mask, 0.95, 0.05).astype(np.float32)
    probabilities = np.stack([1 - cell, cell], axis=-1)
    prediction = Prediction(mask, probabilities, {"boundary": line}, objects)
    sample = Sample(name, np.full((*size, 3), 90, np.uint8), mask, mask.astype(np.int32))
    return sample, prediction


def test_objects_that_the_truth_joins_are_in_the_one_list_and_in_plain_words():
    review = review_of(touching(), example("b", sure=0.75), example("c", sure=0.99))
    assert [place.image for place in review.places] == ["c", "a", "b"]
    rows = list(csv.DictReader(io.StringIO(to_csv(review.places).decode())))
    assert [row["kind"] for row in rows] == ["class", "joined", "class"]
    assert [rows[1][key] for key in ("area", "top", "left", "bottom", "right", "object")] == [
        *("350", "10", "8", "24", "33"),
        "1",
    ]
    (section,) = review_sections(review, trained_on=False)
    assert section.text.startswith("3 places in which")
    assert "the truth joins what the network holds apart" in section.text
    (alone,) = review_sections(review_of(example("b")), trained_on=False)
    assert "joins" not in alone.text


def test_the_line_between_two_objects_is_drawn_on_the_side_that_has_it():
    review = review_of(touching())
    (crop,) = review.crops
    truth, predicted = crop.ends
    # The whole image is shown, 71 pixels wide; the line is at column 20 of it.
    row, column = (round(each * SIDE / 71) for each in (17, 20))
    near = np.s_[row, column - 3 : column + 3]
    assert predicted[near].any()
    assert not truth[near].any()
    assert (crop.region | ~predicted).all()
    sheet = pixels_of(review.sheet)
    panels = [sheet[24 : 24 + 112, left : left + SIDE] for left in (8, 192, 376)]
    white = [(panel[near] == 255).all(axis=-1).any() for panel in panels]
    assert white == [False, False, True]


def test_a_sheet_of_nothing_is_refused_and_nothing_is_drawn_where_all_agree(tmp_path):
    with pytest.raises(DataError, match="nothing to put on a sheet"):
        review_sheet([], COLOURS)
    review = review_of(example("a", places=()))
    assert review.sheet is None
    assert review_sections(review, trained_on=False) == []
    run = Run(tmp_path)
    run.review_sheet.write_bytes(b"of an earlier evaluation")
    write_review(run, review)
    assert not run.review_sheet.exists()
    assert run.review.read_text().startswith("image,score,")


def test_the_page_shows_the_sheet_and_says_what_training_on_the_images_means():
    review = review_of(example("<b>"))
    (plain,) = review_sections(review, trained_on=False)
    (trained,) = review_sections(review, trained_on=True)
    assert plain.text.startswith("One place in which")
    assert "by heart" in trained.text
    assert "by heart" not in plain.text
    page = render(Report("a", "evaluation", {}, sections=(plain,)))
    assert "Look at these first" in page
    assert "The surest disagreements" in page


def test_evaluate_finds_the_label_that_was_taken_out_of_the_truth_first(run, tmp_path):
    dataset = make_data(splits=None, seed=5)
    images, masks = ([sample.image for sample in dataset], [sample.mask for sample in dataset])
    # A bright square that everybody sees, and that the truth says nothing of.
    images[6] = images[6].copy()
    images[6][2:16, 3:17] = 150
    masks[6] = masks[6].copy()
    masks[6][2:16, 3:17] = 0
    planted = type(dataset).from_arrays(images, masks, classes=dataset.classes, name="planted")
    report = evaluate(run, planted, to=tmp_path)
    written = Run(tmp_path)
    with written.review.open(encoding="utf-8") as file:
        first = next(csv.DictReader(file))
    assert (first["image"], first["true_class"], first["predicted_class"]) == (
        "6",
        "background",
        "cell",
    )
    assert 2 <= int(first["row"]) < 16
    assert 3 <= int(first["column"]) < 17
    assert written.review_sheet.read_bytes()[1:4] == b"PNG"
    section = next(item for item in report.sections if item.title == "Look at these first")
    assert section.pictures[0].png == written.review_sheet.read_bytes()
