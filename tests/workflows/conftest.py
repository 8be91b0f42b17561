"""The command line, in this process, on a small made data set."""

import json
import shutil

import pytest

from delineate.cli.main import run
from delineate.data.synthetic.nuclei import make_nuclei

QUICK = [
    "--recipe=unet-nuclei",
    "--set=data.size=[64, 64]",
    "--set=data.crops_per_image=1",
    "--set=model.depth=2",
    "--set=model.filters=4",
    "--set=training.epochs=2",
    "--set=training.batch_size=4",
    "--set=training.learning_rate=0.01",
    "--set=callbacks.pictures=2",
    "--set=callbacks.save_steps=1",
]


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A data set of nuclei in the dsb2018 layout: 8 to train on, 3 for validation and test each."""
    folder = tmp_path_factory.mktemp("made") / "nuclei"
    make_nuclei(folder, train=8, validation=3, test=3, sizes=((64, 64), (64, 80)))
    return folder


@pytest.fixture
def nuclei(made, tmp_path):
    """A copy of that data set that a test may damage."""
    return shutil.copytree(made, tmp_path / "nuclei")


@pytest.fixture
def delineate(capsys, monkeypatch, tmp_path):
    """Runs a command line in an empty folder; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments):
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


@pytest.fixture
def as_json(delineate):
    """Runs a command line with --json; returns the object on stdout."""

    def command(*arguments):
        code, out, err = delineate(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)

    return command
