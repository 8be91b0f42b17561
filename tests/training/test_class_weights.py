"""Class weights: as given, or from how many pixels the classes have, counted here once more."""

import logging

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from delineate.data.dataset import Dataset
from delineate.data.shares import pixels_of_classes
from delineate.errors import DataError, RecipeError
from delineate.losses import IGNORE
from delineate.recipe import Recipe
from delineate.training.class_weights import class_weights
from delineate.training.loss import make_loss

CLASSES = ("background", "cell", "wall", "void")
FOUND = ("inverse", "root_inverse", "median_frequency")


@pytest.fixture
def masks():
    """Masks of three sizes: the third class is rare and in one image only, the fourth nowhere."""
    rng = np.random.default_rng(2)
    sizes = ((8, 9), (12, 7), (10, 10))
    found = [rng.choice([0, 1, IGNORE], size, p=[0.7, 0.2, 0.1]) for size in sizes]
    found[1][2, 2:6] = 2
    return [mask.astype(np.uint8) for mask in found]


def dataset_of(masks, splits=None, classes=CLASSES):
    images = [np.zeros((*mask.shape, 1), np.uint8) for mask in masks]
    return Dataset.from_arrays(images, masks, classes=classes, splits=splits)


def test_the_pixels_of_each_class_are_counted_in_each_image(masks):
    found = pixels_of_classes(dataset_of(masks))
    expected = [[(mask == number).sum() for number in range(4)] for mask in masks]
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.int64


def test_inverse_weights_are_the_balanced_ones_of_scikit_learn(masks):
    pixels = np.concatenate([mask.ravel() for mask in masks])
    pixels = pixels[pixels != IGNORE]
    balanced = compute_class_weight("balanced", classes=np.arange(3), y=pixels)
    found = class_weights("inverse", dataset_of(masks))
    assert found == pytest.approx([*balanced / balanced.mean(), 0])


def test_root_inverse_weights_are_the_square_roots_of_those(masks):
    roots = np.sqrt(class_weights("inverse", dataset_of(masks))[:3])
    found = class_weights("root_inverse", dataset_of(masks))
    assert found == pytest.approx([*roots / roots.mean(), 0])


def test_median_frequency_weights_look_only_at_images_that_have_the_class(masks):
    frequencies = []
    for number in range(3):
        having = [mask[mask != IGNORE] for mask in masks if (mask == number).any()]
        having = np.concatenate(having)
        frequencies.append((having == number).mean())
    weights = np.median(frequencies) / np.array(frequencies)
    found = class_weights("median_frequency", dataset_of(masks))
    assert found == pytest.approx([*weights / weights.mean(), 0])


@pytest.mark.parametrize("chosen", FOUND)
def test_found_weights_have_the_mean_1_over_the_classes_that_are_there(masks, chosen):
    found = class_weights(chosen, dataset_of(masks))
    assert np.mean(found[:3]) == pytest.approx(1)
    assert found[2] > found[1] > found[0]


@pytest.mark.parametrize("chosen", FOUND)
def test_a_class_that_is_not_there_has_the_weight_0_and_is_named(masks, chosen, caplog):
    with caplog.at_level(logging.WARNING):
        found = class_weights(chosen, dataset_of(masks))
    assert found[3] == 0
    assert "no training mask holds 'void'" in caplog.text


def test_nothing_is_told_where_all_classes_are_there(masks, caplog):
    assert all(class_weights("inverse", dataset_of(masks, classes=CLASSES[:3])))
    assert not caplog.records


def test_only_the_part_that_is_given_is_counted(masks):
    splits = ["train", "test", "validation"]
    found = class_weights("inverse", dataset_of(masks, splits).split("train"))
    alone = class_weights("inverse", dataset_of(masks[:1]))
    assert found == alone
    assert found[2] == 0


def test_given_weights_stay_as_they_are(masks):
    assert class_weights((4.0, 2.0, 0.0, 1.0), dataset_of(masks)) == (4.0, 2.0, 0.0, 1.0)
    assert class_weights("none", dataset_of(masks)) is None


def test_given_weights_that_are_not_as_many_as_the_classes_are_refused(masks):
    with pytest.raises(RecipeError, match="has 2 numbers, and there are 4 classes") as caught:
        class_weights((1.0, 2.0), dataset_of(masks))
    assert caught.value.hint == "Give 4 weights, that of the background first."


@pytest.mark.parametrize("chosen", FOUND)
def test_masks_without_any_foreground_are_refused(chosen):
    dataset = dataset_of([np.zeros((4, 4), np.uint8)])
    with pytest.raises(DataError, match="anything but background"):
        class_weights(chosen, dataset)


def test_the_loss_has_the_recipes_terms_options_and_the_weights_of_the_data(masks):
    settings = {
        "loss.terms": {"focal": 0.5, "lovasz": 1.0},
        "loss.class_weights": "root_inverse",
        "loss.focal_gamma": 1.5,
    }
    dataset = dataset_of(masks)
    loss = make_loss(Recipe().override(settings).loss, dataset, output="sigmoid")
    assert [(term.__name__, weight) for term, weight in loss.terms] == [
        ("focal", 0.5),
        ("lovasz", 1),
    ]
    assert (loss.output, loss.outputs) == ("sigmoid", 1)
    assert loss.options.focal_gamma == 1.5
    assert loss.options.class_weights == class_weights("root_inverse", dataset)


def test_class_weights_of_a_recipe_that_are_all_0_are_refused(masks):
    settings = Recipe().override({"loss.class_weights": [0.0] * 4}).loss
    with pytest.raises(RecipeError, match="leaves no foreground class"):
        make_loss(settings, dataset_of(masks), output="softmax")
