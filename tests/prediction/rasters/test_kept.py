"""What is kept of decoded parts is bounded, and the newest of it stays."""

import numpy as np

from delineate.prediction.rasters.kept import Kept


def array(value):
    return np.full(100, value, np.uint8)


def test_the_oldest_go_and_what_was_asked_for_is_new_again():
    kept = Kept(250)
    kept.put("a", array(1))
    kept.put("b", array(2))
    assert kept.get("a")[0] == 1
    kept.put("c", array(3))
    assert kept.get("b") is None
    assert [kept.get(key)[0] for key in ("a", "c")] == [1, 3]
    assert kept.bytes == 200


def test_an_array_that_is_larger_than_all_is_kept_alone():
    kept = Kept(50)
    kept.put("a", array(1))
    kept.put("a", array(2))
    assert kept.get("a")[0] == 1
    kept.put("b", array(3))
    assert kept.get("a") is None
    assert kept.bytes == 100
