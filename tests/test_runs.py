import csv
import json

import pytest

from delineate.errors import RunError
from delineate.runs import Run, epochs_of, next_folder

EVENTS = [
    {"event": "begun"},
    {"event": "epoch", "scores": {"epoch": 1, "loss": 0.5}},
    {"event": "epoch", "scores": {"epoch": 2, "loss": 0.25, "val_loss": 0.75}},
]


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "runs" / "first")


def test_a_run_folder_is_made_with_its_parents(tmp_path):
    run = Run.create(str(tmp_path / "a" / "b"))
    assert run.folder.is_dir()


def test_an_empty_folder_may_be_used(tmp_path):
    assert Run.create(tmp_path).folder == tmp_path


def test_a_folder_that_holds_something_is_refused_with_the_way_to_go_on(tmp_path):
    (tmp_path / "recipe.toml").touch()
    with pytest.raises(RunError, match="exists already") as caught:
        Run.create(tmp_path)
    assert "--resume" in caught.value.hint
    assert str(tmp_path) in caught.value.message


def test_a_file_in_the_place_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="exists already"):
        Run.create(tmp_path / "file")


def test_a_folder_that_cannot_be_made_is_an_error_with_its_reason(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"cannot be made: Not a directory\.") as caught:
        Run.create(tmp_path / "file" / "run")
    assert "--to" in caught.value.hint


def test_a_folder_without_a_recipe_is_no_run(tmp_path):
    with pytest.raises(RunError, match=r"no recipe\.toml"):
        Run.open(tmp_path)
    (tmp_path / "recipe.toml").touch()
    assert Run.open(str(tmp_path)) == Run(tmp_path)


def test_the_files_of_a_run_are_those_of_the_design(run):
    names = {
        "recipe": "recipe.toml",
        "environment": "environment.json",
        "dataset": "dataset.json",
        "journal": "journal.jsonl",
        "results": "results.csv",
        "curves": "results.png",
        "batch": "batch.png",
        "pictures": "pictures",
        "tensorboard": "tensorboard",
        "last": "last",
        "best": "best",
        "report": "report.html",
        "report_json": "report.json",
        "confusion_matrix": "confusion_matrix.png",
    }
    assert {key: getattr(run, key) for key in names} == {
        key: run.folder / name for key, name in names.items()
    }


def test_a_run_without_a_journal_has_no_events(run):
    assert run.events() == []
    assert run.rows == []


def test_the_journal_gives_back_what_was_written(run):
    run.write_events(EVENTS)
    assert run.events() == EVENTS
    assert [json.loads(line) for line in run.journal.read_text().splitlines()] == EVENTS


def test_the_epochs_become_rows_of_a_table_with_all_columns(run):
    run.write_events(EVENTS)
    with run.results.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"epoch": "1", "loss": "0.5", "val_loss": ""},
        {"epoch": "2", "loss": "0.25", "val_loss": "0.75"},
    ]
    assert run.rows == epochs_of(EVENTS) == [EVENTS[1]["scores"], EVENTS[2]["scores"]]


def test_without_an_epoch_there_is_no_table_left(run):
    run.write_events(EVENTS)
    run.write_events(EVENTS[:1])
    assert not run.results.exists()
    assert run.events() == EVENTS[:1]


@pytest.mark.parametrize(
    "damage", [b'{"event": "ep', b"\xff\xfe\x00", b"12\n", b"[]", b"\n"], ids=repr
)
def test_a_damaged_line_ends_the_journal(run, damage):
    run.write_events(EVENTS)
    run.journal.write_bytes(run.journal.read_bytes() + damage + b'\n{"event": "later"}\n')
    assert run.events() == EVENTS


@pytest.mark.parametrize("content", [None, "{half", "\x00"])
def test_a_json_file_that_is_missing_or_damaged_is_named(run, content):
    if content is not None:
        run.dataset.write_text(content)
    with pytest.raises(RunError, match=r"dataset\.json cannot be read"):
        run.read_json(run.dataset)


def test_a_json_file_is_read(run):
    run.dataset.write_text('{"name": "nuclei"}')
    assert run.read_json(run.dataset) == {"name": "nuclei"}


def test_run_folders_are_numbered_from_1_and_the_first_free_number_is_taken(tmp_path):
    assert next_folder("nuclei", "unet", below=tmp_path) == tmp_path / "nuclei-unet-1"
    (tmp_path / "nuclei-unet-1").mkdir()
    (tmp_path / "nuclei-unet-2").touch()
    (tmp_path / "nuclei-unet-4").mkdir()
    assert next_folder("nuclei", "unet", below=tmp_path) == tmp_path / "nuclei-unet-3"


def test_what_may_not_stand_in_a_name_is_replaced(tmp_path):
    folder = next_folder("my data/éa", "../x y", below=tmp_path)
    assert folder.parent == tmp_path
    assert folder.name == "my_data_éa-.._x_y-1"


def test_runs_are_below_the_folder_runs_where_nothing_else_is_said():
    assert next_folder("a", "b").parts[0] == "runs"
