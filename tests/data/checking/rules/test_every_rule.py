"""Each rule has a sample that makes it speak, and some that do not."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

from delineate.catalog import RULES, find
from delineate.recipe import Recipe
from tests.data.checking.rules.making import (
    SIZE,
    clean,
    findings,
    inspected,
    pairs,
    picture,
    say,
    shapes,
    write,
)

RESIZED = Recipe().override({"data.fit": "resize", "data.size": [16, 16]})
RED, GREEN = (255, 0, 0), (0, 255, 0)


def unreadable(root):
    path = pairs(root) / "images" / "2.png"
    path.write_bytes(path.read_bytes()[:200])


def smaller(root):
    write(pairs(root) / "masks" / "1.png", shapes(1)[:-8])


def lonely(root):
    write(pairs(root) / "images" / "0_new.png", picture(7))


def with_another_suffix(root):
    pairs(root, 1)
    for number in (10, 11, 12):
        write(root / "images" / f"{number}.png", picture(number))
        write(root / "masks" / f"{number}_mask.png", shapes(number))


def turned(root):
    write(pairs(root) / "masks" / "1.png", shapes(1).T)


def turned_by_exif(root):
    mask = shapes(1, size=SIZE[::-1])
    exif = Image.Exif()
    exif[0x0112] = 6
    write(pairs(root) / "images" / "1.png", picture(1, mask, size=SIZE[::-1]), exif=exif)
    write(root / "masks" / "1.png", mask)


def in_channels(root):
    say(root, '[pairing]\nchannels = ["_c1", "_c2"]\n')
    for number in range(4):
        mask = shapes(number)
        for channel in (0, 1):
            path = root / "images" / f"{number}_c{channel + 1}.png"
            write(path, picture(number, mask)[..., channel])
        write(root / "masks" / f"{number}.png", mask)


def without_a_channel(root):
    in_channels(root)
    (root / "images" / "3_c2.png").unlink()


def with_brightnesses(root):
    pairs(root, [shapes(0, (76, 149, 226))] + [shapes(n, (76, 149)) for n in range(1, 4)])


def black_and_white(root):
    pairs(root, [shapes(number, (255,)) for number in range(4)])


def mostly_empty(root):
    empty = np.zeros(SIZE, np.uint8)
    pairs(root, [empty, shapes(1), empty, empty])


def without_a_class_in_the_test_part(root):
    pairs(root, [shapes(n, (1, 2)) for n in range(5)], "train")
    pairs(root, 5, "test", first=10)


def cells(root, *corners):
    image = picture(0)
    for number, corner in enumerate(corners):
        one = np.zeros(SIZE, np.uint8)
        one[corner : corner + 5, corner : corner + 5] = 255
        write(root / "a" / "masks" / f"{number}.png", one)
    write(root / "a" / "images" / "a.png", image)


def overlapping(root):
    cells(root, 2, 4)


def apart(root):
    cells(root, 2, 9)


def smooth(mask):
    """A mask that was drawn twice as large, and made smaller smoothly."""
    large = Image.fromarray(mask).resize((99, 75), Image.Resampling.NEAREST)
    return np.asarray(large.resize(mask.shape[::-1], Image.Resampling.BILINEAR))


def blended(root):
    masks = [shapes(number, (255,)) for number in range(4)]
    pairs(root, [*masks[:3], smooth(masks[3])])


def coloured(root, *colours):
    for number in range(4):
        mask = shapes(number, tuple(range(1, len(colours) + 1)))
        write(root / "images" / f"{number}.png", picture(number, mask))
        write(root / "masks" / f"{number}.png", np.array([(0, 0, 0), *colours], np.uint8)[mask])


def in_listed_colours(root):
    say(root, '[classes]\nnames = ["road", "car"]\ncolours = ["#000000", "#ff0000"]\n')
    coloured(root, RED)


def with_another_colour(root):
    in_listed_colours(root)
    mask = shapes(2)
    write(root / "masks" / "2.png", np.array([(0, 0, 0), (254, 0, 0)], np.uint8)[mask])


def in_colours(root):
    coloured(root, RED, GREEN)


def with_specks(root):
    masks = [np.zeros(SIZE, np.uint8) for _ in range(4)]
    masks[2][10:13, 10:13] = 1
    pairs(root, masks)


def indexed(root, *palettes):
    pairs(root, len(palettes))
    for number, palette in enumerate(palettes):
        mask = Image.fromarray(shapes(number))
        mask.putpalette(bytes(palette))
        mask.save(root / "masks" / f"{number}.png")


def with_two_palettes(root):
    indexed(root, (0, 0, 0, *RED), (0, 0, 0, *RED), (0, 0, 0, *GREEN))


def with_one_palette(root):
    indexed(root, *[(0, 0, 0, *RED)] * 3)


def with_a_copy_as_mask(root):
    write(pairs(root) / "masks" / "1.png", picture(1, shapes(1)))


def mostly_ignored(root):
    masks = [shapes(number) for number in range(4)]
    masks[3][:], masks[3][:2] = 255, 1
    pairs(root, masks)


def with_a_gap(root):
    pairs(root, [shapes(number, (2,)) for number in range(4)])


def with_an_inverted_mask(root):
    write(pairs(root, 9) / "masks" / "3.png", 1 - shapes(3))


def near_copies_in_two_splits(root):
    clean(root)
    write(root / "test" / "images" / "10.png", picture(2, shapes(2)) // 2 + 40)


def copies_in_two_splits(root):
    clean(root)
    write(root / "test" / "images" / "10.png", picture(2, shapes(2)))


def copies_in_one_split(root):
    clean(root)
    write(root / "train" / "images" / "3.png", picture(2, shapes(2)))
    write(root / "train" / "masks" / "3.png", shapes(2))


def copies_with_two_masks(root):
    clean(root)
    write(root / "train" / "images" / "3.png", picture(2, shapes(2)))


def patients(root, *names):
    say(root, "[groups]\npattern = '(patient[0-9]+)_'\n")
    for number, name in enumerate(names):
        mask = shapes(number)
        write(root / name.replace("/", "/images/"), picture(number, mask))
        write(root / name.replace("/", "/masks/"), mask)


def patient_in_two_splits(root):
    patients(root, "train/patient1_a.png", "train/patient1_b.png", "test/patient1_c.png")


def patient_in_one_split(root):
    patients(root, "train/patient1_a.png", "train/patient1_b.png", "test/patient2_a.png")


def frames(root, *splits, name="frame_{:03}"):
    for number, split in enumerate(splits):
        mask = shapes(number)
        write(root / split / "images" / f"{name.format(number)}.png", picture(number, mask))
        write(root / split / "masks" / f"{name.format(number)}.png", mask)


def film_in_two_splits(root):
    frames(root, *["train"] * 4, *["test"] * 3, *["train"] * 2)


def film_in_one_split(root):
    frames(root, *["train"] * 8)
    pairs(root, 5, "test", first=20)


def few_to_test(root):
    pairs(root, 6, "train")
    pairs(root, 2, "test", first=10)


def grey_beside_colour(root):
    path = pairs(root) / "images" / "1.png"
    write(path, picture(1, shapes(1))[..., 0])


def in_grey(root, bits=8, highest=65535):
    for number in range(4):
        mask = shapes(number)
        grey = picture(number, mask)[..., 0]
        deep = (grey.astype(float) * (highest / grey.max())).astype(np.uint16)
        write(root / "images" / f"{number}.png", grey if bits == 8 else deep)
        write(root / "masks" / f"{number}.png", mask)


def deep_beside_eight_bits(root):
    in_grey(root)
    write(root / "images" / "1.png", picture(1, shapes(1))[..., 0].astype(np.uint16) * 257)


def blank(root):
    write(pairs(root) / "images" / "1.png", np.full((*SIZE, 3), 90, np.uint8))


def of_twelve_bits(root):
    in_grey(root, 16, 4095)


def of_sixteen_bits(root):
    in_grey(root, 16)


def many(root):
    pairs(root, 12)


def with_a_stranger(root):
    path = pairs(root, 12) / "images" / "5.png"
    pink = np.full((*SIZE, 3), (250, 120, 200), np.uint8)
    pink[shapes(5) > 0] = (10, 60, 250)
    write(path, pink)


def with_an_idle_pattern(root):
    say(root, "[groups]\npattern = 'case([0-9]+)_'\n")
    pairs(root)


@dataclass(frozen=True)
class Case:
    """What makes a rule speak, and what it then says."""

    make: object
    level: str
    message: str
    where: tuple = ()
    quiet: tuple = field(default=(clean,))
    recipe: Recipe | None = None


def drive(root):
    for number in range(4):
        name = f"0016E5_{30 * number + 30:05}"
        write(root / "images" / f"{name}.png", picture(number))
        write(root / "masks" / f"{name}.png", shapes(number, (1, 3, 11)))


def told_drive(root):
    drive(root)
    say(root, "[masks]\nignore = [11]\n")


def numbered_objects(root, said=""):
    for number in range(4):
        mask = np.zeros((64, 64), np.uint8)
        for index in range(9 + number):
            row, column = 16 * (index // 4), 16 * (index % 4)
            mask[row + 2 : row + 12, column + 2 : column + 9 + index % 3] = index + 1
        write(root / "images" / f"{number}.png", picture(number, mask > 0, mask.shape))
        write(root / "masks" / f"{number}.png", mask)
    if said:
        say(root, said)


def told_objects(root):
    numbered_objects(root, '[masks]\nencoding = "objects"\n')


CASES = {
    "D101": Case(unreadable, "error", "2.png' is truncated or damaged", ("2",), (clean, turned)),
    "D102": Case(
        smaller, "error", "40×64 pixels (height×width)", ("1",), (clean, turned, turned_by_exif)
    ),
    "D103": Case(lonely, "error", "0_new.png has no mask.", (), (clean, with_another_suffix)),
    "D104": Case(with_another_suffix, "error", "'*' and '*_mask'", (), (clean, lonely)),
    "D105": Case(
        turned, "error", "64×48 pixels (height×width)", ("1",), (clean, smaller, turned_by_exif)
    ),
    "D106": Case(turned_by_exif, "error", "EXIF orientation", ("1",), (clean, turned, smaller)),
    "D107": Case(without_a_channel, "error", "3_c1.png has no channel", (), (clean, in_channels)),
    "D200": Case(
        with_brightnesses,
        "error",
        "no class ids",
        ("0",),
        (clean, black_and_white, blended, with_another_colour, with_a_copy_as_mask),
    ),
    "D201": Case(black_and_white, "note", "hold 0 and 255", (), (clean, mostly_ignored)),
    "D202": Case(mostly_empty, "warning", "3 of 4 masks", ("0", "2", "3")),
    "D203": Case(
        without_a_class_in_the_test_part,
        "warning",
        "The class 'class 2' does not occur in the split 'test'.",
        ("test", "class 2"),
        (clean, blended, with_a_gap),
    ),
    "D204": Case(overlapping, "note", "overlap in 1 image, most in a: 9 pixels", ("a",), (apart,)),
    "D205": Case(
        blended, "error", "1 of 4 masks hold mixtures", ("3",), (clean, black_and_white, in_colours)
    ),
    "D206": Case(
        with_another_colour,
        "error",
        "#fe0000 (near #ff0000, car)",
        ("2",),
        (clean, in_listed_colours, in_colours),
    ),
    "D207": Case(
        in_colours, "note", "2 colours for classes: #00ff00 and #ff0000", (), (in_listed_colours,)
    ),
    "D208": Case(with_specks, "warning", "'class 1' 0.073 %", ("2",)),
    "D209": Case(
        with_specks, "warning", "At 16×16 pixels 100 % of the objects", ("2",), (clean,), RESIZED
    ),
    "D210": Case(
        with_two_palettes,
        "error",
        "1 of 3 masks differ from the others: index 1 is #ff0000 and #00ff00",
        ("2",),
        (clean, with_one_palette),
    ),
    "D211": Case(
        with_a_copy_as_mask, "error", "1 mask is a copy of its image", ("1",), (clean, blended)
    ),
    "D212": Case(mostly_ignored, "warning", "(value 255)", ("3",), (clean, black_and_white)),
    "D213": Case(with_a_gap, "note", "The ids go up to 2, but 1 never occurs.", (), (clean,)),
    "D214": Case(with_an_inverted_mask, "warning", "1 mask of 9 may be", ("3",), (clean, many)),
    "D215": Case(numbered_objects, "warning", "those of 12 in", ("3",), (clean, told_objects)),
    "D301": Case(
        near_copies_in_two_splits,
        "warning",
        "2 near-duplicate images are in different splits: test and train.",
        ("train/2", "test/10"),
        (clean, copies_in_one_split, copies_in_two_splits),
    ),
    "D302": Case(
        copies_in_one_split,
        "note",
        "2 images are near-duplicates of each other.",
        ("train/2", "train/3"),
        (clean, near_copies_in_two_splits),
    ),
    "D303": Case(
        patient_in_two_splits,
        "error",
        "The group 'patient1' is in several splits: 2 in train and 1 in test.",
        ("test/patient1_c", "train/patient1_a", "train/patient1_b"),
        (clean, patient_in_one_split),
    ),
    "D304": Case(
        copies_in_two_splits,
        "error",
        "2 copies of one image are in test and train.",
        ("train/2", "test/10"),
        (clean, copies_in_one_split, near_copies_in_two_splits),
    ),
    "D305": Case(
        copies_with_two_masks,
        "warning",
        "2 copies of one image have 2 different masks: train/2 and train/3.",
        ("train/2", "train/3"),
        (clean, copies_in_one_split, near_copies_in_two_splits),
    ),
    "D306": Case(
        film_in_two_splits,
        "warning",
        "'frame_' are in several splits: train 000–003, test 004–006, train 007–008. Those of "
        "test lie between the others.",
        (),
        (clean, film_in_one_split),
    ),
    "D307": Case(
        few_to_test, "note", "The split 'test' has 2 images of 8.", ("test/10", "test/11")
    ),
    "D401": Case(grey_beside_colour, "warning", "1 image of 1 channel, such as", ("1",)),
    "D402": Case(
        deep_beside_eight_bits,
        "error",
        "1 image of uint16, such as",
        ("1",),
        (clean, of_sixteen_bits),
    ),
    "D403": Case(blank, "warning", "1 image holds one value only", ("1",)),
    "D404": Case(of_twelve_bits, "note", "up to 4095", (), (clean, of_sixteen_bits)),
    "D405": Case(with_a_stranger, "note", "1 image of 12 is unlike", ("5",), (clean, many)),
    "D501": Case(
        with_an_idle_pattern, "warning", "matches no name", (), (clean, patient_in_one_split)
    ),
    "D502": Case(drive, "warning", "11 is read as a class", ("0016E5_00030",), (clean, told_drive)),
}


@pytest.mark.parametrize("code", RULES)
def test_every_rule_speaks_where_its_fault_is(code, tmp_path):
    case = CASES[code]
    case.make(tmp_path)
    (found,) = findings(code, tmp_path, case.recipe)
    assert (found.code, found.level) == (code, case.level)
    assert case.message in found.message
    assert found.where == case.where or not case.where


@pytest.mark.parametrize("code", RULES)
def test_every_hint_begins_with_what_to_do_and_ends_there_or_with_lines_to_write(code, tmp_path):
    case = CASES[code]
    case.make(tmp_path)
    (found,) = findings(code, tmp_path, case.recipe)
    said, _, lines = found.hint.partition("\n")
    assert said[0].isupper()
    assert said[-1] == ":" if lines else said[-1] in ".?"
    assert lines.startswith("[") or not lines


@pytest.mark.parametrize(
    ("code", "number"), [(code, n) for code in RULES for n in range(len(CASES[code].quiet))]
)
def test_every_rule_is_silent_where_its_fault_is_not(code, number, tmp_path):
    case = CASES[code]
    case.quiet[number](tmp_path)
    assert findings(code, tmp_path, case.recipe) == []


@pytest.mark.parametrize("code", RULES)
def test_every_rule_says_why_it_matters(code):
    first, empty, *why = (find("rules", code).__doc__ or "").strip().splitlines()
    assert first.endswith(".")
    assert empty == ""
    assert why


def test_no_rule_stumbles_over_data_of_which_nothing_can_be_read(tmp_path):
    for name in ("0", "1"):
        for part in ("images", "masks"):
            (tmp_path / part).mkdir(exist_ok=True)
            (tmp_path / part / f"{name}.png").write_bytes(b"no picture")
    inspection = inspected(tmp_path, RESIZED)
    found = [finding.code for code in RULES for finding in find("rules", code)(inspection)]
    assert found == ["D101", "D101"]


def test_no_rule_says_anything_about_clean_data(tmp_path):
    inspection = inspected(clean(tmp_path), Recipe())
    assert [f for code in RULES for f in find("rules", code)(inspection)] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["camvid", "voc2012_sample"])
def test_real_data_has_no_error(real_data, name):
    inspection = inspected(real_data / name)
    found = [f for code in RULES for f in find("rules", code)(inspection)]
    assert [f for f in found if f.level == "error"] == []
