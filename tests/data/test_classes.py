import numpy as np
import pytest

from delineate.data.classes import recognise
from delineate.data.records import Facts
from delineate.errors import DataError


def facts(*values):
    return Facts((1, len(values)), 1, "uint8", dict.fromkeys(values, 1))


def mask(*values, dtype=np.uint8):
    return np.array([values], dtype)


def test_class_ids_are_the_classes_and_those_between_count_too():
    encoding = recognise([facts(0, 1), facts(0, 3)])
    assert encoding.classes == ("background", "class 1", "class 2", "class 3")
    assert encoding.encode(mask(0, 1, 2, 3, 255)).tolist() == [[0, 1, 2, 3, 255]]


def test_0_and_255_alone_are_background_and_foreground():
    for values in [(0, 255), (255,)]:
        encoding = recognise([facts(0), facts(*values)])
        assert encoding.classes == ("background", "foreground")
        assert encoding.encode(mask(0, 255)).tolist() == [[0, 1]]


def test_0_and_65535_alone_are_background_and_foreground():
    encoding = recognise([facts(0, 65535)])
    assert encoding.classes == ("background", "foreground")
    assert encoding.encode(mask(0, 65535, dtype=np.uint16)).tolist() == [[0, 1]]


def test_beside_class_ids_255_is_ignore():
    encoding = recognise([facts(0, 255), facts(0, 1, 2)])
    assert len(encoding.classes) == 3
    assert encoding.encode(mask(2, 255)).tolist() == [[2, 255]]


def test_beside_class_ids_65535_is_ignore_and_the_result_is_8_bits():
    encoding = recognise([facts(0, 1), facts(0, 2, 65535)])
    encoded = encoding.encode(mask(0, 2, 65535, dtype=np.uint16))
    assert encoded.dtype == np.uint8
    assert encoded.tolist() == [[0, 2, 255]]
    assert encoding.encode(mask(0, 1)).tolist() == [[0, 1]]  # an 8-bit mask beside


def test_named_classes_keep_0_and_255_as_background_and_foreground():
    encoding = recognise([facts(0, 255)], ("ground", "cell"))
    assert encoding.classes == ("ground", "cell")
    assert encoding.encode(mask(255)).tolist() == [[1]]


def test_with_three_named_classes_255_is_ignore():
    encoding = recognise([facts(0, 255)], ("a", "b", "c"))
    assert encoding.encode(mask(0, 255)).tolist() == [[0, 255]]


def test_masks_of_background_alone_have_two_classes():
    assert recognise([facts(0)]).classes == ("background", "class 1")
    assert recognise([]).classes == ("background", "class 1")


def test_named_classes_may_be_more_than_are_present():
    assert recognise([facts(0, 1)], ("a", "b", "c")).encode(mask(2)).tolist() == [[2]]


def test_more_values_than_named_classes_are_refused():
    with pytest.raises(DataError, match="values 0, 1, 2, but there are 2 classes"):
        recognise([facts(0, 1, 2)], ("a", "b"))


@pytest.mark.parametrize("values", [range(0, 255, 5), (0, 200), (0, 3, 250, 252, 253), (0, 30_000)])
def test_blended_values_and_colours_are_no_class_ids(values):
    with pytest.raises(DataError, match="no class ids") as caught:
        recognise([facts(*values)])
    assert "JPEG" in caught.value.hint


def test_two_hundred_classes_are_enough():
    assert len(recognise([facts(*range(200))]).classes) == 200
    with pytest.raises(DataError, match=r"hold 201 values up to 200 \(0, 1, 2.*, …\)"):
        recognise([facts(*range(201))])


def test_ids_that_need_no_change_are_not_copied():
    labels = mask(0, 1, 255)
    assert recognise([facts(0, 1, 255)]).encode(labels) is labels


@pytest.mark.parametrize(
    ("known", "stranger"),
    [
        ((0, 1), mask(0, 7)),
        ((0, 255), mask(0, 254)),
        ((0, 1, 65535), mask(0, 9)),
        ((0, 1), mask(0, 300, dtype=np.uint16)),
    ],
)
def test_a_value_without_a_class_is_refused_when_it_is_met(known, stranger):
    with pytest.raises(DataError, match=f"holds the value {stranger[0, 1]}, which is none of"):
        recognise([facts(*known)]).encode(stranger)


def test_an_empty_mask_has_no_values():
    empty = np.zeros((0, 4), np.uint16)
    assert recognise([facts(0, 255)]).encode(empty).shape == (0, 4)
