import numpy as np
import pytest

from delineate.data.checking.check import check
from delineate.data.checking.summary import percent, summarise, tell
from delineate.data.dataset import Dataset
from delineate.report import Finding, Report

FINDINGS = (
    *(Finding("D302", "note", f"note {number}", "h") for number in range(28)),
    Finding("D101", "error", "a file", "Mend it.", ("a", "b", "c", "d", "e")),
    Finding("D202", "warning", "a mask", "Look.", ("a", "b", "c")),
)


def dataset(count=2, **options):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (6, 32, 48, 3), np.uint8)
    cells = rng.integers(0, count, (6, 8, 12), np.uint8)
    return Dataset.from_arrays(images, cells.repeat(4, 1).repeat(4, 2), name="cells", **options)


def test_the_worst_comes_first_with_its_hint_and_where_it_is():
    lines = tell(FINDINGS).splitlines()
    assert lines[:3] == ["error D101: a file", "  hint: Mend it.", "  where: a, b, c and 2 more"]
    assert lines[3] == "warning D202: a mask"
    assert lines[5] == "  where: a, b, c"


def test_of_one_rule_five_are_told_and_the_others_counted():
    text = tell(FINDINGS)
    assert text.count("note D302") == 5
    assert "  and 23 more of D302" in text
    assert text.endswith("\nFound: 1 error, 1 warning, 28 notes.")


def test_without_findings_it_says_so():
    assert summarise(Report("t", "check", {}, ())) == "Nothing was found wrong."


def test_two_classes_are_told_in_one_line_and_the_lines_are_aligned():
    lines = summarise(check(dataset(), pictures=False)).partition("\n\n")[0].splitlines()
    starts = {line.partition("  ")[0]: line for line in lines}
    assert starts["data"] == "data      cells, layout arrays"
    assert starts["images"] == "images    6, in no splits"
    assert starts["sizes"] == "sizes     32×48"
    assert starts["channels"] == "channels  3; uint8 with values 0 to 254"
    assert starts["masks"] == "masks     class ids 0 to 1"
    assert starts["classes"].startswith("classes   background 5")
    assert starts["objects"].startswith("objects   connected parts, ")


def test_more_classes_make_a_table_with_their_shares_in_each_split():
    splits = ["train"] * 4 + ["test"] * 2
    report = check(dataset(4, splits=splits, classes=["none", "a", "b", "wall"]), pictures=False)
    table = summarise(report).split("\n\n")[1].splitlines()
    assert table[0].split() == [
        "class",
        "share",
        "in",
        "train",
        "in",
        "test",
        "images",
        "part",
        "(median)",
    ]
    assert [line.split()[0] for line in table[1:]] == ["none", "a", "b", "wall"]
    assert len({len(line) for line in table}) == 1
    assert "images    6 (train 4, test 2)" in summarise(report)


def test_what_is_not_understood_is_said():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (2, 32, 48, 1), np.uint8)
    cells = rng.integers(0, 3, (2, 8, 12), np.uint16) * 7000
    masks = cells.repeat(4, 1).repeat(4, 2)
    text = summarise(check(Dataset.from_arrays(images, masks), pictures=False))
    assert "masks     not understood: see the findings" in text
    assert "error D200" in text


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "–"), (0, "0 %"), (1, "100.0 %"), (0.0034, "0.3 %"), (0.00034, "0.034 %")],
)
def test_small_shares_keep_two_digits(share, text):
    assert percent(share) == text
