"""Odd and broken files in a data set end with an error, or with what they should.

The short form of ``python -m tests.campaigns.odd_images``, which does so with all of them.
"""

import json
import os

import pytest

from tests.campaigns import odd_images as campaign
from tests.campaigns.odd_images import base_of, commands_of, lay_out, run_here, said, sound

# Some ways of being odd; the first ones are trained on, too.
CASES = (
    ("corrupt/truncated_image.png", "image"),
    ("made/bomb_valid_20000x20000_1bit.png", "mask"),
    ("made/bomb_valid_20000x20000_1bit.png", "image"),
    ("bomb/decompression_bomb_extents.gif", "image"),
    ("depth/12bit.cropped.tif", "image"),
    ("exif/hopper_orientation_6.jpg", "image"),
    ("made/float_nan.tif", "image"),
    ("made/mask_is_rgba.png", "mask"),
    ("made/tall_1x20000.png", "image"),
    ("made/Ünïcødé 图像 name.png", "image"),
)
TRAINED = CASES[:2]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of the smallest network."""
    folder = tmp_path_factory.mktemp("odd")
    found = run_here(base_of(folder / "base", folder / "run"))
    assert found["code"] == 0, found
    return folder / "run"


def row_of(case, place, run, role, commands):
    """Run some of the commands, and return what they say and cost."""
    every = commands_of(case, place, run, role)
    return {name: run_here(every[name]) for name in commands if name in every}


def table():
    """What the campaign has frozen; until there is any, nothing can be compared."""
    if not campaign.TABLE.is_file():
        pytest.skip(f"there is no {campaign.TABLE.name} yet: run the campaign with `freeze`")
    return json.loads(campaign.TABLE.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "role"), CASES)
def test_an_odd_file_gives_no_traceback_and_does_not_fill_the_memory(
    real_data, tmp_path, run, name, role
):
    commands = campaign.COMMANDS if (name, role) in TRAINED else ("check", "evaluate", "predict")
    place = lay_out(tmp_path / "case", real_data / "odd_images" / name, role)
    row = row_of(tmp_path / "case", place, run, role, commands)
    for command, found in row.items():
        assert found["code"] in (0, 1), found
        assert found["code"] == 0 or found["said"], (command, found)
        assert not found["fault"], (command, found)
        # What the library takes when it first meets a size counts as well here.
        assert found["mib"] <= 2 * campaign.MIB, (command, found)
    frozen = table()[f"{name} as {role}"]
    assert said(row) == {command: frozen[command] for command in row}


def test_the_table_has_each_odd_file_as_image_and_as_mask(real_data):
    folder = real_data / "odd_images"
    names = [path.relative_to(folder).as_posix() for path in folder.glob("*/*") if path.is_file()]
    wanted = {f"{name} as {role}" for name in names for role in ("image", "mask")}
    assert set(table()) == wanted


def test_sound_data_pass_all_commands(tmp_path, run):
    place = lay_out(tmp_path / "case", tmp_path, campaign.SOUND)
    row = row_of(tmp_path / "case", place, run, campaign.SOUND, campaign.COMMANDS)
    assert {command: found["code"] for command, found in row.items()} == dict.fromkeys(row, 0)


@pytest.mark.parametrize("role", ["image", "mask"])
def test_a_pipe_in_a_data_set_ends_each_command_with_an_error(tmp_path, run, role):
    (tmp_path / "odd.png").write_bytes(b"")
    place = lay_out(tmp_path / "case", tmp_path / "odd.png", role)
    place.unlink()
    os.mkfifo(place)
    row = row_of(tmp_path / "case", place, run, role, campaign.COMMANDS)
    shown = {name: found for name, found in row.items() if name != "predict" or role == "image"}
    for command, found in shown.items():
        assert found["code"] == 1, (command, found)
        assert not found["fault"], (command, found)
        assert "D101" in found["said"][0] or "not a regular file" in found["said"][0], found


def test_what_is_lost_hangs_or_fills_the_memory_is_not_sound():
    good = {"code": 1, "said": [], "fault": False, "seconds": 0.1, "mib": 3.0}
    assert sound({"case": "a", "check": good, "train": good})
    for bad in ({"fault": True}, {"seconds": 11.0}, {"mib": 600.0}):
        assert not sound({"case": "a", "check": good, "train": good | bad})
    assert not sound({"case": "a", "check": {"lost": "hangs", "seconds": 0.1, "mib": 0.0}})
