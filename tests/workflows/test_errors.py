"""Every mistake gives one error, one hint, the right exit code, and leaves things untouched."""

import errno
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from delineate import files
from tests.workflows.conftest import QUICK


def snapshot(folder):
    """Every file below a folder with its content."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def one_error(err):
    """The only error and the only hint on stderr."""
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    hints = [line for line in err.splitlines() if line.startswith("hint: ")]
    assert len(errors) == len(hints) == 1, err
    assert "Traceback" not in err
    return errors[0], hints[0]


@pytest.fixture
def pairs(tmp_path):
    """A small data set of the layout `folders`."""
    folder = tmp_path / "pairs"
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for number in range(6):
        image = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(image).save(folder / "images" / f"cell_{number}.png")
        mask = (image[..., 0] > 128).astype(np.uint8)
        Image.fromarray(mask).save(folder / "masks" / f"cell_{number}.png")
    return folder


def break_nothing(folder):
    pass


def lose_a_mask(folder):
    (folder / "masks" / "cell_3.png").rename(folder / "masks" / "cell-3.png")


def cut_an_image(folder):
    path = folder / "images" / "cell_2.png"
    path.write_bytes(path.read_bytes()[:200])


def shrink_a_mask(folder):
    Image.fromarray(np.zeros((16, 32), np.uint8)).save(folder / "masks" / "cell_1.png")


def blend_a_mask(folder):
    ramp = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32) // 4
    Image.fromarray(ramp.astype(np.uint8)).save(folder / "masks" / "cell_1.png")


@pytest.mark.parametrize(
    ("damage", "arguments", "code", "told"),
    [
        (break_nothing, ["train", "nowhere"], 1, "no folder nowhere"),
        (break_nothing, ["train", "."], 1, "no data set"),
        (break_nothing, ["train", "pairs", "--recipe", "unet-nuclie"], 2, "unet-nuclei"),
        (
            break_nothing,
            ["train", "pairs", "--set", "training.epoch=3"],
            2,
            "Did you mean 'epochs'",
        ),
        (break_nothing, ["train", "pairs", "--set", "training.epochs=none"], 2, "training.epochs"),
        (break_nothing, ["train", "pairs", "--set", "training.epochs"], 2, "no '='"),
        (break_nothing, ["train", "pairs", "--resume"], 2, "--resume"),
        (break_nothing, ["train", "pairs", "--to", "pairs"], 1, "exists already"),
        (break_nothing, ["train", "pairs", "--to", "gone", "--resume"], 1, "no run folder"),
        (
            break_nothing,
            ["train", "pairs", "--set", "loss.terms={dice = 1.0}"],
            2,
            "'dice_per_class'",
        ),
        (
            break_nothing,
            ["train", "pairs", "--recipe", "unet-nuclei", "--set", "callbacks.best=val_dise"],
            2,
            "val_dice",
        ),
        (lose_a_mask, ["train", "pairs"], 1, "cell-3"),
        (cut_an_image, ["train", "pairs"], 1, "cell_2.png"),
        (shrink_a_mask, ["train", "pairs"], 1, "16×32"),
        (blend_a_mask, ["train", "pairs"], 1, "hold mixtures"),
        (break_nothing, ["evaluate", "nowhere", "pairs"], 1, "no run or bundle nowhere"),
        (break_nothing, ["evaluate", "pairs", "pairs"], 1, "neither a run"),
        (break_nothing, ["predict", "pairs", "pairs"], 1, "neither a run"),
        (break_nothing, ["predict", "nowhere", "none*.png"], 2, "names no image"),
        (break_nothing, ["show", "nothing"], 2, "neither a run"),
        (break_nothing, ["fetch", "dsb2017"], 2, "dsb2018"),
        (break_nothing, ["fetch", "dsb2018", "--from", "no.zip"], 1, "no.zip"),
        (break_nothing, ["tarin", "pairs"], 2, "tarin"),
        (break_nothing, ["train"], 2, "DATA"),
        (break_nothing, ["train", "pairs", "--epochs", "3"], 2, "--epochs"),
    ],
)
def test_a_mistake_is_told_once_with_a_hint(
    delineate, pairs, tmp_path, damage, arguments, code, told
):
    damage(pairs)
    before = snapshot(tmp_path)
    found, out, err = delineate(*arguments)
    error, hint = one_error(err)
    assert (found, out) == (code, "")
    assert told in error + hint
    assert snapshot(tmp_path) == before


def test_traceback_shows_where_an_error_came_from(delineate, pairs):
    code, _, err = delineate("train", "nowhere", "--traceback")
    assert code == 1
    assert "Traceback" in err


def test_check_lists_findings_and_exits_with_1(delineate, pairs):
    lose_a_mask(pairs)
    cut_an_image(pairs)
    code, out, _ = delineate("check", pairs)
    assert code == 1
    assert "D101" in out
    assert "D103" in out


def test_without_a_backend_the_hint_is_the_pip_line(pairs, tmp_path):
    script = (
        "import importlib.util as util, sys\n"
        "found = util.find_spec\n"
        "hidden = {'tensorflow', 'jax', 'torch'}\n"
        "util.find_spec = lambda name, *rest: None if name in hidden else found(name, *rest)\n"
        "from delineate.cli.main import run\n"
        "sys.exit(run(sys.argv[1:]))\n"
    )
    environment = {"PATH": "", "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    result = subprocess.run(
        [sys.executable, "-c", script, "train", str(pairs)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
    )
    error, hint = one_error(result.stderr)
    assert result.returncode == 1
    assert "No Keras backend is installed" in error
    assert "pip install 'delineate[tensorflow]'" in hint
    assert not (tmp_path / "runs").exists()


def test_a_full_disk_ends_the_training_and_keeps_the_last_good_state(
    delineate, nuclei, tmp_path, monkeypatch
):
    flush, written = files.flush, []

    def fill_up(path):
        if path.suffix == ".npz":
            written.append(path)
        if path.suffix == ".npz" and len(written) > 1:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        flush(path)

    monkeypatch.setattr(files, "flush", fill_up)
    code, _, err = delineate("train", nuclei, "--to", "full", *QUICK)
    error, hint = one_error(err)
    assert code == 1
    assert "The disk is full" in error
    assert "--resume" in hint
    left = [path.name for path in (tmp_path / "full" / "last").iterdir()]
    assert len(left) == 1, "the good resume point stands, and no temporary file"
    monkeypatch.setattr(files, "flush", flush)
    code, _, err = delineate("train", nuclei, "--to", "full", "--resume")
    assert code == 0, err


def test_one_bad_image_among_good_ones_is_listed_and_the_exit_code_is_1(
    delineate, nuclei, tmp_path
):
    assert delineate("train", nuclei, "--to", "run", *QUICK)[0] == 0
    good = next((nuclei / "test").glob("*/images/*.png"))
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "good.png").write_bytes(good.read_bytes())
    (tmp_path / "in" / "bad.png").write_bytes(b"no picture")
    code, _, err = delineate("predict", "run", "in", "--to", "out")
    error, _ = one_error(err)
    assert code == 1
    assert "bad.png" in error
    assert (tmp_path / "out" / "good.png").is_file()
    assert not (tmp_path / "out" / "bad.png").exists()
