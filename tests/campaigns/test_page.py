"""The page of the campaigns is not written before they have reached what they should."""

import sys

import pytest

from tests.campaigns import figures, page, record, tables
from tests.campaigns.growth import grown

TRIED = {"code": 1, "said": [], "fault": False, "seconds": 0.5, "mib": 3.0}
# A row of each campaign, without its case.
ROWS = {
    "kills": {"stood": "a step", "went_on": True, "equal": True, "all_files": True, "kept": True},
    "resume-matrix": {},
    "full-disk": dict.fromkeys(("told", "opens", "went_on", "equal", "all_files"), True),
    "mishaps": {"told": True, "went_on": True, "equal": True},
    "long-run": {"minutes": 60.5, "mib": 500.0, "handles": 9, "threads": 5, "children": 0},
    "connections": {"tried": [], "strace": False},
    "odd-images": {"check": TRIED, "train": TRIED, "evaluate": TRIED, "predict": TRIED},
    "mutated-images": {"inputs": 5, "refused": 3, "read": 2, "others": [], "slowest": 0.1},
    "properties": {"examples": 1000, "failures": 0},
    "hostile-bundles": {"outcome": "refused", "outside": [], "seconds": 1.0, "mib": 900},
    "dependencies": {"said": "5 passed"},
}
CASES = {
    "kills": "jax: moment 3",
    "resume-matrix": "jax: accumulation: at the end of an epoch",
    "full-disk": "change 3",
    "mishaps": "out of memory 3",
    "odd-images": "made/tall.png as image",
    "mutated-images": "png 0 to 5",
    "properties": "geometry: turns undo turns",
    "dependencies": "lowest, jax: suite",
}


def row_of(name, **changes):
    return {"case": CASES.get(name, "a"), "commit": "abc", "right": True, **ROWS[name], **changes}


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    """The page, which is not there yet, of no rows."""
    said = {"commit": "abc", "python": "3.11", "cores": 2}
    monkeypatch.setattr(record, "ROWS", tmp_path / "rows")
    monkeypatch.setattr(record, "circumstances", lambda: said)
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(sys, "argv", ["page"])
    return tmp_path / "page.md"


def missing(name):
    return list(page.missing_of(name, page.CAMPAIGNS[name]))


def test_every_campaign_has_figures_and_a_row_here():
    assert set(ROWS) == set(page.CAMPAIGNS)
    assert all(campaign.figures for campaign in page.CAMPAIGNS.values())


def test_what_is_short_is_said_and_nothing_is_written(place):
    with pytest.raises(SystemExit) as ended:
        page.main()
    assert "Killed: nothing is there yet." in str(ended.value)
    assert not place.exists()


def test_so_far_writes_what_there_is_and_what_is_missing(place, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["page", page.SO_FAR])
    for name in ROWS:
        row = row_of(name)
        record.write(name, [row], {"": [row["case"]]})
    page.main()
    text = place.read_text(encoding="utf-8")
    assert text.count("\n## ") == len(page.CAMPAIGNS)
    assert "Missing yet: 0 of 100 random moments on TensorFlow; 1 of 30 random moments on" in text
    assert "5 of 100,000 inputs of png" in text
    assert "at commit abc, Python 3.11, 2 cores" in text


def test_where_all_is_reached_the_page_is_written(place, monkeypatch):
    small = page.Campaign("A", "a", "b", tables.mishaps, (figures.right(1, "times"),))
    monkeypatch.setattr(page, "CAMPAIGNS", {"mishaps": small})
    record.write("mishaps", [row_of("mishaps")], {"": ["out of memory 3"]})
    page.main()
    assert "Missing yet" not in place.read_text(encoding="utf-8")


def test_cases_without_a_row_and_rows_that_are_wrong_are_missing():
    record.write("connections", [row_of("connections", right=False)], {"": ["a", "b"]})
    assert missing("connections") == [
        "1 still to be tried, such as b",
        "1 not as they should be, such as a",
        "0 of 10 commands",
    ]


def test_rows_of_cases_that_are_no_more_do_not_count():
    record.write("connections", [row_of("connections")], {"": ["b"]})
    assert missing("connections") == ["nothing is there yet"]


def test_the_six_mishaps_of_part_six_are_among_those_that_are_asked_for():
    wanted = {"NaN", "out of memory", "vanished folder", "damaged cache", "SIGTERM", "two writers"}
    assert wanted <= set(page.MISHAPS)


def test_a_short_run_is_no_hour():
    rows = [row_of("long-run", minutes=1.0)]
    assert list(figures.minutes(60)(rows)) == ["1 of 60 minutes"]


def test_what_grows_is_not_flat():
    def rows(**last):
        return [row_of("long-run", **(last if number > 9 else {})) for number in range(12)]

    assert grown(rows()) == []
    assert grown(rows(mib=509.0)) == []
    assert grown(rows(mib=511.0)) == ["mib"]
    assert grown(rows(handles=10, children=1)) == ["handles", "children"]


def test_probes_that_could_not_be_tried_do_not_count():
    probes = [row_of("hostile-bundles"), row_of("hostile-bundles", right=False)]
    untried = {"case": "b", "outcome": "needs onnx", "right": None}
    rows = [*probes, untried]
    assert list(figures.probes(3)(rows)) == ["1 of 3 probes"]
    assert "| probes | 2 | 1 of 2 rows |" in tables.hostile_bundles(rows)
    assert "| what could not be tried here | 1 |" in tables.hostile_bundles(rows)


def test_flipped_bytes_count_where_they_did_no_harm():
    row = {"opened": 60, "refused": 39, "error": 1, "outside": [], "seconds": 1.0, "mib": 900}
    rows = [{"case": "card 0", "right": True, **row}, {"case": "card 1", "right": False, **row}]
    assert list(figures.flips(200)(rows)) == ["100 of 200 flipped bytes"]
    assert "| flipped bytes | 200 | 1 of 2 rows | 0 |" in tables.hostile_bundles(rows)
