from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

from delineate.catalog import RULES, find
from delineate.data.dataset import Dataset
from delineate.data.inspection import inspect

SIZE = (24, 32)


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array)).save(path)


def picture(seed):
    cells = np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8)
    return np.kron(cells, np.ones((4, 4, 1), np.uint8))


def mask(*values):
    """A mask whose columns hold these values in turn."""
    return np.resize(np.array(values, np.uint8), SIZE)


def pairs(root, masks=((0, 1),) * 4, prefix=""):
    for number, values in enumerate(masks):
        write(root / prefix / "images" / f"{number}.png", picture(number))
        write(root / prefix / "masks" / f"{number}.png", mask(*values))
    return root


def clean(root):
    pairs(root, prefix="train")
    for number in (10, 11):
        write(root / "test" / "images" / f"{number}.png", picture(number))
        write(root / "test" / "masks" / f"{number}.png", mask(0, 1))


def unreadable(root):
    path = pairs(root) / "images" / "2.png"
    path.write_bytes(path.read_bytes()[:200])


def turned(root):
    write(pairs(root) / "masks" / "1.png", mask(0, 1).T)


def lonely(root):
    write(pairs(root) / "images" / "0_new.png", picture(7))


def blended(root):
    pairs(root, [(0, 1)] * 3 + [(0, 17, 99, 201, 255)])


def black_and_white(root):
    pairs(root, [(0, 255)] * 4)


def mostly_empty(root):
    pairs(root, [(0,), (0, 1), (0,), (0,)])


def without_a_class_in_the_test_part(root):
    pairs(root, [(0, 1, 2)] * 4, "train")
    write(root / "test" / "images" / "x.png", picture(10))
    write(root / "test" / "masks" / "x.png", mask(0, 1))


def cells(root, *corners):
    write(root / "a" / "images" / "a.png", picture(0))
    for number, corner in enumerate(corners):
        one = np.zeros(SIZE, np.uint8)
        one[corner : corner + 5, corner : corner + 5] = 255
        write(root / "a" / "masks" / f"{number}.png", one)


def overlapping(root):
    cells(root, 2, 4)


def copies_in_two_splits(root):
    clean(root)
    write(root / "test" / "images" / "10.png", picture(2))


def copies_in_one_split(root):
    clean(root)
    write(root / "train" / "images" / "3.png", picture(2))


@dataclass(frozen=True)
class Case:
    """What makes a rule speak, and what it then says."""

    make: object
    level: str
    message: str
    where: tuple = ()
    quiet: tuple = field(default=(clean,))


CASES = {
    "D101": Case(unreadable, "error", "2.png' is truncated or damaged", ("2",), (clean, turned)),
    "D102": Case(turned, "error", "32×24 pixels (height×width)", ("1",), (clean, unreadable)),
    "D103": Case(lonely, "error", "0_new.png has no mask."),
    "D200": Case(blended, "error", "no class ids", (), (clean, black_and_white)),
    "D201": Case(black_and_white, "note", "hold 0 and 255", (), (clean, blended)),
    "D202": Case(mostly_empty, "warning", "3 of 4 masks", ("0", "2", "3")),
    "D203": Case(
        without_a_class_in_the_test_part,
        "warning",
        "The class 'class 2' does not occur in the split 'test'.",
        ("test", "class 2"),
        (clean, blended),
    ),
    "D204": Case(overlapping, "note", "overlap in 1 images", ("a",), (lambda r: cells(r, 2, 9),)),
    "D301": Case(
        copies_in_two_splits,
        "warning",
        "2 near-duplicate images are in different splits: test and train.",
        ("train/2", "test/10"),
        (clean, copies_in_one_split),
    ),
    "D302": Case(
        copies_in_one_split,
        "note",
        "2 images are near-duplicates of each other.",
        ("train/2", "train/3"),
        (clean, copies_in_two_splits),
    ),
}


def findings(code, root):
    return list(find("rules", code)(inspect(Dataset.open(root))))


@pytest.mark.parametrize("code", RULES)
def test_every_rule_speaks_where_its_fault_is(code, tmp_path):
    case = CASES[code]
    case.make(tmp_path)
    (found,) = findings(code, tmp_path)
    assert (found.code, found.level) == (code, case.level)
    assert case.message in found.message
    assert found.hint[0].isupper()
    assert found.hint[-1] in ".?"
    assert found.where == case.where or not case.where


@pytest.mark.parametrize("code", RULES)
def test_every_rule_is_silent_where_its_fault_is_not(code, tmp_path):
    for number, make in enumerate(CASES[code].quiet):
        root = tmp_path / str(number)
        make(root)
        assert findings(code, root) == []


@pytest.mark.parametrize("code", RULES)
def test_every_rule_says_why_it_matters(code):
    first, empty, *why = (find("rules", code).__doc__ or "").strip().splitlines()
    assert first.endswith(".")
    assert empty == ""
    assert why


@pytest.mark.parametrize("code", RULES)
def test_no_rule_stumbles_over_data_of_which_nothing_can_be_read(code, tmp_path):
    for name in ("0", "1"):
        for part in ("images", "masks"):
            (tmp_path / part).mkdir(exist_ok=True)
            (tmp_path / part / f"{name}.png").write_bytes(b"no picture")
    assert len(findings(code, tmp_path)) == (2 if code == "D101" else 0)


def test_some_empty_masks_are_a_note(tmp_path):
    pairs(tmp_path, [(0,), (0, 1), (0, 1), (0, 1)])
    (found,) = findings("D202", tmp_path)
    assert (found.level, found.where) == ("note", ("0",))


def test_the_other_side_of_a_missing_pair_is_named_as_near(tmp_path):
    write(pairs(tmp_path) / "images" / "cell7.png", picture(7))
    write(tmp_path / "masks" / "cell7_mask.png", mask(0, 1))
    messages = [found.message for found in findings("D103", tmp_path)]
    assert len(messages) == 2
    assert messages[0].endswith(f"The nearest name is {tmp_path / 'masks' / 'cell7_mask.png'}.")


def test_no_more_than_twenty_names_are_listed(tmp_path):
    pairs(tmp_path, [(0,)] * 25)
    (found,) = findings("D202", tmp_path)
    assert len(found.where) == 20
    assert found.message.startswith("25 of 25")
