"""Settings that make no sense together are refused before anything is read."""

import keras
import pytest

from delineate.errors import RecipeError
from delineate.recipe import Recipe
from delineate.training.refusing import refuse_settings


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"refiner.use": "after", "training.budget": 5.0}, "training.budget = 5.0"),
        ({"refiner.use": "together", "model.objects": "both"}, "model.objects = both"),
        ({"refiner.use": "after", "training.folds": 3}, "training.folds = 3"),
        ({"data.oversample": 0.5, "data.fit": "resize"}, "data.oversample = 0.5"),
        ({"post.objects_by": "distance"}, "post.objects_by = distance needs the distance"),
        (
            {"post.objects_by": "both", "model.objects": "distance"},
            "post.objects_by = both needs the boundary",
        ),
    ],
)
def test_a_pair_of_settings_is_refused_with_both_named(settings, named):
    with pytest.raises(RecipeError, match=named) as caught:
        refuse_settings(Recipe().override(settings))
    assert caught.value.hint


def test_tensorflow_compiles_only_without_determinism():
    asked = Recipe().override({"runtime.compiled": True})
    refuse_settings(asked.override({"runtime.deterministic": False}))
    if keras.backend.backend() == "tensorflow":
        with pytest.raises(RecipeError, match=r"runtime\.deterministic = true"):
            refuse_settings(asked)
    else:
        refuse_settings(asked)


@pytest.mark.parametrize(
    "settings",
    [
        {"post.objects_by": "connected"},
        {"post.objects_by": "distance", "model.objects": "both"},
        {"data.oversample": 0.5},
        {"training.folds": 3, "training.budget": 5.0},
    ],
)
def test_what_goes_together_is_taken(settings):
    refuse_settings(Recipe().override(settings))
