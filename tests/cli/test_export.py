"""What `delineate export` and `delineate benchmark` print, write and refuse."""

import json
from importlib.util import find_spec

import numpy as np
import pytest

from delineate.bundle import Bundle
from delineate.cli import main as cli
from delineate.imaging import write_png
from tests.bundles import pointwise_model, save_bundle

needs_tensorflow = pytest.mark.skipif(
    find_spec("tensorflow") is None, reason="tensorflow: not installed"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with images of squares."""
    folder = tmp_path_factory.mktemp("data") / "squares"
    for number in range(6):
        mask = np.zeros((24, 32), np.uint8)
        mask[4:14, 3 + number : 13 + number] = 255
        image = np.where(mask, 200, 20).astype(np.uint8)
        write_png(folder / "images" / f"{number}.png", image)
        write_png(folder / "masks" / f"{number}.png", mask)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run, and its export as a SavedModel where TensorFlow is installed."""
    folder = tmp_path_factory.mktemp("runs") / "one"
    folder.mkdir()
    (folder / "recipe.toml").write_text("")
    save_bundle(folder / "best", pointwise_model([0.5]))
    return folder


@needs_tensorflow
def test_an_export_is_told_in_words_and_in_json(run, data, tmp_path, capsys):
    command = ["export", str(run), "--format", "savedmodel", "--data", str(data)]
    assert cli.run(command) == 0
    printed = capsys.readouterr().out
    place = run / "exports" / "savedmodel-float32"
    assert f"savedmodel in float32 is in {place}" in printed
    assert "compared on 6 images" in printed
    assert "mean IoU" in printed
    assert Bundle.open(place).card.export.images == 6
    assert cli.run([*command, "--to", str(tmp_path / "other"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["bundle"] == str(tmp_path / "other")
    assert (told["format"], told["precision"], told["images"]) == ("savedmodel", "float32", 6)
    assert told["changed"] == 0
    assert told["mean_iou"]["before"] == told["mean_iou"]["after"]


@needs_tensorflow
def test_the_benchmark_has_a_row_for_each(run, data, capsys):
    assert cli.run(["export", str(run), "--format", "savedmodel", "--data", str(data)]) == 0
    capsys.readouterr()
    command = ["benchmark", str(run), "--data", str(data), "--seconds", "0.1"]
    assert cli.run([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["run"] == str(run)
    assert [row["format"] for row in told["rows"]] == ["keras", "savedmodel"]
    assert cli.run(command) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split()[:2] == ["format", "precision"]
    assert [line.split()[0] for line in lines if line.strip(" -")] == ["keras", "savedmodel"]


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (["--format", "savedmodle"], 2, "There is no format 'savedmodle'. Did you mean"),
        (["--format", "litert", "--precision", "bfloat16"], 2, "litert has no precision"),
    ],
)
def test_what_cannot_be_exported_is_refused_with_a_hint(
    run, data, capsys, options, status, message
):
    assert cli.run(["export", str(run), "--data", str(data), *options]) == status
    told = capsys.readouterr()
    assert told.out == ""
    assert message in told.err
    assert "hint: Use one of: " in told.err


def test_a_folder_without_a_model_has_no_benchmark(tmp_path, capsys):
    assert cli.run(["benchmark", str(tmp_path)]) == 1
    told = capsys.readouterr()
    assert told.err.startswith("error: ")
    assert "hint: " in told.err
