import shutil
import tomllib

import numpy as np
import pytest
from PIL import Image
from tests.data.layouts.examples import EXAMPLES, lay

from delineate.data.checking.inspection import inspect
from delineate.data.dataset import Dataset
from delineate.data.describing.description import colour_value, parse_description
from delineate.data.proposing.proposal import propose, write_description
from delineate.errors import DataError

SIZE = (24, 32)
CASES = [(name, number) for name, found in EXAMPLES.items() for number in range(len(found))]
RED, BLUE, BLACK = (255, 0, 0), (0, 0, 255), (0, 0, 0)


def write(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array)).save(path, **options)


def picture(seed, channels=(3,)):
    cells = np.random.default_rng(seed).integers(0, 255, (6, 8, *channels), np.uint8)
    return cells.repeat(4, 0).repeat(4, 1)


def columns(*values):
    """A mask whose columns hold these values in turn, in stripes."""
    values = np.array(values, np.uint8)
    stripes = values[np.arange(SIZE[1]) * len(values) // SIZE[1]]
    return np.broadcast_to(stripes, (*SIZE, *values.shape[1:])).copy()


def fill(root, *masks, names="{}"):
    """Write pairs of these masks."""
    for number, mask in enumerate(masks):
        write(root / "images" / f"{names.format(number)}.png", picture(number))
        write(root / "masks" / f"{names.format(number)}.png", mask)
    return root


def proposed(root):
    """Return the text that is proposed, what it says, and the data set that is read with it."""
    text = propose(inspect(Dataset.open(root, cache=False)))
    write_description(root, text)
    return text, parse_description(text), Dataset.open(root, cache=False)


@pytest.mark.parametrize(("name", "number"), CASES)
def test_what_is_recognised_is_read_in_the_same_way_with_the_proposal(tmp_path, name, number):
    before = Dataset.open(lay(tmp_path, EXAMPLES[name][number]), cache=False)
    for record in before.records:
        for path in record.images:
            write(path, picture(1, () if len(record.images) > 1 else (3,)))
        for place, path in enumerate(record.masks):
            write(path, columns(*np.eye(3, dtype=np.uint8)[place % 3]))
    text, _, after = proposed(tmp_path)
    assert (after.layout, after.records, after.unpaired) == (name, before.records, before.unpaired)
    assert f'layout = "{name}"' in text
    if len(before):
        assert (after.classes, after.colours) == (before.classes, before.colours)
        for sample, same in zip(after, before, strict=True):
            np.testing.assert_array_equal(sample.mask, same.mask)


@pytest.mark.parametrize(
    "masks",
    [
        [columns(0, 1, 2), columns(0, 4)],
        [columns(0, 1, 255), columns(0)],
        [columns(0, 255), columns(0)],
        [columns(BLACK, RED), columns(BLACK, BLUE)],
        [columns(0).astype(np.uint16), columns(0, 1).astype(np.uint16) * 65535],
    ],
)
def test_classes_that_are_recognised_stay_what_they_are(tmp_path, masks):
    before = Dataset.open(fill(tmp_path, *masks), cache=False)
    text, said, after = proposed(tmp_path)
    assert (after.classes, after.colours) == (before.classes, before.colours)
    for sample, same in zip(after, before, strict=True):
        np.testing.assert_array_equal(sample.mask, same.mask)
    assert said.names == before.classes
    assert "# guess: recognised from the values of the masks" in text


def test_levels_of_grey_become_classes_to_be_named(tmp_path):
    text, said, dataset = proposed(fill(tmp_path, columns(0, 64, 128, 0), columns(0, 192, 255)))
    assert said.names == ("background", *(f"class {number}" for number in range(1, 5)))
    assert dict(said.values) == dict(zip((0, 64, 128, 192, 255), said.names, strict=True))
    assert np.unique(dataset[1].mask).tolist() == [0, 3, 4]
    assert '64 = "class 1"  # 13 % of the pixels' in text or '64 = "class 1"  # 12 %' in text
    assert "name the classes" in text


def test_white_that_is_no_level_is_ignored(tmp_path):
    text, said, dataset = proposed(fill(tmp_path, columns(0, 38, 75), columns(0, 113, 255)))
    assert (list(said.values), said.ignore) == ([0, 38, 75, 113], (255,))
    assert "guess: 255 is no level like the others" in text
    assert 255 in dataset[1].mask


def test_more_values_than_named_classes_become_more_classes(tmp_path):
    lay(tmp_path, ["codes.txt=ground\ncar\n"])
    _, said, dataset = proposed(fill(tmp_path, columns(0, 1), columns(0, 7)))
    assert said.names == ("ground", "car", "class 2")
    assert np.unique(dataset[1].mask).tolist() == [0, 2]


def soft_mask(seed):
    """Dark and bright, with noise as JPEG leaves it, and a border in all levels between."""
    rng = np.random.default_rng(seed)
    soft = np.clip(columns(0, 0, 255, 255) + rng.normal(0, 3, SIZE), 0, 255).astype(np.uint8)
    soft[:, 15:17] = np.linspace(40, 215, 48, dtype=np.uint8).reshape(24, 2)
    return soft


def test_masks_with_soft_borders_are_proposed_as_dark_and_bright(tmp_path):
    soft = soft_mask(0)
    text, said, dataset = proposed(fill(tmp_path, soft, soft_mask(1)))
    assert (said.encoding, said.names) == ("binary", ("background", "foreground"))
    assert "dark is background, bright is foreground" in text
    np.testing.assert_array_equal(dataset[0].mask, soft > soft.max() / 2)


def test_masks_that_are_sound_say_what_the_values_are(tmp_path):
    hard = columns(0, 255)
    _, said, _ = proposed(fill(tmp_path, hard, hard[:, ::-1], soft_mask(0), hard))
    assert dict(said.values) == {0: "background", 255: "foreground"}


def test_numbers_of_objects_are_no_classes(tmp_path):
    labels = np.arange(SIZE[0] * SIZE[1], dtype=np.uint16).reshape(SIZE) // 8
    labels[:, :16] = 0
    text, said, _ = proposed(fill(tmp_path, labels, labels))
    assert (said.names, dict(said.values), said.encoding) == (None, {}, None)
    assert "numbers of objects" in text.replace("\n# ", " ")


def test_of_ids_that_are_blended_nothing_is_said(tmp_path):
    hard = columns(0, 3, 0, 3, 0, 3)
    soft = np.repeat(np.repeat(hard[::2, ::2], 2, 0), 2, 1)
    edges = np.flatnonzero(np.diff(soft[0].astype(int)))
    for edge, values in zip(edges, ((1, 2), (2, 1), (1, 2), (2, 1), (1, 2)), strict=True):
        soft[:, edge : edge + 2] = values
    text, said, _ = proposed(fill(tmp_path, soft, soft[:, ::-1].copy()))
    assert (said.names, dict(said.values)) == (None, {})
    assert "mixtures along borders" in text.replace("\n# ", " ")


def test_colours_without_black_become_a_table_with_the_most_frequent_first(tmp_path):
    white, grey = (255, 255, 255), (90, 90, 90)
    masks = [columns(white, white, RED), columns(white, white, grey, BLUE)]
    text, said, dataset = proposed(fill(tmp_path, *masks))
    assert said.colours is not None
    assert said.colours[0] == white
    assert set(said.colours) == {white, RED, grey, BLUE}
    assert said.names is not None
    assert said.names[0] == "background"
    assert "guess: #ffffff is the background" in text
    assert dataset[0].mask[0, 0] == 0
    assert dataset.colours[dataset[1].mask[0, -1]] == BLUE


def test_colours_that_no_table_lists_are_added_to_it(tmp_path):
    lay(tmp_path, ["class_dict.csv=name,r,g,b\nsky,0,0,0\ncar,255,0,0\n"])
    _, said, dataset = proposed(fill(tmp_path, columns(BLACK, RED), columns(BLACK, BLUE)))
    assert (said.names, said.colours) == (("sky", "car", "#0000ff"), (BLACK, RED, BLUE))
    assert np.unique(dataset[1].mask).tolist() == [0, 2]


def test_what_a_table_ignores_stays_ignored(tmp_path):
    lay(tmp_path, ["class_dict.csv=name,r,g,b\nsky,0,0,0\nvoid,0,0,255\ncar,255,0,0\n"])
    text, said, dataset = proposed(fill(tmp_path, columns(BLACK, RED, BLUE)))
    assert said.ignore == (colour_value(BLUE),)
    assert np.unique(dataset[0].mask).tolist() == [0, 1, 255]
    assert "As the layout 'folders', or a file beside the data, has them." in text


def test_one_change_of_names_becomes_patterns(tmp_path):
    for number in range(6):
        write(tmp_path / "images" / f"im_{number}.png", picture(number))
        write(tmp_path / "masks" / f"im_{number}_gt.tif", columns(0, 1))
    (tmp_path / "masks" / "im_5_gt.tif").unlink()
    text, said, dataset = proposed(tmp_path)
    assert (said.layout, said.images, said.masks) == (
        "pairs",
        "images/{stem}.png",
        "masks/{stem}_gt.tif",
    )
    assert "guess: the names of 5 images and their masks differ" in text
    assert [record.name for record in dataset.records] == [f"im_{number}" for number in range(5)]
    assert [item.path.name for item in dataset.unpaired] == ["im_5.png"]


def test_patterns_that_would_lose_pairs_are_not_proposed(tmp_path):
    fill(tmp_path, columns(0, 1), columns(0, 1))
    for number in range(5, 9):
        write(tmp_path / "images" / f"{number}.png", picture(number))
        write(tmp_path / "masks" / f"{number}_gt.png", columns(0, 1))
    _, said, dataset = proposed(tmp_path)
    assert (said.layout, said.masks) == ("folders", None)
    assert len(dataset) == 2


def test_patterns_of_several_splits_have_the_split(tmp_path):
    for split in ("train", "val"):
        for number in range(4):
            write(tmp_path / split / "images" / f"im_{number}.png", picture(number))
            write(tmp_path / split / "masks" / f"gt_{number}.png", columns(0, 1))
    (tmp_path / "val" / "masks" / "gt_3.png").unlink()
    (tmp_path / "train" / "masks" / "gt_3.png").unlink()
    _, said, dataset = proposed(tmp_path)
    assert said.images == "{split}/images/im_{stem}.png"
    assert {name: len(part) for name, part in dataset.splits.items()} == {
        "train": 3,
        "validation": 3,
    }


def test_patterns_of_several_folders_span_them(tmp_path):
    for name in ("x/a", "x/b", "y/a", "y/c"):
        write(tmp_path / "images" / f"{name}.png", picture(0))
        write(tmp_path / "masks" / f"{name}_gt.png", columns(0, 1))
    (tmp_path / "masks" / "y" / "c_gt.png").unlink()
    _, said, dataset = proposed(tmp_path)
    assert (said.images, said.masks) == ("images/{stem}.png", "masks/{stem}_gt.png")
    assert [record.name for record in dataset.records] == ["x/a", "x/b", "y/a"]


@pytest.mark.parametrize(
    ("names", "shown", "pattern"),
    [
        ("p{0}_slice{1}", "3 groups ('p0_slice', 'p1_slice', 'p2_slice')", None),
        ("p{0}/{1}", "3 groups ('p0', 'p1', 'p2')", "([^/]+)/[^/]+$"),
        ("p{0}_{1}x", "3 groups", None),
    ],
)
def test_groups_are_shown_and_left_to_confirm(tmp_path, names, shown, pattern):
    for number in range(9):
        name = names.format(number // 3, "abc"[number % 3] if pattern else number % 3)
        write(tmp_path / "images" / f"{name}.png", picture(number))
        write(tmp_path / "masks" / f"{name}.png", columns(0, 1))
    text, said, dataset = proposed(tmp_path)
    assert said.group_pattern is None
    assert shown in text
    assert {record.group for record in dataset.records} == {None}
    lines = text[text.index("# [groups]") :].splitlines()[:2]
    wanted = tomllib.loads("\n".join(line.removeprefix("# ") for line in lines))["groups"][
        "pattern"
    ]
    assert pattern in (None, wanted)
    (tmp_path / "dataset.toml").write_text(
        text.replace("# [groups]", "[groups]").replace("# pattern", "pattern")
    )
    groups = [record.group for record in Dataset.open(tmp_path).records]
    assert len(set(groups)) == 3
    assert [groups.count(group) for group in groups] == [3] * 9


def test_names_without_groups_get_a_template(tmp_path):
    for split in ("train", "val"):
        fill(tmp_path / split, columns(0, 1), columns(0, 1), columns(0, 1), names="x{}")
    text, _, _ = proposed(tmp_path)
    assert "# pattern = '^(patient[0-9]+)_'" in text
    assert "groups (" not in text


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"resolution_unit": 3, "x_resolution": 40_000, "y_resolution": 20_000}, (0.5, 0.25)),
        (
            {"x_resolution": 4, "y_resolution": 2, "description": "ImageJ=1.53\nunit=micron\n"},
            (0.5, 0.25),
        ),
        ({"dpi": (300, 300)}, None),
        ({}, None),
    ],
)
def test_the_size_of_a_pixel_is_that_of_the_tags(tmp_path, options, expected):
    write(tmp_path / "images" / "a.tif", picture(0), **options)
    write(tmp_path / "masks" / "a.png", columns(0, 1))
    text, said, _ = proposed(tmp_path)
    assert said.pixel_size == expected
    assert ("# [pixels]" in text) == (expected is None)
    assert ("the resolution that a.tif has" in text) == (expected is not None)


def test_of_masks_that_cannot_be_read_nothing_is_said(tmp_path):
    fill(tmp_path, columns(0, 1))
    (tmp_path / "masks" / "0.png").write_bytes(b"no picture")
    _, said, _ = proposed(tmp_path)
    assert (said.layout, said.names) == ("folders", None)


def test_notes_of_the_layout_are_told(tmp_path):
    write(tmp_path / "test" / "images" / "x.png", picture(0))
    text, _, _ = proposed(fill(tmp_path, columns(0, 1)))
    assert f"# {tmp_path / 'test'} holds 1 images without masks" in text


def test_a_file_that_is_there_is_not_replaced(tmp_path):
    assert write_description(tmp_path, "# one\n") == tmp_path / "dataset.toml"
    with pytest.raises(DataError, match="exists, and is not replaced"):
        write_description(tmp_path, "# two\n")
    assert (tmp_path / "dataset.toml").read_text() == "# one\n"
    with pytest.raises(DataError, match="cannot be written"):
        write_description(tmp_path / "dataset.toml", "")


def test_data_in_memory_have_no_place_for_a_file():
    dataset = Dataset.from_arrays([picture(0)], [columns(0, 1)])
    with pytest.raises(DataError, match="in memory"):
        propose(inspect(dataset))


def test_the_void_of_camvid_is_a_guess_from_its_names(real_data, tmp_path):
    for name in ("train", "val"):
        for part in ("images", "masks"):
            folder = tmp_path / name / part
            folder.mkdir(parents=True)
            for path in sorted((real_data / "camvid" / name / part).iterdir())[:3]:
                shutil.copyfile(path, folder / path.name)
    text, said, dataset = proposed(tmp_path)
    assert said.names is not None
    assert (len(said.names), said.names[0], said.ignore) == (11, "sky", (11,))
    assert "Nothing in the folder says so" in text
    assert 255 in dataset[0].mask
    assert dataset[0].mask[dataset[0].mask < 255].max() <= 10


def test_colours_of_other_classes_than_those_that_are_proposed_are_left_out(tmp_path):
    lay(tmp_path, ["class_dict.csv=name,r,g,b\nsky,0,0,0\ncar,255,0,0\n"])
    fill(tmp_path, columns(0, 64, 128), columns(128, 64, 0))
    _, said, after = proposed(tmp_path)
    assert (said.colours, said.values) == (None, {0: "sky", 64: "car", 128: "class 2"})
    assert after.classes == ("sky", "car", "class 2")


def test_a_note_with_a_line_break_stays_a_comment(tmp_path):
    root = tmp_path / "a\nlayout = 7"
    fill(root, columns(0, 1), columns(1, 0))
    lay(root, ["class_dict.csv=name,r,g,b\nsky,0,0,0\ncar,255,0,0\n"])
    text, said, _ = proposed(root)
    assert said.layout == "folders"
    assert "\nlayout = 7" not in text
