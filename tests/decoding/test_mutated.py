"""Pictures that are damaged by chance are read, or refused by an error of ours.

The short form of ``python -m tests.campaigns.mutated_images``, which does so with 100,000 of a kind.
"""

import time

import pytest
from tests.campaigns.mutated_images import outcome, sums
from tests.campaigns.mutations import (
    KINDS,
    LONG,
    LONG_EVERY,
    SUFFIXES,
    mutation,
    probes_of,
    seeds_of,
)

INPUTS = 250


def path_of(folder, kind):
    return folder / f"input{SUFFIXES.get(kind, f'.{kind}')}"


@pytest.mark.parametrize("kind", KINDS)
def test_only_errors_of_ours_come_of_damaged_pictures(tmp_path, kind):
    path = path_of(tmp_path, kind)
    read = 0
    for number in range(INPUTS):
        path.write_bytes(mutation(kind, number))
        read += outcome(kind, path)
    # Some changes do no harm, and most do.
    assert 0 < read < INPUTS


@pytest.mark.parametrize("kind", KINDS)
def test_before_the_damage_nearly_all_of_them_are_read(tmp_path, kind):
    path = path_of(tmp_path, kind)
    seeds = seeds_of(kind)
    assert len(seeds) >= 5
    read = 0
    for seed in seeds:
        path.write_bytes(seed)
        read += outcome(kind, path)
    # All but animations, stacks and transparent pictures.
    assert read >= len(seeds) - 3


@pytest.mark.parametrize("kind", KINDS)
def test_long_ones_take_no_long_time(tmp_path, kind):
    path = path_of(tmp_path, kind)
    for number in range(0, 6 * LONG_EVERY, LONG_EVERY):
        path.write_bytes(mutation(kind, number))
        assert path.stat().st_size > LONG - 8
        begun = time.process_time()
        outcome(kind, path)
        assert time.process_time() - begun < 5


def test_what_has_taken_long_is_tried_first():
    assert [kind for kind in KINDS if probes_of(kind)] == ["jpeg", "tiff", "pnm"]
    for kind in ("jpeg", "tiff", "pnm"):
        assert mutation(kind, 0) == probes_of(kind)[0] != mutation(kind, LONG_EVERY)


def test_an_input_is_the_same_whenever_it_is_made_and_others_are_others():
    for kind in KINDS:
        made = [mutation(kind, number) for number in range(50)]
        assert made == [mutation(kind, number) for number in range(50)]
        assert len(set(made)) > 40


def test_what_came_of_all_inputs_is_added_up():
    row = {"inputs": 5, "refused": 3, "read": 1, "others": [{"number": 4}], "slowest": 0.5}
    rows = [
        {"case": "png 0", **row},
        {"case": "png 5", **row, "slowest": 2},
        {"case": "gif 0", **row},
    ]
    found = sums(rows)
    assert list(found) == ["png", "gif"]
    assert found["png"]["inputs"] == 10
    assert (found["png"]["slowest"], len(found["png"]["others"])) == (2, 2)
