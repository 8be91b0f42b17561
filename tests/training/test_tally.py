import json

import numpy as np
import pytest

from delineate.training.tally import Tally


def summarise(table):
    return {"accuracy": float(np.trace(table) / table.sum())}


def test_the_loss_is_the_mean_over_windows_and_the_scores_are_of_all_batches():
    tally = Tally(2, summarise)
    tally.add({"loss": 1.0}, 4, np.array([[3, 1], [0, 4]]))
    tally.add({"loss": 3.0}, 2, np.array([[1, 0], [1, 2]]))
    assert tally.scores("val_") == {"val_loss": pytest.approx(10 / 6), "val_accuracy": 10 / 12}


def test_counts_beyond_32_bits_stay_exact():
    tally = Tally(2, lambda table: {"first": int(table[0, 0])})
    for _ in range(3):
        tally.add({"loss": 0.0}, 1, np.array([[2**31, 0], [0, 1]], np.int64))
    assert tally.scores()["first"] == 3 * 2**31


def test_a_state_survives_json_exactly():
    tally, other = Tally(2, summarise), Tally(2, summarise)
    tally.add({"loss": 0.1}, 3, np.array([[2**40, 1], [2, 3]]))
    other.set_state(json.loads(json.dumps(tally.get_state())))
    assert other.scores() == tally.scores()
    assert other.table.dtype == np.int64
