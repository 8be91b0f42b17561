"""`delineate train` with a recipe, a budget and folds, and a plan that is written and trained."""

import json
import shutil

import pytest

from delineate.bundle import Bundle
from delineate.cli import main as cli
from delineate.cli.output import INTERRUPTED
from delineate.data.synthetic.nuclei import make_nuclei
from delineate.interrupt import Stopped
from delineate.recipe import Recipe
from delineate.runs import Run

# The smallest network, and nothing drawn.
TINY = {
    "data.size": "[32, 32]",
    "data.crops_per_image": "1",
    "data.validation": "0.25",
    "model.encoder": "plain",
    "model.depth": "1",
    "model.filters": "4",
    "model.objects": "none",
    "training.batch_size": "4",
    "training.epochs": "1",
    "callbacks.pictures": "0",
    "evaluation.report": "false",
    "post.tune": "false",
    "runtime.precision": "float32",
}
SETTINGS = [f"--set={key}={value}" for key, value in TINY.items()]


@pytest.fixture(scope="module")
def nuclei(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "nuclei"
    make_nuclei(folder, train=8, validation=0, test=0, sizes=((40, 48),))
    return folder


@pytest.fixture
def delineate(capsys):
    """Runs a command line; returns exit code, stdout and stderr."""

    def command(*arguments):
        code = cli.run([str(argument) for argument in arguments])
        return (code, *capsys.readouterr())

    return command


@pytest.mark.parametrize(("how", "saved"), [(Stopped, "saved; "), (KeyboardInterrupt, "")])
def test_who_stops_reads_how_to_go_on_and_whether_all_is_saved(
    delineate, nuclei, tmp_path, monkeypatch, how, saved
):
    def stopped(*_, to, **others):
        to.mkdir()
        Run(to).recipe.write_text("")
        raise how

    monkeypatch.setattr("delineate.training.train.train", stopped)
    run = tmp_path / "run"
    code, _, err = delineate("train", nuclei, "--recipe", "unet-nuclei", "--to", run)
    assert code == INTERRUPTED
    assert f"\n{saved}go on with: delineate train {nuclei} --to {run} --resume\n" in f"\n{err}"


def test_a_plan_is_written_with_its_reasons_and_trained_as_it_stands(delineate, nuclei, tmp_path):
    path = tmp_path / "plan.toml"
    code, out, err = delineate("plan", nuclei, "--budget", "2h", *SETTINGS, "--to", path, "--json")
    assert code == 0, err
    assert f"delineate train {nuclei} --recipe {path}" in err
    told = json.loads(out)
    assert told["reasons"]["training.budget"] == "as you said"
    recipe = Recipe.load(path)
    assert told["recipe"] == recipe.model_dump(mode="json")
    assert (recipe.training.budget, recipe.training.epochs) == (120, 1)
    code, _, err = delineate("plan", nuclei, "--to", path)
    assert code == 2
    assert "exists already" in err

    code, out, err = delineate("train", nuclei, "--recipe", path, "--to", tmp_path / "run")
    assert code == 0, err
    assert out.strip() == str(tmp_path / "run")
    assert Recipe.load(Run(tmp_path / "run").recipe) == recipe


def test_budget_and_folds_are_settings_of_the_run(delineate, nuclei, tmp_path):
    given = ["--recipe", "unet-nuclei", "--budget", "1h30m", "--folds", "2", *SETTINGS]
    run = Run(tmp_path / "run")
    code, out, err = delineate("train", nuclei, *given, "--to", run.folder, "--json")
    assert code == 0, err
    recipe = Recipe.load(run.recipe)
    assert (recipe.training.budget, recipe.training.folds) == (90, 2)
    assert len(Bundle.open(run.best).card.members) == 2
    assert json.loads(out)["run"] == str(run.folder)
    assert all(Run(run.fold(number).folder).rows for number in (1, 2))


@pytest.mark.parametrize(
    "option", [["--budget", "20m"], ["--folds", "2"], ["--recipe", "unet"], [SETTINGS[0]]]
)
def test_with_resume_the_recipe_of_the_run_counts(delineate, nuclei, tmp_path, option):
    code, out, err = delineate("train", nuclei, "--to", tmp_path / "run", "--resume", *option)
    assert (code, out) == (2, "")
    assert "--resume takes the recipe that the run was begun with" in err
    assert "without --recipe, --set, --budget and --folds" in err


@pytest.mark.parametrize("command", ["plan", "train"])
def test_a_time_that_is_none_is_refused_with_examples(delineate, nuclei, tmp_path, command):
    code, _, err = delineate(command, nuclei, "--budget", "soon", "--to", tmp_path / "there")
    assert code == 2
    assert "'soon' is no time" in err
    assert "1h30m" in err
    assert not (tmp_path / "there").exists()


def test_links_out_of_the_data_are_followed_where_the_recipe_says_so(delineate, nuclei, tmp_path):
    data = shutil.copytree(nuclei, tmp_path / "data")
    mask = next(data.rglob("masks/*.png"))
    mask.rename(tmp_path / "elsewhere.png")
    mask.symlink_to(tmp_path / "elsewhere.png")
    given = ["--recipe", "unet-nuclei", *SETTINGS, "--to", tmp_path / "run"]
    code, _, err = delineate("train", data, *given)
    assert code == 1
    assert f"error: {mask} leads by a link to {tmp_path / 'elsewhere.png'}" in err
    assert "--set data.links=follow" in err
    assert not (tmp_path / "run").exists()
    code, _, err = delineate("train", data, *given, "--set=data.links=follow")
    assert code == 0, err
    assert Recipe.load(tmp_path / "run" / "recipe.toml").data.links == "follow"
    command = ["evaluate", tmp_path / "run", data, "--to", tmp_path / "report"]
    code, _, err = delineate(*command)
    assert code == 1
    assert "--follow-links" in err
    code, _, err = delineate(*command, "--follow-links")
    assert code == 0, err
