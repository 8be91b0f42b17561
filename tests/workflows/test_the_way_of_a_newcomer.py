"""check → train → evaluate → predict → show, as a newcomer types them."""

import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from delineate.catalog import TABLES
from tests.workflows.conftest import QUICK

RUN_FILES = [
    "recipe.toml",
    "environment.json",
    "dataset.json",
    "journal.jsonl",
    "results.csv",
    "batch.png",
    "results.png",
    "report.html",
    "report.json",
    "confusion_matrix.png",
    "best/card.json",
    "best/model.keras",
    "pictures/epoch0001.png",
    "pictures/epoch0002.png",
]

SCORES = [
    "mean_iou",
    "mean_dice",
    "foreground_iou",
    "foreground_dice",
    "iou_per_image",
    "dice_per_image",
    "accuracy",
    "boundary_iou",
    "boundary_f1",
    "calibration_error",
    "intervals",
    "classes",
    "instances",
    "images",
]


def test_from_a_folder_to_masks(delineate, as_json, nuclei, tmp_path):
    checked = as_json("check", nuclei, "--to", "checked", "--recipe", "unet-nuclei")
    assert checked["images"] == 14
    assert (tmp_path / "checked" / "report.html").is_file()
    assert (tmp_path / "checked" / "augmented.png").is_file()

    trained = as_json("train", nuclei, "--to", "runs/first", *QUICK)
    assert trained["epochs"] == 2
    folder = tmp_path / "runs" / "first"
    assert [name for name in RUN_FILES if not (folder / name).is_file()] == []

    scored = as_json("evaluate", folder, nuclei)
    assert [name for name in SCORES if name not in scored] == []
    assert scored["split"] == "test"
    assert len(scored["images"]) == 3

    inputs = sorted((nuclei / "test").glob("*/images/*.png"))
    done = as_json("predict", folder, nuclei / "test/*/images/*.png", "--overlay", "--to", "masks")
    assert len(done["predictions"]) == 3
    for path in inputs:
        with Image.open(path) as image, Image.open(tmp_path / "masks" / path.name) as mask:
            assert mask.size == image.size
            assert mask.mode == "P"
            assert set(np.unique(np.asarray(mask))) <= {0, 1}
        assert (tmp_path / "masks" / f"{path.stem}_overlay.png").is_file()
        summary = json.loads((tmp_path / "masks" / f"{path.stem}.json").read_text())
        assert sum(item["pixels"] for item in summary["classes"]) == np.prod(summary["size"])

    assert [row["epoch"] for row in as_json("show", folder)["rows"]] == [1, 2]
    assert as_json("show", "runs")["rows"][0]["run"] == "first"
    code, out, _ = delineate("evaluate", folder, nuclei, "--split", "validation", "--to", "there")
    assert code == 0
    assert "dice_per_image" in out
    assert (tmp_path / "there" / "report.html").is_file()


@pytest.mark.parametrize("table", ["recipes", *TABLES])
def test_show_lists_every_table(delineate, table):
    code, out, _ = delineate("show", table)
    assert code == 0
    assert len(out.splitlines()) > 1


def test_training_says_an_epoch_per_line_and_names_the_folder(delineate, nuclei):
    code, out, err = delineate("train", nuclei, *QUICK)
    assert code == 0
    assert out.strip() == "runs/nuclei-unet-nuclei-1"
    assert sum(line.startswith("epoch ") for line in err.splitlines()) == 2
    assert "images/s" in err


def test_fetch_unpacks_an_archive_at_hand(delineate, real_data, tmp_path):
    archive = real_data / "stage1_train.zip"
    code, out, _ = delineate("fetch", "dsb2018", "--from", archive, "--to", "dsb")
    assert code == 0
    assert out.strip() == "dsb"
    assert len(list((tmp_path / "dsb").iterdir())) == 664


def test_the_version_is_told(delineate):
    code, out, _ = delineate("--version")
    assert code == 0
    assert out.startswith("delineate 0.")


@pytest.mark.parametrize(
    "command", [[], ["check"], ["demo"], ["evaluate"], ["fetch"], ["predict"], ["show"], ["train"]]
)
def test_help_imports_neither_numpy_nor_keras(command):
    script = (
        "import sys; from delineate.cli.main import run; code = run(sys.argv[1:]);"
        "heavy = {'numpy', 'keras', 'tensorflow', 'matplotlib'} & set(sys.modules);"
        "sys.exit(code or (str(heavy) if heavy else 0))"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, *command, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "--help" in result.stdout


def test_check_imports_no_keras(nuclei, tmp_path):
    script = (
        "import sys; from delineate.cli.main import run; run(sys.argv[1:]);"
        "sys.exit('keras' in sys.modules)"
    )
    command = [sys.executable, "-c", script, "check", str(nuclei), "--recipe", "unet-nuclei"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
