"""The page of the campaigns is not written before they have reached what they should."""

import sys

import pytest

from tests.campaigns import figures, page, record, tables
from tests.campaigns.growth import grown

TRIED = {"code": 1, "said": [], "fault": False, "seconds": 0.5, "mib": 3.0}
ABOUT = {"cores": 2, "platform": "Linux", "python": "3.11", "versions": {"keras": "3.15"}}
HERE = {"commit": "abc", "circumstances": ABOUT}
# A row of each campaign, without its case.
ROWS = {
    "kills": {
        "stood": "a step",
        **dict.fromkeys(("went_on", "equal", "all_files", "found", "kept"), True),
    },
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
    return {"case": CASES.get(name, "a"), **HERE, "right": True, **ROWS[name], **changes}


@pytest.fixture(autouse=True)
def place(monkeypatch, tmp_path):
    """The page, which is not there yet, of no rows."""
    monkeypatch.setattr(record, "ROWS", tmp_path / "rows")
    monkeypatch.setattr(record, "is_unchanged_since", lambda commit: commit == "abc")
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
    assert "Missing yet: 0 of 100 random moments on TensorFlow; 0 of 10 random moments on" in text
    assert "5 of 100,000 inputs of png" in text
    assert "at commit abc, Python 3.11, 2 cores, Linux, keras 3.15." in text


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


def test_rows_of_other_code_are_missing_unless_it_is_so_far(place, monkeypatch):
    rows = [row_of("mishaps", case=f"SIGTERM {number}") for number in range(3)]
    rows[1]["commit"] = "older"
    rows[2]["commit"] = f"abc{record.CHANGED}"
    record.write("mishaps", rows, {"": [row["case"] for row in rows]})
    small = page.Campaign("A", "a", "b", tables.mishaps, (figures.right(3, "times"),))
    assert list(page.missing_of("mishaps", small)) == [
        "2 of other code than this, or a tree with changes, such as SIGTERM 1",
        "1 of 3 times",
    ]
    assert list(page.missing_of("mishaps", small, so_far=True)) == [
        "1 of a tree with changes, such as SIGTERM 2",
        "2 of 3 times",
    ]
    monkeypatch.setattr(page, "CAMPAIGNS", {"mishaps": small})
    with pytest.raises(SystemExit, match="such as SIGTERM 1"):
        page.main()
    monkeypatch.setattr(sys, "argv", ["page", page.SO_FAR])
    page.main()
    text = place.read_text(encoding="utf-8")
    assert "| SIGTERM | 2 |" in text, "those of a tree with changes are in no table"
    assert "at commit abc and older, Python 3.11" in text


def test_rows_of_a_tree_with_changes_alone_are_nothing():
    row = row_of("connections", commit=f"abc{record.CHANGED}")
    record.write("connections", [row], {"": ["a"]})
    assert missing("connections")[-1] == "nothing is there yet"


def test_the_page_names_all_places_where_its_rows_were_made(place, monkeypatch):
    elsewhere = {**ABOUT, "cores": 8, "versions": {"keras": "3.16", "jax": "0.10"}}
    rows = [
        row_of("mishaps"),
        row_of("mishaps", case="SIGTERM 1", circumstances=elsewhere),
        row_of("mishaps", case="SIGTERM 2", circumstances=elsewhere),
    ]
    record.write("mishaps", rows, {"": [row["case"] for row in rows]})
    small = page.Campaign("A", "a", "b", tables.mishaps, (figures.right(3, "times"),))
    monkeypatch.setattr(page, "CAMPAIGNS", {"mishaps": small})
    page.main()
    said = place.read_text(encoding="utf-8")
    assert "at commit abc, Python 3.11, 2 cores, Linux, keras 3.15; at commit abc, " in said
    assert said.endswith("Python 3.11, 8 cores, Linux, keras 3.16, jax 0.10.\n")


def kills(**where):
    """Rows of kills on PyTorch at random moments: so many for each place where they stood."""
    stood = [name.replace("_", " ") for name, count in where.items() for _ in range(count)]
    return [
        row_of("kills", case=f"torch: moment {number}", stood=name)
        for number, name in enumerate(stood)
    ]


def kills_missing(rows):
    told = (each for figure in page.CAMPAIGNS["kills"].figures for each in figure(rows))
    return [each for each in told if "PyTorch" in each]


def test_kills_before_anything_was_saved_are_not_enough():
    change = row_of("kills", case="torch: change 5", stood="nothing")
    assert kills_missing([*kills(nothing=24, a_step=3, an_epoch=3), change]) == []
    assert kills_missing(kills(nothing=25, a_step=2, an_epoch=3)) == [
        "2 of 3 random moments on PyTorch at a step",
        "0 of 1 changes of a file on PyTorch",
    ]
    assert kills_missing([*kills(a_recipe=26, a_step=3, an_epoch=1), change]) == [
        "1 of 3 random moments on PyTorch at an epoch"
    ]


def test_kills_after_which_something_was_wrong_do_not_count_as_kills_at_a_step():
    rows = [{**row, "right": False} for row in kills(a_step=3)]
    assert list(figures.stood(3, "a step", "moments", of="torch: ")(rows)) == [
        "0 of 3 moments at a step"
    ]


def test_each_mode_has_to_be_resumed_at_each_moment_on_each_backend():
    (figure, *_) = page.CAMPAIGNS["resume-matrix"].figures
    cases = [f"tensorflow: {mode}: {moment}" for mode in page.MODES for moment in page.MOMENTS]
    rows = [row_of("resume-matrix", case=case) for case in cases]
    assert list(figure(rows)) == []
    (told,) = figure(rows[1:])
    assert told == f"{len(rows) - 1} of {len(rows)} resumptions on TensorFlow"


def test_the_mishaps_of_part_six_and_their_kinds_are_among_those_that_are_asked_for():
    wanted = {"NaN", "out of memory", "vanished folder", "damaged cache", "SIGTERM", "two writers"}
    wanted |= {"NaN, by the loss", "NaN, with accumulation", "NaN, in the refiner"}
    places = ("before a picture", "in the background", "after the last save")
    wanted |= {f"vanished folder, {place}" for place in places}
    wanted |= {"two writers, in a folder made anew", "corrupt image, left out and stopped"}
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
    assert grown(rows(threads=6)) == ["threads"]


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
