import json

from typer.testing import CliRunner

from delineate.cli.main import app
from delineate.cli.show import readable


def shown(*arguments):
    result = CliRunner().invoke(app, ["show", *arguments])
    assert result.exit_code == 0
    return result.stdout


def test_encoders_are_shown_in_lines_of_a_terminal():
    lines = shown("encoders").splitlines()
    assert max(map(len, lines)) <= 120
    line = next(line for line in lines if line.startswith("resnet50 "))
    assert line.split() == [
        *("resnet50", "23.6", "M", "5.0", "G", "2–32", "64", "256", "512", "1024", "2048"),
        *("BGR", "[0,", "255],", "centred", "MIT"),
    ]


def test_the_json_has_the_numbers_as_they_are():
    rows = {row["encoder"]: row for row in json.loads(shown("encoders", "--json"))["rows"]}
    assert rows["resnet50"]["parameters"] == 23_587_712
    assert rows["resnet50"]["widths"] == [1.0]
    assert rows["mobilenetv2"]["widths"] is None


def test_flags_are_shown_where_a_row_has_them():
    assert readable([{"a": True, "b": False}, {"a": False, "b": False}]) == [
        {"a": "yes"},
        {"a": None},
    ]


def test_rows_of_runs_stay_as_they_are():
    rows = [{"run": "first", "epochs": 3, "val_dice": 0.5, "best": None}]
    assert readable(rows) == rows
