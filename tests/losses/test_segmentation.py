"""The weighted sum of losses: what it adds, what it is told, and what it refuses."""

import numpy as np
import pytest
from keras import ops

from delineate.errors import RecipeError, UsageError
from delineate.losses import IGNORE, LossOptions, SegmentationLoss
from delineate.recipe import Recipe
from tests.losses.cases import gradient_of, make_case


def value(terms, truth, logits, output, **others):
    return float(SegmentationLoss(terms, output=output, **others)(truth, logits))


def test_several_losses_are_added_by_their_weights():
    truth, logits = make_case("random", 1)
    names = ("binary_crossentropy", "dice_per_class")
    both = value(dict(zip(names, (0.25, 3.0), strict=True)), truth, logits, "sigmoid")
    single = [value({name: 1.0}, truth, logits, "sigmoid") for name in names]
    assert both == pytest.approx(0.25 * single[0] + 3 * single[1])


@pytest.mark.parametrize(
    ("name", "output", "channels"),
    [
        ("binary_crossentropy", "sigmoid", 1),
        ("binary_crossentropy", "sigmoid", 3),
        ("categorical_crossentropy", "softmax", 3),
        ("sparse_categorical_crossentropy", "softmax", 3),
        ("dice_per_class", "softmax", 3),
        ("dice_per_class", "sigmoid", 1),
        ("dice_per_image", "softmax", 3),
        ("focal", "softmax", 3),
        ("focal", "sigmoid", 1),
        ("tversky", "sigmoid", 3),
        ("lovasz", "softmax", 3),
    ],
)
def test_ignored_pixels_have_no_gradient_and_all_others_have_one(name, output, channels):
    truth, logits = make_case("random", channels)
    found = gradient_of(SegmentationLoss({name: 1.0}, output=output), truth, logits)
    ignored = truth == IGNORE
    assert ignored.any()
    assert (found[ignored] == 0).all()
    assert (np.abs(found[~ignored]).sum(axis=-1) > 0).all()


def test_what_is_predicted_at_ignored_pixels_changes_nothing():
    truth, logits = make_case("random", 3)
    others = np.where((truth == IGNORE)[..., np.newaxis], logits + np.array([0, 5, -5]), logits)
    names = "sparse_categorical_crossentropy", "dice_per_image", "lovasz", "boundary", "focal"
    terms = dict.fromkeys(names, 1.0)
    assert value(terms, truth, logits, "softmax") == value(terms, truth, others, "softmax")


def test_another_ignore_value_may_be_chosen():
    truth, logits = make_case("random", 3)
    moved = np.where(truth == IGNORE, 9, truth)
    terms = {"sparse_categorical_crossentropy": 1.0, "boundary": 1.0, "lovasz": 1.0}
    expected = value(terms, truth, logits, "softmax")
    assert value(terms, moved, logits, "softmax", ignore=9) == pytest.approx(expected)


@pytest.mark.parametrize(("output", "channels"), [("sigmoid", 1), ("softmax", 3)])
def test_of_several_outputs_the_loss_is_the_mean(output, channels):
    truth, logits = make_case("random", channels)
    groups = [logits, logits * 0.5, -logits]
    terms = {"focal": 0.5, "dice_per_class": 1.0}
    options = LossOptions(class_weights=(0.5, 2.0, 1.0)[: max(channels, 2)])
    joined = np.concatenate(groups, axis=-1)
    found = value(terms, truth, joined, output, options=options, outputs=3)
    single = [value(terms, truth, group, output, options=options) for group in groups]
    assert found == pytest.approx(np.mean(single), rel=1e-5)


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("binary_crossentropy", "softmax"),
        ("categorical_crossentropy", "sigmoid"),
        ("sparse_categorical_crossentropy", "sigmoid"),
    ],
)
def test_a_loss_that_does_not_go_with_the_output_is_refused(name, output):
    with pytest.raises(RecipeError, match=f"'{name}' does not go with model.output = {output}"):
        SegmentationLoss({name: 1.0, "dice_per_class": 1.0}, output=output)


def test_no_loss_at_all_is_refused():
    with pytest.raises(RecipeError, match="names no loss"):
        SegmentationLoss({}, output="softmax")


def test_an_unknown_loss_is_refused_with_its_near_miss():
    with pytest.raises(UsageError, match="Did you mean 'dice_per_class'"):
        SegmentationLoss({"dice": 1.0}, output="softmax")


@pytest.mark.parametrize("name", ["tversky", "focal_tversky"])
def test_a_tversky_loss_that_is_always_0_is_refused(name):
    options = LossOptions(tversky_false_positives=0.0, tversky_false_negatives=0.0)
    with pytest.raises(RecipeError, match=f"'{name}' is always 0"):
        SegmentationLoss({name: 1.0}, output="softmax", options=options)
    SegmentationLoss({"dice_per_class": 1.0}, output="softmax", options=options)


@pytest.mark.parametrize(("output", "channels", "classes"), [("sigmoid", 1, 2), ("softmax", 3, 3)])
def test_class_weights_that_are_not_as_many_as_the_classes_are_refused(output, channels, classes):
    truth, logits = make_case("random", channels)
    options = LossOptions(class_weights=(1.0,) * 4)
    with pytest.raises(RecipeError, match=f"has 4 numbers, and there are {classes} classes"):
        value({"dice_per_class": 1.0}, truth, logits, output, options=options)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ((0.0, 0.0), "leaves no foreground class"),
        ((1.0, 0.0, 0.0), "leaves no foreground class"),
        ((1.0, -1.0), "holds -1.0"),
        ((1.0, float("inf")), "holds inf"),
        ((1.0, float("nan")), "holds nan"),
    ],
)
def test_class_weights_with_which_nothing_can_be_learnt_are_refused(weights, message):
    with pytest.raises(RecipeError, match=message) as caught:
        LossOptions(class_weights=weights)
    assert caught.value.hint


def test_the_options_have_the_recipes_values_and_defaults():
    assert LossOptions.of(Recipe().loss) == LossOptions()
    settings = {
        "loss.label_smoothing": 0.1,
        "loss.focal_gamma": 1.5,
        "loss.tversky_false_positives": 0.2,
        "loss.tversky_false_negatives": 0.8,
        "loss.focal_tversky_exponent": 1.25,
    }
    found = LossOptions.of(Recipe().override(settings).loss, (1.0, 3.0))
    assert found == LossOptions((1.0, 3.0), 0.1, 1.5, 0.2, 0.8, 1.25)


def constant(truth, logits, *, output, ignore, options):
    return ops.cast(ignore + options.focal_gamma, "float32") + ops.mean(logits) * 0


def test_a_loss_of_the_users_own_is_found_by_its_module_and_name():
    terms = {f"{__name__}:constant": 2.0}
    options = LossOptions(focal_gamma=3.0)
    found = value(terms, np.zeros((1, 2, 2)), np.zeros((1, 2, 2, 2)), "softmax", options=options)
    assert found == 2 * (IGNORE + 3)
