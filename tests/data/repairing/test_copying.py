import pytest

from delineate.data.records import Record
from delineate.data.repairing.copying import place_records, safe_name


def records(*names, split=None):
    return [Record(name, (), (), split=split) for name in names]


def test_no_two_names_are_the_same_even_where_case_does_not_count():
    places = place_records(records("a/b", "a_b", "A_B", "a_b_2"))
    assert len({place.casefold() for place in places.values()}) == 4
    assert places["a/b"] == "a_b"


def test_the_same_name_may_be_in_two_splits():
    found = [*records("train/1", split="train"), *records("test/1", split="test")]
    assert place_records(found) == {"train/1": "train/1", "test/1": "test/1"}


def test_a_record_without_split_beside_others_with_one_has_no_place():
    found = [*records("train/1", split="train"), *records("2")]
    assert list(place_records(found)) == ["train/1"]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "etc_passwd"),
        ("/absolute", "absolute"),
        (".hidden", "hidden"),
        ("a:b?c*d", "a_b_c_d"),
        ("back\\slash", "back_slash"),
        ("line\nbreak", "line_break"),
        ("..", "image"),
        ("end. ", "end"),
        ("ünï 图", "ünï 图"),
    ],
)
def test_a_name_is_safe_on_every_file_system(name, safe):
    assert safe_name(name) == safe


def test_long_names_keep_their_end():
    assert safe_name("x" * 300 + "_0001").endswith("_0001")
    assert len(safe_name("x" * 300)) == 120
