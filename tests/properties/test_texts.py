"""Recipes, settings and descriptions as text, and back."""

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate.data.describing.description import Description, colour_value, parse_description
from delineate.data.describing.text import describe
from delineate.recipe import Recipe, from_values
from delineate.recipe_text import minutes_of, parse_settings, write_recipe
from tests.properties.strategies import colours, shares

words = st.text(max_size=8)
# In a recipe this word unsets a setting that may be unset.
some_words = words.filter(lambda text: text != "none")
full_words = st.text(min_size=1, max_size=8)
sides = st.integers(1, 8).map(lambda number: 32 * number)
filters = st.lists(st.integers(1, 8192), max_size=3).map(tuple)
amounts = st.floats(0, 1e9, exclude_min=True)

# Of each kind of setting some, with values that are allowed.
SETTINGS = {
    "data.size": st.tuples(sides, sides),
    "data.fit": st.sampled_from(["crop", "resize"]),
    "data.oversample": shares,
    "data.channels": st.none() | st.integers(1, 64),
    "data.cache": st.booleans(),
    "augment.flip": st.sampled_from([True, False, "left_right", "up_down"]),
    "augment.rotation": st.floats(0, 180),
    "model.depth": st.none() | st.integers(1, 5),
    "model.weights": st.none() | some_words,
    "model.freeze": st.sampled_from(["none", "all", 2, 4, 8, 16, 32]),
    "model.activation": words,
    "model.decoder_filters": filters,
    "model.dropout": st.lists(st.floats(0, 1, exclude_max=True), max_size=4).map(tuple),
    "model.normalisation": st.sampled_from(["none", "batch", "group"]),
    "model.input_scale": st.none() | amounts,
    "loss.terms": st.dictionaries(words, amounts, max_size=3),
    "loss.class_weights": st.sampled_from(["none", "inverse"]) | st.tuples(amounts, amounts),
    "training.epochs": st.integers(1, 100_000),
    "training.learning_rate": st.floats(0, 10, exclude_min=True),
    "training.metrics": st.lists(words, max_size=3).map(tuple),
    "training.budget": st.none() | amounts,
    "callbacks.early_stopping": st.none() | some_words,
    "callbacks.minimum_gain": st.floats(0, allow_nan=False),
    "post.scales": st.lists(st.floats(0.2, 4), max_size=3).map(tuple),
    "post.objects_by": st.none() | st.sampled_from(["connected", "boundary"]),
    "runtime.seed": st.integers(0, 2**32 - 1),
    "runtime.compiled": st.none() | st.booleans(),
}
changes = st.fixed_dictionaries({}, optional=SETTINGS)
keys = st.sampled_from(sorted(SETTINGS))


@given(changes)
def test_a_recipe_is_read_as_it_was_written(changed):
    recipe = Recipe().override(changed)
    assert from_values(tomllib.loads(write_recipe(recipe)), "the text") == recipe


@given(changes, changes)
def test_an_override_is_undone_by_the_values_of_before(first, second):
    recipe = Recipe().override(first)
    before = {}
    for key in second:
        section, _, name = key.partition(".")
        before[key] = getattr(getattr(recipe, section), name)
    assert recipe.override(second).override(before) == recipe


@given(changes, changes)
def test_overrides_one_after_the_other_are_one_override_of_both(first, second):
    assert Recipe().override(first).override(second) == Recipe().override({**first, **second})


@given(
    keys,
    st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=8)
    | st.lists(st.integers(-9, 9), max_size=4),
)
def test_a_setting_written_as_toml_is_its_value(key, value):
    # What JSON writes of these, TOML reads.
    found = parse_settings([f"{key} = {json.dumps(value, ensure_ascii=False)}"])
    assert found == {key: value}
    assert type(found[key]) is type(value)


@given(keys, st.text("bcdgkxyz/=._-", max_size=12))
def test_a_setting_that_is_no_toml_is_its_text(key, text):
    assert parse_settings([f"{key}={text}"]) == {key: text}


@given(st.integers(0, 99), st.integers(0, 99), st.integers(1, 99))
def test_a_time_is_the_sum_of_its_hours_minutes_and_seconds(hours, minutes, seconds):
    assert minutes_of(f"{hours}h{minutes}m{seconds}s") == pytest.approx(
        60 * hours + minutes + seconds / 60
    )
    assert minutes_of(f"{minutes}m{seconds}s") == pytest.approx(minutes + seconds / 60)
    assert minutes_of(f"{seconds}") == minutes_of(f"{seconds}m") == seconds


@st.composite
def descriptions(draw):
    """What a dataset.toml can say."""
    names = draw(st.none() | st.lists(words, min_size=2, max_size=5, unique=True))
    count = len(names) if names else 3
    shown = st.lists(colours, min_size=count, max_size=count, unique=True)
    values = st.integers(0, 65535) | colours.map(colour_value)
    measured = draw(st.none() | st.tuples(amounts, amounts))
    channels = draw(st.lists(full_words, max_size=3, unique=True))
    return Description(
        layout=draw(st.none() | full_words),
        names=tuple(names) if names else None,
        colours=draw(st.none() | shown.map(tuple)),
        encoding=draw(st.sampled_from([None, "ids", "binary", "colours", "one-hot", "objects"])),
        values=draw(st.dictionaries(values, words | st.integers(0, 254), max_size=4)),
        ignore=tuple(draw(st.lists(values, max_size=4))),
        images=draw(st.sampled_from([None, "{split}/images/*.tif", "a b/{stem}{channel}.png"])),
        masks=draw(st.sampled_from([None, "masks/{stem}_{class}.png"])),
        channels=tuple(channels) if len(channels) > 1 else (),
        group_pattern=draw(st.sampled_from([None, r"^(\d+)_", "'(.)\""])),
        groups=draw(st.dictionaries(words, words, max_size=3)),
        pixel_size=measured,
        unit=draw(full_words) if measured else None,
    )


@given(descriptions())
def test_a_description_is_read_as_it_was_written(description):
    assert parse_description(describe(description)) == description
