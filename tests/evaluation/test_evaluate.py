"""The scores of a run, against scikit-learn on masks that were written and read again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix, f1_score, jaccard_score

from delineate.bundle import Category
from delineate.data.dataset import Dataset
from delineate.errors import BundleError, DataError
from delineate.evaluation.evaluate import choose_part, evaluate, run_of
from delineate.evaluation.tally import score_part
from delineate.imaging import write_png
from delineate.prediction.many import predict_files
from delineate.prediction.predictor import Predictor
from delineate.report import Report
from tests.bundles import pointwise_model, save_bundle
from tests.evaluation.conftest import BOUNDS, CLASSES, SPLITS, make_data, make_run

NAMES = [str(number) for number in range(11)]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return save_bundle(tmp_path_factory.mktemp("bundles") / "one", pointwise_model(BOUNDS))


def scored(report):
    return [image["name"] for image in report.values["images"]]


def saved_masks(run, dataset, folder):
    """Return truth and prediction of each image, the latter from the file that predict writes."""
    pairs = []
    for sample in dataset:
        path = folder / f"{sample.name}.png"
        write_png(path, sample.image)
        predict_files(run.folder, [str(path)], to=folder / "masks")
        with Image.open(folder / "masks" / path.name) as stored:
            pairs.append((sample.mask, np.asarray(stored)))
    return pairs


def per_image(score, pairs):
    values = []
    for truth, found in pairs:
        known = truth != 255
        present = sorted(({*truth[known]} | {*found[known]}) - {0})
        if present:
            given = {"labels": present, "average": "macro", "zero_division": 0}
            values.append(score(truth[known], found[known], **given))
    return np.mean(values)


def test_the_scores_are_those_of_scikit_learn_on_the_saved_masks(tmp_path, run, data, report):
    values = report.values
    pairs = saved_masks(run, data.split("test"), tmp_path)
    truth = np.concatenate([mask[mask != 255] for mask, _ in pairs])
    found = np.concatenate([prediction[mask != 255] for mask, prediction in pairs])
    table = confusion_matrix(truth, found, labels=range(3))
    assert (np.diag(table) < table.sum(axis=1)).all(), "a perfect prediction would prove little"
    labels = {"labels": range(3), "average": None}
    iou, dice = jaccard_score(truth, found, **labels), f1_score(truth, found, **labels)
    expected = {
        "mean_iou": iou.mean(),
        "mean_dice": dice.mean(),
        "foreground_iou": iou[1:].mean(),
        "foreground_dice": dice[1:].mean(),
        "accuracy": np.mean(truth == found),
        "iou_per_image": per_image(jaccard_score, pairs),
        "dice_per_image": per_image(f1_score, pairs),
    }
    assert {name: values[name] for name in expected} == pytest.approx(expected)
    assert values["classes"] == [
        {
            "name": name,
            "iou": pytest.approx(iou[number]),
            "dice": pytest.approx(dice[number]),
            "pixels": int(table[number].sum()),
        }
        for number, name in enumerate(CLASSES)
    ]


def test_the_calibration_error_is_that_of_a_plain_loop(run, data, report):
    predictor = Predictor.open(run)
    confidence, right = [], []
    for sample in data.split("test"):
        found = predictor.predict(sample.image).probabilities[sample.mask != 255]
        confidence.append(found.max(axis=-1))
        right.append(found.argmax(axis=-1) == sample.mask[sample.mask != 255])
    confidence, right = np.concatenate(confidence), np.concatenate(right)
    bins = np.ceil(confidence * 15).clip(1)
    gaps = [abs((confidence - right)[bins == number].sum()) for number in np.unique(bins)]
    expected = sum(gaps) / len(right)
    assert report.values["calibration_error"] == pytest.approx(expected, rel=1e-5)


def test_every_score_lies_within_its_interval(report):
    values = report.values
    assert set(values["intervals"]) == {
        "mean_iou",
        "mean_dice",
        "foreground_iou",
        "foreground_dice",
        "accuracy",
        "iou_per_image",
        "dice_per_image",
        "boundary_iou",
        "boundary_f1",
    }
    for name, (low, high) in values["intervals"].items():
        assert low <= values[name] <= high, name
        assert low < high, name


def test_the_same_data_always_gives_the_same_report(run, data, report):
    assert evaluate(run, data).to_json() == report.to_json()


class Dark:
    """A runtime of the user's own, to which everything is background."""

    granularity = 1

    @classmethod
    def open(cls, path):
        return cls()

    def run(self, images):
        return np.broadcast_to(np.float32([1, 0, 0]), (*images.shape[:3], 3))


def test_the_engine_that_is_named_predicts(run, data, tmp_path):
    dark = f"{__name__}:Dark"
    values = evaluate(run, data, runtime=dark, compare=run, to=tmp_path).values
    assert values["engine"]["runtime"] == dark
    assert values["foreground_iou"] == 0
    # The other one predicts as ever.
    assert values["compare"]["engine"]["runtime"] == "keras"
    assert values["compare"]["scores"]["foreground_iou"]["there"] > 0.3


def test_an_empty_mask_scores_zero_where_something_is_predicted_and_not_at_all_where_nothing_is(
    bundle,
):
    dark, bright = np.zeros((8, 8), np.uint8), np.full((8, 8), 255, np.uint8)
    masks = [np.zeros((8, 8), np.uint8)] * 2
    values = evaluate(bundle.folder, Dataset.from_arrays([dark, bright], masks)).values
    assert [(image["dice"], image["iou"]) for image in values["images"]] == [(None, None), (0, 0)]
    assert values["dice_per_image"] == 0
    assert values["accuracy"] == 0.5


def test_data_without_any_foreground_is_reported_all_the_same(bundle):
    dark = np.zeros((8, 8), np.uint8)
    values = evaluate(bundle.folder, Dataset.from_arrays([dark], [dark])).values
    assert values["dice_per_image"] is None
    assert values["foreground_iou"] is None
    assert values["accuracy"] == 1
    assert values["intervals"] == {}


def test_objects_are_scored_where_the_data_has_them(bundle):
    image = np.zeros((8, 20), np.uint8)
    image[1:5, 1:5] = image[1:5, 8:12] = 150
    mask = (image > 0).astype(np.uint8)
    instances = np.zeros((8, 20), np.int32)
    instances[1:5, 1:5], instances[1:5, 8:12], instances[6, 15:17] = 1, 2, 3
    data = Dataset.from_arrays([image], [mask], classes=CLASSES, instances=[instances])
    found = evaluate(bundle.folder, data).values["instances"]
    assert found["ap50"] == pytest.approx(2 / 3)
    assert found["count_error"] == 1


def test_without_boundary_scores_there_are_none(tmp_path, data):
    run = make_run(tmp_path / "run", data, **{"evaluation.boundary": False})
    values = evaluate(run, data).values
    assert not {"boundary_iou", "boundary_f1"} & {*values, *values["intervals"]}
    assert "boundary_iou" not in values["images"][0]


def test_the_headlines_come_first(report):
    assert list(report.values)[:5] == [
        "data",
        "split",
        "dice_per_image",
        "iou_per_image",
        "foreground_dice",
    ]


def test_the_report_is_written_to_the_run(run, report):
    assert isinstance(report, Report)
    assert json.loads(run.report_json.read_text()) == json.loads(json.dumps(report.to_json()))
    assert "blots: test images" in run.report.read_text(encoding="utf-8")
    assert run.confusion_matrix.read_bytes()[1:4] == b"PNG"


def test_the_report_is_written_elsewhere_where_asked_for(tmp_path, run, data, report):
    before = run.report.stat().st_mtime_ns
    evaluate(run.folder, data, to=str(tmp_path / "elsewhere"))
    assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == [
        "confusion_matrix.png",
        "report.html",
        "report.json",
        "review.csv",
        "review.png",
    ]
    assert run.report.stat().st_mtime_ns == before


def test_a_bare_bundle_is_scored_and_nothing_is_written(bundle, data):
    before = sorted(bundle.folder.iterdir())
    report = evaluate(bundle.folder, data)
    assert scored(report) == NAMES[7:]
    assert sorted(bundle.folder.iterdir()) == before


def test_the_split_that_is_asked_for_is_scored_and_progress_is_told_after_each_image(bundle, data):
    seen = []
    report = evaluate(
        bundle.folder, data, split="validation", progress=lambda *step: seen.append(step)
    )
    assert report.values["split"] == "validation"
    assert scored(report) == NAMES[4:7]
    assert seen == [(1, 3), (2, 3), (3, 3)]


def choose(data, folder, split=None):
    chosen = choose_part(data, folder, CLASSES, split=split)
    return chosen.split, [record.name for record in chosen.part.records], chosen.known


def test_of_data_that_the_run_knows_the_test_part_of_the_run_is_scored(run):
    found = choose(make_data(splits=None), run.folder)
    assert found == ("test", NAMES[7:], True)


def test_of_data_that_the_run_knows_its_splits_count_and_not_the_datas_own(run):
    turned = make_data(splits=["test"] * 4 + ["train"] * 7)
    assert choose(turned, run.folder) == ("test", NAMES[7:], True)


def test_of_data_that_the_run_knows_the_validation_part_is_scored_where_there_is_no_test(
    tmp_path,
):
    without = make_data(splits=["train"] * 4 + ["validation"] * 7)
    run = make_run(tmp_path / "run", without)
    assert choose(without, run.folder) == ("validation", NAMES[4:], True)


def test_images_that_are_new_to_the_run_belong_to_no_split_of_it(tmp_path):
    old = make_data().subset(range(9))
    run = make_run(tmp_path / "run", old)
    assert choose(make_data(splits=None), run.folder) == ("test", NAMES[7:9], True)


def test_of_other_data_its_own_test_part_is_scored(run, bundle):
    for folder in (run.folder, bundle.folder):
        other = other_data(SPLITS)
        assert choose(other, folder) == ("test", NAMES[7:], False)


def test_of_other_data_without_a_test_part_everything_is_scored(run, bundle):
    for splits in (None, ["train"] * 5 + ["validation"] * 6):
        for folder in (run.folder, bundle.folder):
            assert choose(other_data(splits), folder) == ("all", NAMES, False)


def other_data(splits):
    return make_data(seed=1, splits=splits)


@pytest.mark.parametrize("place", ["best", "exports/other"])
def test_a_bundle_inside_a_run_is_scored_on_what_that_run_has_not_seen(
    tmp_path, data, monkeypatch, place
):
    run = make_run(tmp_path / "run", data)
    if place != "best":
        shutil.copytree(run.best, run.folder / place)
    assert run_of(run.folder / place).folder == run.folder
    assert choose(make_data(splits=None), run.folder / place)[0] == "test"
    monkeypatch.chdir(run.folder / place)
    assert run_of(Path()).folder == run.folder


def test_a_bundle_without_a_run_stands_for_itself(bundle):
    assert run_of(bundle.folder).folder == bundle.folder


def test_a_split_that_is_not_there_is_refused(run, data):
    with pytest.raises(DataError, match="no split 'tests'"):
        evaluate(run, data, split="tests")


def test_no_images_at_all_are_refused(run, data):
    with pytest.raises(DataError, match="holds no images"):
        evaluate(run, data.subset([]))


def test_data_of_another_number_of_classes_is_refused(run):
    image = np.zeros((8, 8), np.uint8)
    with pytest.raises(DataError, match="has 2 classes, the network 3"):
        evaluate(run, Dataset.from_arrays([image], [image], classes=("background", "cell")))


def test_masks_with_more_classes_than_the_network_are_refused(run):
    image = np.zeros((8, 8), np.uint8)
    with pytest.raises(DataError, match="there are 3 classes"):
        evaluate(run, Dataset.from_arrays([image], [image + 3]))


def test_an_image_that_does_not_fit_the_network_is_named(tmp_path, data):
    save_bundle(tmp_path / "four", pointwise_model(BOUNDS, channels=4))
    part = data.split("test")
    message = rf"^{part.records[0].name}: The image has 1 channel, the network takes 4\.$"
    with pytest.raises(DataError, match=message):
        evaluate(tmp_path / "four", part)
    with pytest.raises(DataError, match=message) as caught:
        score_part(Predictor.open(tmp_path / "four"), part, boundary=False)
    assert "Join the files" in caught.value.hint


def test_classes_may_have_other_names_in_the_data(tmp_path, data):
    names = ("ground", "plant", "path")
    categories = tuple(Category(name=name, colour=(1, 2, 3)) for name in names)
    bundle = save_bundle(tmp_path / "bundle", pointwise_model(BOUNDS), classes=categories)
    report = evaluate(bundle.folder, data)
    assert [item["name"] for item in report.values["classes"]] == list(names)


def test_the_same_classes_in_another_order_are_refused_and_never_scored_as_each_other(run):
    image = np.zeros((8, 8), np.uint8)
    swapped = (CLASSES[0], CLASSES[2], CLASSES[1])
    with pytest.raises(DataError, match=f"'{CLASSES[2]}' as class 1, the network as class 2"):
        evaluate(run, Dataset.from_arrays([image], [image], classes=swapped))


def test_without_a_bundle_nothing_is_scored(tmp_path, data):
    with pytest.raises(BundleError):
        evaluate(tmp_path, data)


def test_files_without_a_partner_are_refused(tmp_path, run):
    for name in ("images/a.png", "masks/a.png", "images/b.png"):
        write_png(tmp_path / "data" / name, np.zeros((8, 8), np.uint8))
    with pytest.raises(DataError, match=r"b\.png has no mask"):
        evaluate(run, Dataset.open(tmp_path / "data"))


def test_the_report_says_how_images_are_stored_and_normalised(tmp_path, run, data, report):
    values = np.concatenate([sample.image.ravel() for sample in data])
    stored = {"dtype": "uint8", "lowest": values.min(), "highest": values.max()}
    assert report.values["input"] == {"normalise": "none", **stored}
    dim = Dataset.from_arrays(
        [sample.image // 4 for sample in data], [sample.mask for sample in data], classes=CLASSES
    )
    folder = save_bundle(tmp_path / "b", pointwise_model(BOUNDS), normalisation="range").folder
    stretched, plain = evaluate(folder, dim).values, evaluate(run.best, dim).values
    assert stretched["input"]["normalise"] == "range"
    assert stretched["input"]["highest"] == values.max() // 4
    assert stretched["accuracy"] > 0.9 > plain["accuracy"]


def test_the_first_batch_of_the_training_is_in_the_report(tmp_path, data, report):
    run = make_run(tmp_path / "run", data, **{"evaluation.boundary": False})
    write_png(run.batch, np.zeros((3, 4), np.uint8))
    seen = [section for section in evaluate(run, data).sections if "network sees" in section.title]
    assert [picture.png for picture in seen[0].pictures] == [run.batch.read_bytes()]
    before = [section for section in report.sections if "network sees" in section.title]
    assert before[0].pictures == ()
