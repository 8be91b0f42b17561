import pickle

import pytest

from delineate import errors
from delineate.errors import DelineateError, UsageError, near_miss, refused_value

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, DelineateError)
]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_its_sentence_and_has_a_hint_and_an_exit_code(kind):
    error = kind("The file x is no picture.", hint="Give a picture.")
    assert str(error) == error.message == "The file x is no picture."
    assert error.hint == "Give a picture."
    assert error.exit_code == (2 if issubclass(kind, UsageError) else 1)


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_that_crosses_a_process_border_keeps_its_kind_and_hint(kind):
    error = pickle.loads(pickle.dumps(kind("What happened.", hint="Do this.")))  # noqa: S301
    assert type(error) is kind
    assert (error.message, error.hint) == ("What happened.", "Do this.")


def test_the_hint_must_be_given():
    with pytest.raises(TypeError):
        DelineateError("What happened.")


def test_the_nearest_name_is_suggested_and_a_far_one_is_not():
    assert near_miss("train", ["training", "data"]) == " Did you mean 'training'?"
    assert near_miss("xyz", ("training", "data")) == ""
    assert near_miss("xyz", ()) == ""
    assert near_miss("", ("training", "data")) == ""


def test_what_a_longer_name_begins_with_is_a_near_miss():
    names = ["dice_over_batch", "dice_per_class", "dice_per_image"]
    assert near_miss("dice", names) == " Did you mean 'dice_per_class'?"


def test_a_refused_value_is_repeated_up_to_a_length():
    details = {"type": "too_long", "input": ["name"] * 1000, "msg": "", "ctx": {"max_length": 255}}
    said = refused_value("classes.names", details)
    assert said.endswith("... is not allowed: it should have at most 255 items, not 1000")
    assert len(said) < 200


def test_a_refused_value_is_told_with_its_reason():
    details = {"type": "value_error", "input": 3, "msg": "Value error, It is odd"}
    assert refused_value("a.b", details) == "a.b = 3 is not allowed: it is odd"
    details = {"type": "too_short", "input": [], "msg": "", "ctx": {"min_length": 2}}
    assert refused_value("a", details).endswith(
        "[] is not allowed: it should have at least 2 items, not 0"
    )
