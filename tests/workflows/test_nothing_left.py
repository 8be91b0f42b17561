"""Trainings and predictions, one after the other, leave nothing open behind them.

For an hour, and with memory: tests/campaigns/long_run.py.
"""

import sys

import pytest

from tests.campaigns.long_run import one_round, prepared, state


@pytest.mark.skipif(sys.platform != "linux", reason="counts what Linux tells in /proc")
def test_no_file_thread_or_process_is_left_by_a_training_and_its_predictions(tmp_path):
    data, recipe = prepared()
    # The first one opens what stays open: libraries, pools of threads.
    one_round(data, recipe, tmp_path)
    before = state()
    for _ in range(2):
        one_round(data, recipe, tmp_path)
    after = state()
    for kind in ("handles", "threads", "children"):
        assert after[kind] <= before[kind], kind
