"""What `delineate evaluate` prints, and what it refuses."""

import json

import numpy as np
import pytest

from delineate.cli import main as cli
from delineate.imaging import write_png
from tests.bundles import pointwise_model, save_bundle
from tests.campaigns.probes import engines
from tests.campaigns.probes.making import bundle_from_elsewhere


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with three dark and three brighter images of squares."""
    folder = tmp_path_factory.mktemp("data") / "squares"
    rng = np.random.default_rng(0)
    for number in range(6):
        mask = np.zeros((40, 40), np.uint8)
        mask[8:20, 5 + 3 * number : 17 + 3 * number] = 255
        low, high = ((5, 200), (115, 250))[number % 2]
        image = np.where(mask, high, low) + rng.integers(-5, 6, mask.shape)
        write_png(folder / "images" / f"{number}.png", image.clip(0, 255).astype(np.uint8))
        write_png(folder / "masks" / f"{number}.png", mask)
    return folder


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Two bundles of the same classes and one of others."""
    folder = tmp_path_factory.mktemp("bundles")
    save_bundle(folder / "good", pointwise_model([0.5]))
    save_bundle(folder / "poor", pointwise_model([0.2]))
    save_bundle(folder / "three", pointwise_model([0.3, 0.6]))
    return folder


def test_kinds_and_the_comparison_are_printed_below_the_scores(data, bundles, capsys):
    command = ["evaluate", str(bundles / "good"), str(data)]
    assert cli.run([*command, "--compare", str(bundles / "poor")]) == 0
    printed = capsys.readouterr().out
    assert "dark background" in printed
    assert f"compared with {bundles / 'poor'}" in printed
    rows = printed.split("compared with")[1].splitlines()
    assert rows[1].split() == ["score", "here", "there", "difference", "from", "to", "p"]
    dice = next(row.split() for row in rows if row.startswith("dice_per_image"))
    assert float(dice[1]) - float(dice[2]) == pytest.approx(float(dice[3]), abs=2e-4)
    assert cli.run(command) == 0
    assert "compared with" not in capsys.readouterr().out


def test_the_json_holds_kinds_and_the_comparison(data, bundles, tmp_path, capsys):
    command = ["evaluate", str(bundles / "good"), str(data), "--json", "--to", str(tmp_path)]
    assert cli.run([*command, "--compare", str(bundles / "poor")]) == 0
    values = json.loads(capsys.readouterr().out)
    assert sum(kind["images"] for kind in values["kinds"]) == 6
    assert values["compare"]["scores"]["mean_iou"]["difference"] > 0
    assert (tmp_path / "review.csv").is_file()


@pytest.mark.parametrize(
    ("name", "message"), [("three", "has the classes background, cell, vessel"), ("no", "no")]
)
def test_a_run_that_cannot_be_compared_is_refused_with_a_hint(data, bundles, capsys, name, message):
    command = ["evaluate", str(bundles / "good"), str(data), "--compare", str(bundles / name)]
    assert cli.run(command) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")
    assert message in told.err
    assert "hint: " in told.err


def test_a_program_from_elsewhere_is_run_only_where_its_engine_is_named(data, tmp_path, capsys):
    pytest.importorskip("tensorflow")
    folder = bundle_from_elsewhere(tmp_path / "program")
    engines.PROBES["a program"].make(folder)
    command = ["evaluate", str(folder), str(data)]
    assert cli.run(command) == 1
    assert "--runtime savedmodel with predict and evaluate" in capsys.readouterr().err
    # It is an empty file.
    assert cli.run([*command, "--runtime", "savedmodel"]) == 1
    assert "TensorFlow cannot open" in capsys.readouterr().err


def test_a_comparison_that_flatters_the_other_run_is_said_to(data, bundles, capsys):
    from delineate.data.dataset import Dataset
    from delineate.data.splitting.partition import describe_splits
    from delineate.runs import Run

    dataset = Dataset.open(data)
    splits = {record.name: "train" for record in dataset.records}
    known = json.dumps(describe_splits(dataset.with_splits(splits)))
    Run(bundles / "poor").dataset.write_text(known)
    command = ["evaluate", str(bundles / "good"), str(data), "--compare", str(bundles / "poor")]
    assert cli.run(command) == 0
    assert "was trained on 6 of these images" in capsys.readouterr().out
