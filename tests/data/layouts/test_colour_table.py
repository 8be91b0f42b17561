import pytest

from delineate.data.describing.description import NOTHING_SAID, Description, colour_value
from delineate.data.layouts.colour_table import READERS, read_table
from delineate.errors import DataError
from tests.data.layouts.examples import lay

SEA = Description(names=("land", "sea"), colours=((0, 0, 0), (0, 0, 255)))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("class_dict.csv", "name,r,g,b\nland,0,0,0\nsea, 0, 0, 255\n", SEA),
        ("class_dict.csv", "\ufeffName, R, G, B\r\nland,0,0,0\r\nsea,0,0,255\r\n\r\n", SEA),
        ("label_colors.txt", "0 0 0\tland\n0 0 255\t\tsea\n", SEA),
        ("labelmap.txt", "# label:color_rgb:parts:actions\nland:0,0,0::\nsea:0,0,255::a,b\n", SEA),
        (
            "_classes.csv",
            "Pixel Value, Class\n0, land\n1, sea\n",
            Description(names=("land", "sea")),
        ),
        ("codes.txt", "land\nsea\n", Description(names=("land", "sea"))),
        (
            "class_names.txt",
            "__ignore__\n_background_\nsea\n",
            Description(names=("_background_", "sea")),
        ),
    ],
)
def test_the_tables_of_known_tools_are_read(tmp_path, name, text, expected):
    lay(tmp_path, [f"{name}={text}"])
    assert read_table(tmp_path) == (expected, (f"{tmp_path / name} names 2 classes.",))


@pytest.mark.parametrize("place", ["masks", "labels", "train", "valid"])
def test_tables_are_found_beside_the_masks_and_below_splits(tmp_path, place):
    lay(tmp_path, [f"{place}/codes.txt=land\nsea\n"])
    assert read_table(tmp_path)[0].names == ("land", "sea")


def test_void_does_not_count_and_the_numbers_after_it_move_up(tmp_path):
    lay(tmp_path, ["class_dict.csv=name,r,g,b\nland,0,0,0\nVoid,9,9,9\nsea,0,0,255\n"])
    assert read_table(tmp_path)[0] == Description(
        names=("land", "sea"),
        colours=((0, 0, 0), (0, 0, 255)),
        values={0: 0, 2: 1},
        ignore=(1, colour_value((9, 9, 9))),
    )


def test_the_background_comes_first(tmp_path):
    lay(tmp_path, ["labelmap.txt=sea:0,0,255::\nbackground:0,0,0::\n"])
    assert read_table(tmp_path)[0] == Description(
        names=("background", "sea"), colours=((0, 0, 0), (0, 0, 255)), values={0: 1, 1: 0}
    )


def test_values_that_do_not_count_from_0_are_kept(tmp_path):
    lay(tmp_path, ["_classes.csv=Pixel Value, Class\n1, land\n5, sea\n"])
    assert read_table(tmp_path)[0] == Description(names=("land", "sea"), values={1: 0, 5: 1})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("class_dict.csv", "name,r,g,b\nland,0,0\nsea,0,0,255\n"),
        ("class_dict.csv", "name,red,green,blue\nland,0,0,0\nsea,0,0,255\n"),
        ("class_dict.csv", "name,r,g,b\nland,0,0,0\nsea,0,0,256\n"),
        ("class_dict.csv", "name,r,g,b\nland,0,0,0\nsea,0,0,0\n"),
        ("label_colors.txt", "land\nsea\n"),
        ("labelmap.txt", "1: land\n2: sea\n"),
        ("_classes.csv", "filename,land,sea\na.jpg,0,1\n"),
        ("codes.txt", "land\nland\n"),
        ("codes.txt", "land\n"),
        ("codes.txt", ""),
    ],
)
def test_other_files_of_these_names_are_left_out_and_noted(tmp_path, name, text):
    lay(tmp_path, [f"{name}={text}"])
    said, (note,) = read_table(tmp_path)
    assert said == NOTHING_SAID
    assert note.startswith(f"{tmp_path / name} is no table of classes")


def test_without_a_table_nothing_is_said(tmp_path):
    assert read_table(lay(tmp_path, ["classes.png"])) == (NOTHING_SAID, ())


@pytest.mark.parametrize("name", READERS)
def test_a_table_that_is_no_text_is_left_out(tmp_path, name):
    (tmp_path / name).write_bytes(b"\xff\xfe\x00")
    assert read_table(tmp_path)[0] == NOTHING_SAID


def test_a_table_that_is_too_long_is_not_read(tmp_path):
    with (tmp_path / "codes.txt").open("wb") as file:
        file.truncate(2**20 + 1)  # of which the disk holds nothing
    with pytest.raises(DataError, match=r"codes\.txt has 1048577 bytes"):
        read_table(tmp_path)
