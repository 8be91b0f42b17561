import pytest

from delineate.data.describing.description import (
    NOTHING_SAID,
    Description,
    colour_value,
    parse_description,
)
from delineate.data.describing.text import describe
from delineate.errors import DataError

EVERYTHING = Description(
    layout="pairs",
    names=("ground", 'the "big" car\n', "x\x7f", *(f"class {number}" for number in range(40))),
    colours=tuple((number, 0, 255) for number in range(43)),
    encoding="ids",
    values={0: "ground", 300: 2, colour_value((1, 2, 3)): "ignore"},
    ignore=(255, colour_value((255, 255, 255))),
    images="{split}/*.tif",
    masks="{split}/{stem}_m.png",
    channels=("_0", "_1"),
    group_pattern=r"^(\d+)'s_",
    groups={"train/a b": "p1", "plain": "p2"},
    pixel_size=(0.325, 1e-05),
    unit="µm",
)


@pytest.mark.parametrize(
    "said",
    [
        NOTHING_SAID,
        EVERYTHING,
        Description(names=("a", "b")),
        Description(values={7: "a"}, names=("a", "b")),
        Description(group_pattern=r"(\d)"),
        Description(groups={"a": "b"}),
        Description(channels=("\\", "'")),
    ],
)
def test_what_is_written_is_read_back(said):
    text = describe(said)
    assert parse_description(text) == said
    assert all(len(line) <= 120 for line in text.splitlines())


def test_only_what_is_said_is_written_and_comments_stand_where_they_belong():
    said = Description(layout="voc", values={7: "car", 8: 1}, group_pattern=r"(\d)_")
    comments = {
        "layout": "as it looks",
        "masks.values": "guess: " + "long " * 30,
        "masks.values.7": "3 %",
        "classes.names": "for nobody",
    }
    assert describe(said, comments=comments).splitlines() == [
        "# as it looks",
        'layout = "voc"',
        "",
        "[masks.values]",
        "# guess:" + " long" * 18,
        "#" + " long" * 12,
        '7 = "car"  # 3 %',
        "8 = 1",
        "",
        "[groups]",
        r"pattern = '(\d)_'",
    ]


@pytest.mark.parametrize(
    "said", [Description(unit="m"), Description(colours=((0, 0, 0), (0, 0, 0)))]
)
def test_what_no_file_can_say_is_refused(said):
    with pytest.raises(DataError):
        describe(said)
