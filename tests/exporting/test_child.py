"""Children: plain values and arrays there, plain values or an error back."""

import numpy as np
import pytest

from delineate.errors import BundleError, MissingExtraError
from delineate.exporting.child import run_child

PROGRAM = """
import os, sys
from delineate.errors import MissingExtraError
from delineate.exporting.child import serve

def work(said, arrays):
    print("for people")
    if said["do"] == "refuse":
        raise MissingExtraError("It lacks.", hint="Install it.")
    if said["do"] == "crash":
        os._exit(9)
    return {"shapes": [each.shape for each in arrays.values()], "backend": os.environ["KERAS_BACKEND"]}

serve(work)
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    (tmp_path / "child_of_a_test.py").write_text(PROGRAM)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    return "child_of_a_test"


def test_values_and_arrays_go_there_and_values_come_back(program, capfd):
    arrays = [np.zeros((2, 3), np.uint8), np.zeros((1, 4, 5), np.float32)]
    found = run_child(program, {"do": "work"}, arrays, backend="torch")
    assert found == {"shapes": [[2, 3], [1, 4, 5]], "backend": "torch"}
    told = capfd.readouterr()
    assert "for people" in told.err
    assert not told.out


def test_an_error_comes_back_as_it_was(program):
    with pytest.raises(MissingExtraError, match="It lacks") as error:
        run_child(program, {"do": "refuse"})
    assert error.value.hint == "Install it."


def test_a_crash_is_told(program):
    with pytest.raises(BundleError, match="ended with 9") as error:
        run_child(program, {"do": "crash"})
    assert error.value.hint
