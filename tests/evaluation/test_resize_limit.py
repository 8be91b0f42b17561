"""What resizing alone costs, against slow loops over areas and distances."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, jaccard_score

from delineate.data.dataset import Dataset
from delineate.evaluation.evaluate import evaluate
from delineate.evaluation.resize_limit import limit_table, resize_limit, there_and_back
from tests.bundles import pointwise_model, save_bundle
from tests.evaluation.conftest import BOUNDS, CLASSES, make_data


def blots(size, *, classes=3, seed=0, ignored=True):
    """A mask of rectangles, some of them ignored."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(size, np.uint8)
    labels = [*range(1, classes), 255] if ignored else range(1, classes)
    for label in [*labels] * 4:
        row, column = rng.integers(0, size[0] - 3), rng.integers(0, size[1] - 3)
        mask[row : row + rng.integers(2, 9), column : column + rng.integers(2, 9)] = label
    return mask


def weights(new, old):
    """How much of each old pixel a new one is made of, along one axis, (new, old)."""
    found = np.zeros((new, old))
    for number in range(new):
        if new <= old:  # shared length
            low, high = number * old / new, (number + 1) * old / new
            for place in range(old):
                found[number, place] = max(0, min(high, place + 1) - max(low, place)) * new / old
        else:  # distance between centres
            centre = (number + 0.5) * old / new - 0.5
            for place in (int(np.floor(centre)), int(np.floor(centre)) + 1):
                found[number, min(max(place, 0), old - 1)] += 1 - abs(centre - place)
    return found


def shares(mask, labels, size):
    rows, columns = weights(size[0], mask.shape[0]), weights(size[1], mask.shape[1])
    return np.stack([rows @ (mask == label) @ columns.T for label in labels])


def slowly(mask, size, classes):
    """The mask of a perfect network, and where two classes are equally likely in it."""
    labels = [*range(classes), 255]
    small = np.zeros(size, int)
    there = shares(mask, labels, size)
    for row, column in np.ndindex(size):
        best = there[:, row, column].max()
        small[row, column] = next(
            label
            for label, share in zip(labels, there[:, row, column], strict=True)
            if share > best - 1e-5
        )
    back = shares(small, range(classes), mask.shape)
    highest = np.sort(back, axis=0)
    equal = (highest[-1] - highest[-2] < 1e-4) & (highest[-1] > 0)
    return back.argmax(axis=0), equal


SIZES = [((40, 54), (17, 23)), ((40, 54), (16, 24)), ((12, 50), (16, 24)), ((10, 11), (24, 32))]


@pytest.mark.parametrize(("full", "small"), SIZES)
@pytest.mark.parametrize("classes", [2, 3])
def test_a_mask_comes_back_as_a_slow_loop_brings_it_back(full, small, classes):
    mask = blots(full, classes=classes)
    expected, equal = slowly(mask, small, classes)
    found = there_and_back(mask, small, classes=classes)
    assert found.dtype == np.uint8
    assert equal.mean() < 0.1
    np.testing.assert_array_equal(found[~equal], expected[~equal])


def test_at_the_masks_own_size_nothing_is_lost():
    mask = blots((40, 54), ignored=False)
    np.testing.assert_array_equal(there_and_back(mask, (40, 54), classes=3), mask)


def test_what_is_smaller_than_a_pixel_of_the_network_is_lost():
    mask = np.zeros((64, 64), np.uint8)
    mask[10:12, 10:12] = 1
    mask[32:60, 32:60] = 2
    found = there_and_back(mask, (16, 16), classes=3)
    assert set(np.unique(found)) == {0, 2}


def test_a_mask_that_is_ignored_throughout_costs_nothing():
    mask = np.full((9, 9), 255, np.uint8)
    assert limit_table(mask, (4, 4), classes=2).sum() == 0


def test_an_image_without_foreground_has_no_limit():
    tables = [limit_table(np.zeros((8, 8), np.uint8), (4, 4), classes=2)]
    found = resize_limit(tables, ("ground", "cell"))
    assert (found["dice_per_image"], found["iou_per_image"], found["mean_iou"]) == (None, None, 1)
    assert found["classes"][1]["iou"] is None


@pytest.fixture(scope="module")
def values(tmp_path_factory):
    """The scores of a network that sees each image at 8 × 12 pixels."""
    folder = tmp_path_factory.mktemp("bundles") / "small"
    bundle = save_bundle(folder, pointwise_model(BOUNDS), fit="resize", size=(8, 12))
    return evaluate(bundle.folder, make_data()).values


def per_image(score, pairs):
    values = []
    for truth, found in pairs:
        present = sorted(({*truth} | {*found}) - {0})
        if present:
            given = {"labels": present, "average": "macro", "zero_division": 0}
            values.append(score(truth, found, **given))
    return np.mean(values)


def test_the_limit_of_a_network_that_resizes_is_that_of_scikit_learn(values):
    pairs = []
    for sample in make_data().split("test"):
        known = sample.mask != 255
        pairs.append((sample.mask[known], there_and_back(sample.mask, (8, 12), classes=3)[known]))
    truth, found = (np.concatenate(part) for part in zip(*pairs, strict=True))
    iou = jaccard_score(truth, found, labels=range(3), average=None)
    dice = f1_score(truth, found, labels=range(3), average=None)
    limit = values["resize_limit"]
    assert limit["mean_iou"] == pytest.approx(iou.mean())
    assert limit["dice_per_image"] == pytest.approx(per_image(f1_score, pairs))
    assert limit["iou_per_image"] == pytest.approx(per_image(jaccard_score, pairs))
    assert [item["name"] for item in limit["classes"]] == list(CLASSES)
    assert [item["dice"] for item in limit["classes"]] == pytest.approx(dice)
    assert values["dice_per_image"] < limit["dice_per_image"] < 1


def test_a_network_that_sees_native_resolution_has_no_limit(tmp_path):
    bundle = save_bundle(tmp_path / "bundle", pointwise_model(BOUNDS))
    image = np.zeros((8, 8), np.uint8)
    found = evaluate(bundle.folder, Dataset.from_arrays([image], [image], classes=CLASSES))
    assert "resize_limit" not in found.values
