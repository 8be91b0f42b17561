import sys

import pytest

from delineate.cli import main as cli


def test_a_bare_command_shows_the_help_and_exits_with_2(capsys):
    assert cli.run([]) == 2
    assert "train" in capsys.readouterr().err


def test_main_exits_with_the_code(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["delineate", "--version"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("delineate ")


def test_a_wrong_option_names_the_help(capsys):
    assert cli.run(["check", "--what"]) == 2
    err = capsys.readouterr().err
    assert "error: No such option: --what" in err
    assert "hint: Run 'delineate check --help'." in err


def test_ctrl_c_before_anything_runs_exits_with_130(monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupt)
    assert cli.run(["check"]) == 130
