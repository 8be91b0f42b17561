import re
from pathlib import Path

import pytest

from delineate.data.describing.description import (
    NOTHING_SAID,
    Description,
    colour_of,
    colour_value,
    parse_description,
    read_description,
    spell,
)
from delineate.errors import DataError

EVERYTHING = """
layout = "voc"

[classes]
names = ["ground", "car"]
colours = ["#000000", "#FF8000"]

[masks]
encoding = "colours"
values = { "#101010" = "car", 7 = 0, 9 = "ignore" }
ignore = [255, "#ffffff"]

[pairing]
images = "{split}/images/*.tif"
masks = "{split}/masks/{stem}_{class}.png"
channels = ["_c0", "_c1"]

[groups]
pattern = '(patient\\d+)_'
of = { "train/a" = "p1" }

[pixels]
size = [0.5, 1]
unit = "m"
"""


def test_every_key_is_read():
    assert parse_description(EVERYTHING) == Description(
        layout="voc",
        names=("ground", "car"),
        colours=((0, 0, 0), (255, 128, 0)),
        encoding="colours",
        values={colour_value((16, 16, 16)): "car", 7: 0, 9: "ignore"},
        ignore=(255, colour_value((255, 255, 255))),
        images="{split}/images/*.tif",
        masks="{split}/masks/{stem}_{class}.png",
        channels=("_c0", "_c1"),
        group_pattern=r"(patient\d+)_",
        groups={"train/a": "p1"},
        pixel_size=(0.5, 1.0),
        unit="m",
    )


def test_an_empty_file_and_none_say_nothing(tmp_path):
    assert parse_description("") == read_description(tmp_path) == NOTHING_SAID
    assert parse_description("[pixels]\nsize = [1, 1]").unit == "µm"


def test_a_file_with_a_mark_of_utf_8_is_read_as_others(tmp_path):
    text = '[classes]\nnames = ["Wände", "Türen"]\n'
    (tmp_path / "dataset.toml").write_text(text, encoding="utf-8-sig")
    assert read_description(tmp_path).names == ("Wände", "Türen")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layot = 'voc'", r"unknown key 'layot'\. Did you mean 'layout'\?"),
        ("[classes]\ncolors = []", r"unknown key 'classes\.colors'\. Did you mean 'colours'\?"),
        ("[classes]\nnames = ['a']", "at least 2 items"),
        ("[classes]\nnames = ['a', 'b', 'a']", "two classes have the same name"),
        ("[classes]\ncolours = ['red']", "'red' is neither a number .* nor a colour #rrggbb"),
        ("[classes]\ncolours = ['#ff0000', '#FF0000']", "two classes have the same colour"),
        (
            "[classes]\nnames = ['a', 'b']\ncolours = ['#ff0000']",
            "there are 1 colours for 2 names",
        ),
        ("[masks]\nencoding = 'rgb'", "'colours', 'one-hot' or 'objects'"),
        ("[masks]\nignore = [-1]", "-1 is neither a number"),
        ("[masks]\nignore = [65536]", "65536 is neither a number"),
        ("[masks.values]\nred = 'car'", "'red' is neither"),
        ("[masks.values]\n1 = []", r"masks\.values\.1 = \[\] is not allowed"),
        ("[masks.values]\n1 = 255", "255 is no class: ids go from 0 to 254; or 'ignore'"),
        ("[pairing]\nmasks = '../*.png'", r"goes down by names alone"),
        ("[pairing]\nmasks = 'a/**/*.png'", r"goes down by names alone"),
        ("[pairing]\nmasks = '/data/*.png'", "path below the data's folder"),
        ("[pairing]\nmasks = 'C:/data/*.png'", "path below the data's folder"),
        ("[pairing]\nmasks = 'a\\*.png'", "with / between names"),
        ("[pairing]\nmasks = '{name}.png'", r"\{name\} is none of \{stem\}, \{split\}, \{class\}"),
        ("[pairing]\nimages = '{class}/*.png'", r"\{class\} is none of"),
        ("[pairing]\nmasks = '{stem.png'", r"\{stem.png is none of"),
        ("[pairing]\nchannels = ['_0']", "two or more channels"),
        ("[pairing]\nchannels = ['_0', '_0']", "two or more channels"),
        ("[groups]\npattern = 'a(b'", "it is no regular expression"),
        ("[groups]\npattern = 'ab'", "not exactly one group in brackets"),
        ("[pixels]\nsize = [0, 1]", "greater than 0"),
        ("[pixels]\nsize = [inf, 1]", "finite number"),
        ("[pixels]\nunit = 'm'", "pixels.size"),
        ("layout = ", "is not valid TOML"),
    ],
)
def test_a_slip_is_refused_with_its_key(tmp_path, text, message):
    (tmp_path / "dataset.toml").write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read_description(tmp_path)
    assert str(tmp_path / "dataset.toml") in caught.value.message
    assert caught.value.hint[-1] == "."


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "dataset.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="cannot be read") as caught:
        read_description(tmp_path)
    assert "UTF-8" in caught.value.hint


def test_colours_are_values_beyond_all_numbers():
    for colour in [(0, 0, 0), (255, 255, 255), (1, 2, 3)]:
        assert colour_value(colour) > 65535
        assert colour_of(colour_value(colour)) == colour
    assert [spell(value) for value in (0, 300, colour_value((0, 0, 0)))] == ["0", "300", "#000000"]


def test_what_is_said_covers_what_the_layout_says():
    said = Description(names=("a", "b"), values={1: 0}, unit="m")
    layout = Description(names=("x", "y"), colours=((0,) * 3, (1,) * 3), values={1: 1, 2: 1})
    assert said.over(layout) == Description(
        names=("a", "b"), colours=((0,) * 3, (1,) * 3), values={1: 0, 2: 1}, unit="m"
    )
    assert NOTHING_SAID.over(layout) == layout
    assert said.over(NOTHING_SAID) == said


def test_ignored_values_are_joined_but_not_those_that_have_a_class_now():
    layout = Description(ignore=(255, 11))
    assert Description(ignore=(3, 255)).over(layout).ignore == (3, 255, 11)
    assert Description(values={255: 1}).over(layout).ignore == (11,)


def test_other_classes_have_nothing_of_the_colours_and_values_of_the_layout():
    layout = Description(
        names=("x", "y", "z"),
        colours=((0,) * 3,) * 3,
        values={1: 1},
        ignore=(3,),
        channels=("a", "b"),
    )
    said = Description(names=("a", "b"))
    assert said.over(layout) == Description(names=("a", "b"), channels=("a", "b"))


def test_classes_are_found_by_name_and_by_number():
    said = Description(names=("ground", "car"))
    assert [said.class_id(target) for target in ("car", 0, "ignore")] == [1, 0, 255]
    assert Description(names=("ignore", "car")).class_id("ignore") == 0
    assert NOTHING_SAID.class_id(7) == 7
    with pytest.raises(DataError, match="class 'cars', but the classes are ground, car"):
        said.class_id("cars")
    with pytest.raises(DataError, match="but the classes are not named"):
        NOTHING_SAID.class_id("car")


def test_groups_are_found_by_pattern_and_by_name():
    said = Description(group_pattern=r"^(?:train/)?(p\d+)?_", groups={"x": "p9"})
    names = ("train/p1_a", "p22_b", "_c", "x", "other")
    assert [said.group_of(name) for name in names] == ["p1", "p22", None, "p9", None]
    assert NOTHING_SAID.group_of("x") is None


def test_the_examples_of_the_page_are_read():
    page = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "own-data.md"
    text = page.read_text(encoding="utf-8")
    examples = re.findall(r"^```toml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    said = [parse_description(example) for example in examples if "[data]" not in example]
    assert len(said) >= 3
    assert said[0].class_id("road") == 2
    assert NOTHING_SAID not in said


def test_a_group_without_a_name_is_none():
    assert Description(group_pattern=r"^([a-z]*)").group_of("12") is None


@pytest.mark.parametrize("name", ["a", '"a b"', "'a'", '"\\""', "a-b_c"])
@pytest.mark.parametrize("joined", [".", " . "])
def test_a_key_of_very_many_names_is_refused_before_it_is_parsed(name, joined):
    key = joined.join([name] * 1_000_000)
    for text in (f"{key} = 1", f"[{key}]", f"groups = {{{key} = 1}}"):
        with pytest.raises(DataError, match="more than 32 names joined by points"):
            parse_description(text)


def test_points_in_the_names_of_files_are_no_keys():
    name = "1.2.840.113619.2.55.3.604688119.971.1234.png"
    said = parse_description(f'[groups.of]\n"{name}" = "first"\n')
    assert said.groups == {name: "first"}


def test_a_file_of_nothing_but_brackets_is_refused():
    with pytest.raises(DataError, match="brackets within brackets"):
        parse_description("a = " + "[" * 9999)
