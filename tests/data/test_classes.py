import numpy as np
import pytest

from delineate.data.classes import recognise
from delineate.data.describing.description import Description, colour_value
from delineate.data.records import Facts
from delineate.errors import DataError
from delineate.imaging import PALETTE

BLACK, WHITE, RED, BLUE = (
    colour_value(rgb) for rgb in ((0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255))
)


def facts(*values):
    return Facts((1, len(values)), 1, "uint8", dict.fromkeys(values, 1))


def mask(*values, dtype=np.uint8):
    return np.array([values], dtype)


def of(*values, **said):
    return recognise([facts(*values)], Description(**said))


# Numbers of which nothing is said


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
    encoding = of(0, 65535)
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


def test_masks_of_background_alone_have_two_classes():
    assert of(0).classes == ("background", "class 1")
    assert recognise([]).classes == ("background", "class 1")


@pytest.mark.parametrize("values", [range(0, 255, 5), (0, 200), (0, 3, 250, 252, 253), (0, 30_000)])
def test_blended_values_and_colours_are_no_class_ids(values):
    with pytest.raises(DataError, match="no class ids") as caught:
        of(*values)
    assert "JPEG" in caught.value.hint


@pytest.mark.parametrize("values", [(0, 128), (0, 38, 75, 113), (0, 50, 100, 150, 255), (17, 0)])
def test_levels_of_grey_are_no_class_ids_until_it_is_said_what_they_are(values):
    with pytest.raises(DataError, match="no class ids") as caught:
        of(*values)
    assert "[masks] values" in caught.value.hint
    levels = sorted(set(values) - {255})
    names = tuple(f"c{number}" for number in range(len(levels)))
    encoding = of(*values, names=names, values=dict(zip(levels, names, strict=True)))
    assert encoding.encode(mask(*levels)).tolist() == [list(range(len(levels)))]


@pytest.mark.parametrize("values", [(0, 1, 15), (0, 15), (5, 4), (0, 2, 20, 7), (0, 1, 255)])
def test_a_few_of_many_classes_are_class_ids(values):
    assert len(of(*values).classes) == max(set(values) - {255}) + 1


def test_two_hundred_classes_are_enough():
    assert len(of(*range(200)).classes) == 200
    with pytest.raises(DataError, match=r"hold 201 values up to 200 \(0, 1, 2.*, …\)") as caught:
        of(*range(201))
    assert "objects" in caught.value.hint


def test_ids_that_need_no_change_are_not_copied():
    labels = mask(0, 1, 255)
    assert of(0, 1, 255).encode(labels) is labels


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
        of(*known).encode(stranger)


def test_an_empty_mask_has_no_values():
    assert of(0, 255).encode(np.zeros((0, 4), np.uint16)).shape == (0, 4)


# Numbers of which something is said


def test_named_classes_keep_0_and_255_as_background_and_foreground():
    encoding = of(0, 255, names=("ground", "cell"))
    assert encoding.classes == ("ground", "cell")
    assert encoding.encode(mask(255)).tolist() == [[1]]


@pytest.mark.parametrize("said", [{"names": ("a", "b", "c")}, {"encoding": "ids"}])
def test_with_three_named_classes_or_ids_255_is_ignore(said):
    assert of(0, 255, **said).encode(mask(0, 255)).tolist() == [[0, 255]]


def test_named_classes_may_be_more_than_are_present():
    assert of(0, 1, names=("a", "b", "c")).encode(mask(2)).tolist() == [[2]]
    assert of(0, 128, names=tuple(map(str, range(129)))).encode(mask(128)).tolist() == [[128]]


def test_more_values_than_named_classes_are_refused():
    with pytest.raises(DataError, match="values 0, 1, 2, but there are 2 classes"):
        of(0, 1, 2, names=("a", "b"))


def test_values_are_merged_remapped_and_ignored_as_it_is_said():
    encoding = of(
        0, 1, 2, 3, 9, 40, names=("a", "b"), values={2: "b", 3: 0, 40: "ignore"}, ignore=(9,)
    )
    assert encoding.encode(mask(0, 1, 2, 3, 9, 40)).tolist() == [[0, 1, 1, 0, 255, 255]]


def test_without_names_values_may_have_numbers_of_classes():
    encoding = of(10, 20, 30, values={10: 0, 20: 1, 30: 1})
    assert encoding.classes == ("background", "class 1")
    assert encoding.encode(mask(10, 20, 30)).tolist() == [[0, 1, 1]]


def test_beside_ignored_values_0_and_255_are_background_and_foreground():
    encoding = of(0, 128, 255, ignore=(128,))
    assert encoding.encode(mask(0, 128, 255)).tolist() == [[0, 255, 1]]


def test_where_values_have_classes_255_is_none_unless_it_is_said():
    assert of(0, 1, 255, values={1: 1}).encode(mask(255)).tolist() == [[255]]
    assert of(0, 255, values={255: 1}).encode(mask(0, 255)).tolist() == [[0, 1]]


def test_a_class_that_does_not_exist_is_refused_with_the_nearest_name():
    with pytest.raises(DataError, match=r"class 'cart', but the classes are a, car.*mean 'car'"):
        of(0, 1, names=("a", "car"), values={1: "cart"})
    with pytest.raises(DataError, match="class 2, but"):
        of(0, 1, names=("a", "car"), values={1: 2})


def test_binary_masks_are_parted_half_way_up_whatever_they_hold():
    values = (0, 3, 90, 127, 128, 200, 255)
    encoding = of(*values, encoding="binary")
    assert encoding.encode(mask(*values)).tolist() == [[0, 0, 0, 0, 1, 1, 1]]
    deep = of(0, 40_000, encoding="binary", names=("a", "b"))
    assert deep.encode(mask(0, 40_000, dtype=np.uint16)).tolist() == [[0, 1]]
    yellow = colour_value((200, 200, 0))
    table = of(BLACK, yellow, encoding="binary")
    assert table.encode(mask(0, 1), (BLACK, yellow)).tolist() == [[0, 1]]


def test_what_is_ignored_does_not_move_the_border_of_binary_masks():
    encoding = of(0, 1, 255, encoding="binary", ignore=(255,))
    assert encoding.encode(mask(0, 1, 255)).tolist() == [[0, 1, 255]]


def test_binary_masks_have_two_classes():
    with pytest.raises(DataError, match="makes two classes, but 3 are named"):
        of(0, 1, encoding="binary", names=("a", "b", "c"))


def test_numbers_keep_the_colours_that_are_said_and_others_get_ours():
    assert of(0, 1, 2, colours=((9, 9, 9), (8, 8, 8), (7, 7, 7))).colours[1] == (8, 8, 8)
    assert of(0, 1, 2).colours == tuple(PALETTE[:3])


# Colours


def test_black_and_a_few_colours_are_background_and_classes():
    encoding = of(BLACK, RED, BLUE)
    assert encoding.classes == ("background", "#0000ff", "#ff0000")
    assert encoding.colours == ((0, 0, 0), (0, 0, 255), (255, 0, 0))
    assert encoding.encode(mask(0, 1, 2), (BLACK, RED, BLUE)).tolist() == [[0, 2, 1]]


def test_a_mask_that_holds_black_or_grey_alone_belongs_to_the_colours():
    encoding = recognise([facts(BLACK, RED), facts(0), facts(255)], Description(ignore=(WHITE,)))
    assert encoding.encode(mask(0, 255)).tolist() == [[0, 255]]
    assert encoding.classes == ("background", "#ff0000")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((RED, BLUE), {}),
        ((BLACK,), {"encoding": "colours"}),
        ((BLACK, *(colour_value((1, 2, n)) for n in range(64))), {}),
        ((BLACK, RED, BLUE), {"names": ("ground", "car", "sky")}),
        ((BLACK, RED), {"names": ("ground", "car", "sky")}),
    ],
)
def test_which_class_a_colour_is_must_be_said_where_it_does_not_follow(values, said):
    with pytest.raises(DataError, match="nothing says which class each is") as caught:
        of(*values, **said)
    assert "[classes]" in caught.value.hint


def test_two_named_classes_are_black_and_the_other_colour():
    encoding = of(BLACK, RED, names=("ground", "car"))
    assert encoding.encode(mask(0, 1), (BLACK, RED)).tolist() == [[0, 1]]


def test_a_table_says_the_classes_of_colours_and_values_add_to_it():
    encoding = of(
        RED,
        BLUE,
        WHITE,
        0,
        names=("sky", "car"),
        colours=((0, 0, 255), (255, 0, 0)),
        values={BLACK: "car", 1: "sky"},
        ignore=(WHITE, 11),
    )
    indices = encoding.encode(mask(0, 1, 2), (RED, BLUE, WHITE))
    assert indices.tolist() == [[1, 0, 255]]
    assert encoding.encode(mask(0)).tolist() == [[1]]
    assert encoding.colours == ((0, 0, 255), (255, 0, 0))


def test_a_colour_that_is_not_in_the_table_is_refused():
    with pytest.raises(DataError, match=r"1 colours without a class \(#ff0000\)"):
        of(BLACK, RED, BLUE, colours=((0, 0, 0), (0, 0, 255)))
    table = of(BLACK, BLUE, colours=((0, 0, 0), (0, 0, 255)))
    with pytest.raises(DataError, match="holds the value #ff0000, which is none of 0, #000000"):
        recognise([facts(BLACK, BLUE, 0)]).encode(mask(1), (BLACK, RED))
    assert table.classes == ("background", "#0000ff")


def test_numbers_beside_a_table_of_colours_are_no_greys():
    said = {"names": ("a", "b"), "colours": ((0, 0, 0), (255, 0, 0)), "values": {1: "b"}}
    grey = colour_value((1, 1, 1))
    with pytest.raises(DataError, match=r"1 colours without a class \(#010101\)"):
        of(BLACK, RED, grey, **said)
    del said["colours"]
    listed = of(0, grey, **said | {"values": {0: "a", 1: "b"}})
    assert listed.encode(mask(0), (grey,)).tolist() == [[1]]


def test_greys_of_a_table_are_colours_though_they_were_read_as_numbers():
    said = {"names": ("white", "black", "grey"), "colours": ((255,) * 3, (0,) * 3, (128,) * 3)}
    assert of(0, 128, 255, **said).encode(mask(255, 0, 128)).tolist() == [[0, 1, 2]]
    assert of(0, 255, encoding="colours", **said).encode(mask(0)).tolist() == [[1]]
    # These are class ids that are shown in greys.
    assert of(0, 1, 2, 255, **said).encode(mask(0, 1, 255)).tolist() == [[0, 1, 255]]


def test_ids_beside_a_table_are_ids_and_255_is_ignored():
    said = {
        "names": ("a", "b", "c"),
        "colours": ((0,) * 3, (255, 0, 0), (0, 0, 255)),
        "ignore": (255,),
    }
    assert of(0, 255, **said).encode(mask(0, 255)).tolist() == [[0, 255]]
    assert of(0, 2, **said).encode(mask(2)).tolist() == [[2]]


def test_colours_where_ids_are_said_or_numbers_beyond_8_bits_are_refused():
    with pytest.raises(DataError, match='encoding = "ids"'):
        of(BLACK, RED, encoding="ids")
    with pytest.raises(DataError, match=r"without a class \(300\)"):
        of(BLACK, RED, 300, colours=((0, 0, 0), (255, 0, 0)))


def test_more_colours_than_names_are_refused():
    with pytest.raises(DataError, match="colours of 3 classes, but 2 classes are named"):
        of(BLACK, RED, names=("a", "b"), colours=((0, 0, 0), (255, 0, 0), (0, 0, 255)))
