import io
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from delineate.catalog import RULES
from delineate.data.checking.check import check
from delineate.data.checking.evidence import Scene, evidence
from delineate.data.checking.gallery import Room, draw_findings, draw_samples, spread
from delineate.data.checking.inspection import inspect
from delineate.data.checking.tiles import jpeg
from delineate.data.dataset import Dataset
from delineate.page import render
from delineate.report import Finding, Tile


def write(path, array, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array)).save(path, **options)


def noise(number, size=(40, 60)):
    return np.random.default_rng(number).integers(0, 255, (*size, 3), np.uint8)


def box(size=(40, 60), value=1):
    mask = np.zeros(size, np.uint8)
    mask[4:18, 8:40] = value
    return mask


def fill(root, count=4, split=None):
    part = root / split if split else root
    for number in range(count):
        write(part / "images" / f"{number}.png", noise(number))
        write(part / "masks" / f"{number}.png", box())
    return root


def scene_of(root, **options):
    return Scene(inspect(Dataset.open(root, cache=False), **options))


def drawn(scene, code, *where):
    """The pictures of a finding that such a rule would have made."""
    shown = evidence(scene, Finding(code, "error", "m", "h", where))
    return Room().draw(shown.drawings)


def pixels(tile):
    return np.asarray(Image.open(io.BytesIO(tile.picture)).convert("RGB"), int)


@pytest.mark.parametrize("code", [*RULES, "D999"])
def test_no_rule_s_pictures_raise_anything_for_broken_or_vanished_data(tmp_path, code):
    fill(tmp_path, count=6)
    (tmp_path / "images" / "0.png").write_bytes(b"no picture")
    write(tmp_path / "masks" / "1.png", box((7, 9)))
    write(tmp_path / "masks" / "2.png", noise(9)[..., 0])
    scene = scene_of(tmp_path)
    (tmp_path / "images" / "3.png").unlink()
    finding = Finding(code, "error", "m", "h", ("0", "1", "2", "3", "no such", ""))
    (found,) = draw_findings(scene.inspection, [finding], Room())
    assert found.gallery is not None
    assert found == finding


def test_findings_of_one_rule_are_drawn_as_often_as_the_page_shows_them(tmp_path):
    inspection = inspect(Dataset.open(fill(tmp_path), cache=False))
    findings = [Finding("D302", "note", f"{n}", "h", ("0", "1", "2", "3")) for n in range(40)]
    found = draw_findings(inspection, findings, Room())
    assert [finding.message for finding in found] == [str(number) for number in range(40)]
    sizes = [len(finding.gallery.tiles) if finding.gallery else None for finding in found]
    assert sizes == [4] * 8 + [None] * 32


def test_the_worst_is_drawn_where_room_is_short(tmp_path):
    inspection = inspect(Dataset.open(fill(tmp_path), cache=False))
    findings = [
        Finding(f"X{n}", level, "m", "h", ("0",)) for n, level in enumerate(("note", "error"))
    ]
    one = len(draw_findings(inspection, findings, Room())[1].gallery.tiles[0].picture)
    note, error = draw_findings(inspection, findings, Room(one + 1))
    assert (len(note.gallery.tiles), len(error.gallery.tiles)) == (0, 1)


def test_pictures_stop_where_there_is_no_more_room(tmp_path):
    fill(tmp_path, count=12)
    inspection = inspect(Dataset.open(tmp_path, cache=False))
    room = Room(1_000_000)
    draw_samples(inspection, room)
    findings = [Finding(f"X{n}", "note", "m", "h", tuple("012345")) for n in range(30)]
    found = draw_findings(inspection, findings, room)
    kept = sum(len(tile.picture) for finding in found for tile in finding.gallery.tiles)
    assert 0 < kept < 1_000_000
    assert room.left <= 0


def test_no_more_is_drawn_once_the_room_is_taken():
    drawn = Counter()

    def draw():
        drawn["tiles"] += 1
        return Tile(b"x" * 60, "a")

    room = Room(100)
    assert len(room.draw([draw] * 3)) == 1
    assert room.draw([draw] * 3) == ()
    assert drawn["tiles"] == 3


def test_a_whole_check_shows_samples_kinds_places_and_findings_on_its_page(tmp_path):
    fill(tmp_path, count=6)
    write(tmp_path / "masks" / "0.png", np.zeros((40, 60), np.uint8))
    report = check(Dataset.open(tmp_path, cache=False))
    titles = [section.title for section in report.sections]
    assert titles == ["What the data is", "Samples", "Where each class lies", "Kinds of picture"]
    assert all(section.galleries for section in report.sections[1:])
    found = {finding.code: finding for finding in report.findings}
    assert [tile.name for tile in found["D202"].gallery.tiles] == ["0"]
    page = render(report)
    assert page.count("data:image/jpeg;base64,") >= 6
    assert "gallery" not in report.to_json()["findings"][0]


@pytest.mark.parametrize(
    ("count", "chosen"), [(0, []), (1, [0]), (2, [0, 1]), (5, [0, 2, 4]), (100, [0, 50, 99])]
)
def test_a_spread_takes_the_first_the_last_and_what_lies_evenly_between(count, chosen):
    assert spread(range(count), 3) == chosen


def test_colours_are_not_thinned_out_in_photographs():
    stripes = np.zeros((16, 16, 3), np.uint8)
    stripes[:, ::2] = (230, 0, 0)
    shown = np.asarray(Image.open(io.BytesIO(jpeg(stripes))).convert("RGB"), int)
    assert np.abs(shown - stripes).mean() < 20


def test_the_legend_names_what_is_tinted_and_what_is_ignored(tmp_path):
    mask = box()
    mask[0] = 255
    fill(tmp_path)
    write(tmp_path / "masks" / "0.png", mask)
    (tmp_path / "dataset.toml").write_text('[classes]\nnames = ["sky", "road"]\n')
    (shown,) = draw_samples(inspect(Dataset.open(tmp_path, cache=False)), Room())
    assert [name for _, name in shown.keys] == ["road", "ignored (hatched)"]
    assert shown.caption.endswith("The first class, sky, is not tinted.")
