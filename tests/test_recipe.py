import itertools
import tomllib
from typing import get_args

import pytest
from pydantic import ValidationError

from delineate.errors import RecipeError
from delineate.recipe import Recipe, Section, from_values, names
from delineate.recipe_text import parse_settings, write_recipe


def as_file(folder, text):
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def read_back(folder, recipe, **options):
    return Recipe.load(as_file(folder, write_recipe(recipe, **options)))


def settings():
    return [
        (name, key, field)
        for name, section in Recipe()
        for key, field in type(section).model_fields.items()
    ]


@pytest.mark.parametrize("name", names())
def test_every_shipped_recipe_loads_and_is_written_and_read_back(name, tmp_path):
    recipe = Recipe.load(name)
    assert read_back(tmp_path, recipe) == recipe
    assert recipe != Recipe()


def test_there_are_shipped_recipes_and_their_names_are_sorted():
    assert {"demo", "unet", "unet-dice", "unet-nuclei"} <= set(names())
    assert names() == sorted(names())


def test_every_setting_has_a_description_and_its_default_is_written(tmp_path):
    written = tomllib.loads(write_recipe(Recipe()))
    for section, key, field in settings():
        assert field.description, f"{section}.{key}"
        assert (key in written[section]) == (getattr(getattr(Recipe(), section), key) is not None)
    assert read_back(tmp_path, Recipe()) == Recipe()


OPTIONAL = [(s, k) for s, k, field in settings() if type(None) in get_args(field.annotation)]


@pytest.mark.parametrize(("section", "key"), OPTIONAL)
def test_a_setting_that_is_unset_is_read_back_as_unset(section, key, tmp_path):
    recipe = Recipe().override({f"{section}.{key}": None})
    assert getattr(getattr(read_back(tmp_path, recipe), section), key) is None
    assert read_back(tmp_path, recipe) == recipe


def test_early_stopping_is_switched_off_by_the_word_none(tmp_path):
    path = as_file(tmp_path, '[callbacks]\nearly_stopping = "none"\n')
    assert Recipe().callbacks.early_stopping == "val_loss"
    assert Recipe.load(path).callbacks.early_stopping is None


def test_none_is_a_normalisation_of_the_model_and_of_the_images(tmp_path):
    recipe = Recipe().override({"model.normalisation": "none", "data.normalise": "none"})
    assert read_back(tmp_path, recipe).model.normalisation == "none"
    assert read_back(tmp_path, recipe).data.normalise == "none"


@pytest.mark.parametrize(
    "changes",
    [
        {"loss.terms": {"my.losses:Focal": 2.0, "dice_per_class": 0.5}},
        {"loss.terms": {'quo"ted': 1.0}},
        {"model.activation": 'a "quoted" \\ word\twith é, \n and \x7f'},
        {"training.learning_rate": 1e-7, "callbacks.reduce_floor": 0.0},
        {"model.dropout": (0.1, 0.25), "training.metrics": ()},
        {"data.size": (128, 64), "runtime.seed": 2**32 - 1},
        {"callbacks.minimum_gain": float("inf")},
    ],
    ids=",".join,
)
def test_any_value_is_written_and_read_back(changes, tmp_path):
    recipe = Recipe().override(changes)
    assert recipe != Recipe()
    assert read_back(tmp_path, recipe) == recipe


def test_a_setting_bears_its_description_or_the_reason_that_is_given(tmp_path):
    reasons = {"training.epochs": "enough for\n500 images\nepochs = 7"}
    text = write_recipe(Recipe(), reasons=reasons)
    section = text.partition("[training]")[2].partition("[callbacks]")[0]
    lines = {line.split(" = ")[0]: line for line in section.splitlines()}
    assert lines["epochs"].endswith("# enough for 500 images epochs = 7")
    assert lines["batch_size"].endswith("# samples per step")
    assert read_back(tmp_path, Recipe(), reasons=reasons) == Recipe()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[training]\nepoch = 3", "unknown setting 'training.epoch'. Did you mean 'epochs'?"),
        ("[trainings]\nepochs = 3", "unknown section 'trainings'. Did you mean 'training'?"),
        ("zzzz = 3", "unknown section 'zzzz'."),
        ("[training]\nqqqq = 3", "unknown setting 'training.qqqq'."),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_one(text, message, tmp_path):
    path = as_file(tmp_path, text)
    with pytest.raises(RecipeError) as caught:
        Recipe.load(path)
    assert caught.value.message == f"{path}: {message}"
    assert caught.value.hint.startswith("Use one of: ")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[training]\nepochs = 0", "training.epochs = 0 is not allowed"),
        ("[training]\nepochs = 2.5", "training.epochs = 2.5 is not allowed"),
        ("[training]\nlearning_rate = -1", "training.learning_rate = -1 is not allowed"),
        ("[training]\nlearning_rate = nan", "training.learning_rate = nan is not allowed"),
        ("[data]\nsize = [64]", "data.size.1 = "),
        ("[data]\nsize = [4, 64]", "data.size.0 = 4 is not allowed"),
        ("[data]\nvalidation = 1.5", "data.validation = 1.5 is not allowed"),
        ('[data]\nfit = "stretch"', "data.fit = 'stretch' is not allowed"),
        ('[data]\nfit = "none"', "data.fit = 'none' is not allowed"),
        ('[data]\nnormalise = "zscore"', "data.normalise = 'zscore' is not allowed"),
        ("[model]\nkernel_size = 4", "model.kernel_size = 4 is not allowed"),
        ("[model]\ndropout = [1.0]", "model.dropout.0 = 1.0 is not allowed"),
        ("[loss]\nterms = { dice_per_class = 0 }", "loss.terms.dice_per_class = 0 is not allowed"),
        ("[runtime]\nseed = 4294967296", "runtime.seed = 4294967296 is not allowed"),
        ("data = 5", "data = 5 is not allowed"),
    ],
)
def test_a_bad_value_is_refused_with_its_key_and_the_value(text, told, tmp_path):
    with pytest.raises(RecipeError) as caught:
        Recipe.load(as_file(tmp_path, text))
    assert told in caught.value.message
    assert caught.value.hint


def test_a_size_that_the_network_cannot_halve_is_refused(tmp_path):
    with pytest.raises(RecipeError, match=r"\[100, 96\] does not divide by the model's stride 16"):
        Recipe.load(as_file(tmp_path, "[data]\nsize = [100, 96]"))
    shallow = Recipe.load(as_file(tmp_path, "[data]\nsize = [100, 96]\n[model]\ndepth = 2"))
    assert shallow.data.size == (100, 96)


def test_a_file_that_is_no_toml_is_refused_with_its_line(tmp_path):
    with pytest.raises(RecipeError, match=r"not valid TOML.*line 2"):
        Recipe.load(as_file(tmp_path, "[data]\nsize = = 3\n"))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    for name in ("missing.toml", "binary.toml"):
        with pytest.raises(RecipeError, match=name):
            Recipe.load(tmp_path / name)


def test_an_unknown_recipe_is_refused_with_the_nearest_one():
    with pytest.raises(RecipeError, match=r"no recipe 'unet-nucle'\. Did you mean 'unet-nuclei'\?"):
        Recipe.load("unet-nucle")


def test_settings_are_overridden_and_nothing_else_changes():
    recipe = Recipe().override({"training.epochs": 3, "data.size": [64, 64]})
    assert recipe.training.epochs == 3
    assert recipe.data.size == (64, 64)
    assert recipe.override({"training.epochs": 30, "data.size": (256, 256)}) == Recipe()


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("epochs", "'epochs' names no setting of a section"),
        ("training.", "names no setting of a section"),
        ("trainin.epochs", "unknown section 'trainin'. Did you mean 'training'?"),
        ("training.epoch", "unknown setting 'training.epoch'. Did you mean 'epochs'?"),
        ("training.epochs", "training.epochs = 'many' is not allowed"),
    ],
)
def test_a_wrong_override_is_refused(key, message):
    with pytest.raises(RecipeError) as caught:
        Recipe().override({key: "many"})
    assert message in caught.value.message


def test_settings_are_read_as_toml_or_else_as_text():
    read = parse_settings(
        ["a.b=5", "a.c = [1, 2]", "a.d=text with = in it", 'a.e="5"', "a.f=true", "a.g="]
    )
    assert read == {
        "a.b": 5,
        "a.c": [1, 2],
        "a.d": "text with = in it",
        "a.e": "5",
        "a.f": True,
        "a.g": "",
    }


def test_a_setting_without_a_value_is_refused():
    with pytest.raises(RecipeError, match=r"'training\.epochs' has no '='"):
        parse_settings(["training.epochs"])


def test_a_recipe_cannot_be_changed():
    recipe = Recipe()
    with pytest.raises(ValidationError, match="frozen"):
        recipe.training.epochs = 3


def test_the_origin_of_bad_values_is_named():
    with pytest.raises(RecipeError, match=r"^the card: unknown section 'x'"):
        from_values({"x": {}}, "the card")


def test_every_key_is_named_once_in_its_section():
    for (_, first), (_, second) in itertools.combinations(Recipe(), 2):
        assert type(first) is not type(second)
    assert all(isinstance(section, Section) for _, section in Recipe())
