import errno
import io
import json
import os
import subprocess
import sys

import pytest

from delineate.cli import output
from delineate.errors import DataError, UsageError
from delineate.interrupt import Terminated


def be_a_terminal(monkeypatch):
    """Make stderr, as the test sees it, a terminal."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)


def test_data_goes_to_stdout_and_talk_to_stderr(capsys):
    output.say("hello")
    output.put({"a": 1}, as_json=True, text="unused")
    captured = capsys.readouterr()
    assert (json.loads(captured.out), captured.err) == ({"a": 1}, "hello\n")


@pytest.mark.parametrize(
    ("encoding", "errors", "written"),
    [
        ("utf-8", "strict", "µ caf\\udce9 \n".encode()),
        ("ascii", "strict", b"\\xb5 caf\\udce9 \n"),
        ("utf-8", "surrogateescape", "µ caf".encode() + b"\xe9 \n"),
    ],
)
def test_what_stdout_cannot_write_is_escaped(monkeypatch, encoding, errors, written):
    stdout = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=errors)
    monkeypatch.setattr(sys, "stdout", stdout)
    output.put({}, as_json=False, text=f"µ {os.fsdecode(b'caf' + bytes([0xE9]))} ")
    assert stdout.buffer.getvalue() == written


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (DataError("A is bad.", hint="Mend it."), 1, "error: A is bad.\nhint: Mend it.\n"),
        (UsageError("No B.", hint="Use A."), 2, "error: No B.\nhint: Use A.\n"),
        (KeyboardInterrupt(), 130, "stopped\n"),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 1, "permissions"),
        (OSError(errno.ENOSPC, "No space left on device", "x"), 1, "hint: Free some space."),
        (Terminated(), 143, "asked to end"),
        (MemoryError(), 1, "error: The memory is full."),
        (ValueError("it is odd\nand so on"), 1, "error: ValueError: it is odd\nhint: Run it"),
        (RecursionError(), 1, "error: RecursionError.\n"),
    ],
)
def test_an_error_becomes_two_lines_and_an_exit_code(capsys, error, code, told):
    with pytest.raises(SystemExit) as caught, output.errors_told(trace=False):
        raise error
    captured = capsys.readouterr()
    assert caught.value.code == code
    assert told in captured.err
    assert captured.out == ""
    assert "Traceback" not in captured.err


def test_a_reader_that_has_read_enough_is_no_error():
    code = (
        "from delineate.cli import output\n"
        "with output.errors_told(trace=False):\n"
        "    for _ in range(100_000):\n"
        "        output.put({}, as_json=False, text='a line of text')\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        told = process.stderr.read()
    assert told == b""
    assert process.returncode == 141


def test_a_traceback_is_shown_when_asked_for(capsys):
    with pytest.raises(SystemExit), output.errors_told(trace=True):
        raise DataError("A is bad.", hint="Mend it.")
    assert "Traceback" in capsys.readouterr().err


def test_progress_is_silent_without_a_terminal(capsys):
    output.progress_of("reading")(3, 3)
    assert capsys.readouterr().err == ""


def test_progress_moves_one_line_on_a_terminal(capsys, monkeypatch):
    be_a_terminal(monkeypatch)
    show = output.progress_of("reading")
    for done in (1, 2, 3):
        show(done, 3)
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert err.endswith("reading 3/3\n")


def test_progress_without_a_known_end_says_how_far_it_is(capsys, monkeypatch):
    be_a_terminal(monkeypatch)
    output.progress_of("fetching")(7, 0)
    assert capsys.readouterr().err.endswith("fetching 7")


def test_a_table_is_aligned_and_shows_what_is_missing():
    rows = [{"name": "a", "value": 0.5}, {"name": "long", "value": None, "more": 1}]
    assert output.table(rows).splitlines() == [
        "name  value   more",
        "a     0.5000  –",
        "long  –       1",
    ]
    assert output.table([]) == "nothing"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (61.6, "1:02"), (3599, "59:59"), (3723, "1:02:03")]
)
def test_a_duration_reads_as_a_clock(seconds, text):
    assert output.duration(seconds) == text
