import json
import os

import numpy as np
import pytest
from PIL import Image

from delineate.cli.main import run


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(array)).save(path)


@pytest.fixture
def cells(tmp_path):
    """Six pairs, the masks of two of which are written in another way."""
    rng = np.random.default_rng(0)
    for number in range(6):
        mask = np.zeros((40, 48), np.uint8)
        mask[6:20, 4 + 4 * number : 20 + 4 * number] = 1 if number < 4 else 255
        image = rng.integers(0, 90, (40, 48, 3)) + 100 * (mask > 0)[..., None]
        write(tmp_path / "cells" / "images" / f"{number}.png", image.astype(np.uint8))
        write(tmp_path / "cells" / "masks" / f"{number}.png", mask)
    return tmp_path / "cells"


@pytest.fixture
def delineate(capsys, monkeypatch, tmp_path):
    """Runs a command line in an empty folder; returns exit code, stdout and stderr."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def command(*arguments):
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def test_it_says_what_the_data_is_then_what_was_found_then_where_the_page_would_be(
    delineate, cells
):
    code, out, err = delineate("check", cells)
    assert code == 1
    assert out.index("data  ") < out.index("images  ") < out.index("error D201")
    assert "--to FOLDER" in err


def test_the_page_and_the_json_are_written_where_asked(delineate, cells, tmp_path):
    code, out, err = delineate("check", cells, "--to", tmp_path / "to", "--json")
    assert code == 1
    assert json.loads(out) == json.loads((tmp_path / "to" / "report.json").read_text())
    assert f"the page is {tmp_path / 'to' / 'report.html'}" in err
    assert (tmp_path / "to" / "report.html").read_text().count("<img") > 6


def test_the_repaired_copy_passes_the_check(delineate, cells, tmp_path):
    code, out, _ = delineate("check", cells, "--fix", tmp_path / "good")
    assert code == 1
    assert f"A repaired copy is in {tmp_path / 'good'}: 6 images, 2 of them changed." in out
    code, out, _ = delineate("check", tmp_path / "good", "--json")
    assert code == 0
    assert [item["name"] for item in json.loads(out)["classes"]] == ["background", "class 1"]


def test_what_was_repaired_is_in_the_json(delineate, cells, tmp_path):
    _, out, _ = delineate("check", cells, "--fix", tmp_path / "good", "--json")
    repairs = json.loads(out)["repairs"]
    assert [change["name"] for change in repairs["changed"]] == ["4", "5"]
    assert repairs["left_out"] == []


@pytest.mark.parametrize("arguments", [["--fix", "taken"], ["--write"], ["--recipe", "nothing"]])
def test_what_cannot_be_done_is_refused_before_anything_is_read(
    delineate, cells, tmp_path, monkeypatch, arguments
):
    (tmp_path / "here" / "taken").mkdir()
    (tmp_path / "here" / "taken" / "file").touch()
    (cells / "dataset.toml").write_text("")
    monkeypatch.setattr("delineate.data.checking.inspection.inspect", None)
    code, out, err = delineate("check", cells, *arguments)
    assert code in (1, 2)
    assert out == ""
    assert err.startswith("error: ")
    assert "\nhint: " in err


def test_a_description_is_proposed_and_holds(delineate, cells):
    for number in (4, 5):
        (cells / "images" / f"{number}.png").unlink()
        (cells / "masks" / f"{number}.png").unlink()
    code, _, err = delineate("check", cells, "--write")
    assert code == 0
    assert str(cells / "dataset.toml") in err
    code, out, _ = delineate("check", cells, "--json")
    assert code == 0
    assert len(json.loads(out)["classes"]) == 2


def test_a_recipe_draws_augmented_samples_and_says_so_where_it_cannot(delineate, cells, tmp_path):
    _, _, err = delineate("check", cells, "--recipe", "unet-nuclei", "--to", tmp_path / "to")
    assert (tmp_path / "to" / "augmented.png").is_file()
    assert "augmented samples are in" in err
    for path in (cells / "images").iterdir():
        path.write_bytes(b"no picture")
    code, out, err = delineate("check", cells, "--recipe", "unet-nuclei")
    assert code == 1
    assert "error D101" in out
    assert "no augmented samples: " in err


def test_links_out_of_the_data_are_refused_unless_they_are_asked_for(delineate, cells, tmp_path):
    (cells / "masks" / "2.png").rename(tmp_path / "elsewhere.png")
    (cells / "masks" / "2.png").symlink_to(tmp_path / "elsewhere.png")
    code, out, err = delineate("check", cells)
    assert (code, out) == (1, "")
    assert f"error: {cells / 'masks' / '2.png'} leads by a link to {tmp_path}" in err
    assert "--follow-links" in err
    _, out, _ = delineate("check", cells, "--follow-links")
    assert "images  " in out
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[data]\nlinks = "follow"\n')
    _, out, _ = delineate("check", cells, "--recipe", recipe)
    assert "images  " in out


def test_a_pipe_among_the_images_is_a_finding_and_is_not_waited_for(delineate, cells, tmp_path):
    for number, suffix in ((0, ".png"), (1, ".tif"), (2, ".jpg")):
        (cells / "images" / f"{number}.png").unlink()
        os.mkfifo(cells / "images" / f"{number}{suffix}")
    (cells / "masks" / "3.png").unlink()
    os.mkfifo(cells / "masks" / "3.png")
    os.mkfifo(cells / "table.csv")
    code, out, _ = delineate("check", cells, "--to", tmp_path / "to", "--recipe", "unet-nuclei")
    assert code == 1
    assert out.count("is not a regular file") == 4
