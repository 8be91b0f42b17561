"""Differences of two models against plain loops, and against what chance must give."""

import itertools

import numpy as np
import pytest

from delineate.errors import DataError
from delineate.evaluation.paired import paired_difference, paired_tables
from delineate.scores import summarise

CLASSES = 3


def rng(seed=0):
    return np.random.default_rng(seed)


def image_tables(count, seed):
    return rng(seed).integers(0, 200, (count, CLASSES, CLASSES))


def mean_iou(table):
    return summarise(table)["mean_iou"]


def test_a_model_and_itself_differ_by_nothing():
    values = rng().random(20)
    found = paired_difference(values, values, rng())
    assert (found.difference, found.interval) == (0, (0, 0))
    assert (found.second_higher, found.p_value) == (0.5, 1)
    tables = image_tables(12, 0)
    found = paired_tables(tables, tables, mean_iou, rng())
    assert (found.difference, found.interval) == (0, (0, 0))
    assert (found.second_higher, found.p_value) == (0.5, 1)


def test_the_interval_of_means_equals_a_loop_that_draws_images_with_both_values():
    first, second = rng(1).random((2, 15))
    draws = rng(2)
    chosen = [draws.integers(15, size=15) for _ in range(1000)]
    differences = np.array([first[each].mean() - second[each].mean() for each in chosen])
    found = paired_difference(first, second, rng(2))
    assert (found.first, found.second) == (
        pytest.approx(first.mean()),
        pytest.approx(second.mean()),
    )
    assert found.interval == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])))
    assert found.second_higher == np.mean(differences < 0)


def test_the_interval_of_a_pooled_score_equals_a_loop_that_draws_and_adds_tables():
    first, second = image_tables(9, 3), image_tables(9, 4)
    draws = rng(5)
    chosen = [draws.integers(9, size=9) for _ in range(200)]
    differences = [mean_iou(first[each].sum(0)) - mean_iou(second[each].sum(0)) for each in chosen]
    found = paired_tables(first, second, mean_iou, rng(5), repeats=200)
    assert found.difference == pytest.approx(mean_iou(first.sum(0)) - mean_iou(second.sum(0)))
    assert found.interval == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])))


def test_the_p_value_of_means_is_near_that_of_all_ways_to_swap():
    first, second = rng(6).random((2, 10)) + np.array([[0.25], [0.0]])
    gaps = first - second
    signs = np.array(list(itertools.product([1, -1], repeat=10)))
    exact = np.mean(np.abs(signs @ gaps) >= abs(gaps.sum()) - 1e-9)
    assert 0.02 < exact < 0.5
    found = paired_difference(first, second, rng(7), repeats=4000)
    assert found.p_value == pytest.approx(exact, abs=0.03)


def test_the_p_value_of_a_pooled_score_is_near_that_of_all_ways_to_swap():
    first, second = image_tables(8, 8), image_tables(8, 9)
    first = first + 60 * np.eye(CLASSES, dtype=int)
    seen = abs(mean_iou(first.sum(0)) - mean_iou(second.sum(0)))
    larger = []
    for swap in itertools.product([False, True], repeat=8):
        moved = np.array(swap)[:, None, None]
        a, b = np.where(moved, second, first), np.where(moved, first, second)
        larger.append(abs(mean_iou(a.sum(0)) - mean_iou(b.sum(0))) >= seen - 1e-9)
    found = paired_tables(first, second, mean_iou, rng(10))
    assert 0.01 < np.mean(larger) < 0.5
    assert found.p_value == pytest.approx(np.mean(larger), abs=0.04)


def test_intervals_hold_the_true_difference_as_often_as_they_say_and_chance_is_found_out():
    draws = rng(11)
    held, small = 0, 0
    for _ in range(200):
        hard = draws.normal(size=40)
        first, second = hard + draws.normal(0.3, 0.2, 40), hard + draws.normal(0.3, 0.2, 40)
        found = paired_difference(first + 0.1, second, draws, repeats=200)
        held += found.interval[0] <= 0.1 <= found.interval[1]
        small += paired_difference(first, second, draws, repeats=200).p_value <= 0.1
    assert 0.89 < held / 200 < 0.98
    assert 0.05 < small / 200 < 0.15


def test_what_makes_an_image_hard_for_both_does_not_widen_the_interval():
    hard = rng(12).normal(size=50)
    small = rng(13).normal(0, 0.01, (2, 50))
    low, high = paired_difference(hard + small[0] + 0.1, hard + small[1], rng()).interval
    assert 0.08 < low < 0.1 < high < 0.12


def test_images_of_one_group_are_drawn_and_swapped_together():
    draws = rng(14)
    patients = np.repeat(np.arange(12), 20)
    gaps = draws.normal(0.25, 0.5, 12)[patients] + draws.normal(0, 0.05, 240)
    plain = paired_difference(gaps, np.zeros(240), rng())
    grouped = paired_difference(gaps, np.zeros(240), rng(), groups=patients.tolist())
    assert grouped.difference == pytest.approx(plain.difference)
    assert np.diff(grouped.interval) > 3 * np.diff(plain.interval)
    assert plain.p_value < 0.01 < 0.1 < grouped.p_value


def test_grouped_tables_are_those_of_the_sums_of_their_groups():
    first, second, groups = image_tables(6, 15), image_tables(6, 16), list("aabbcc")
    sums = [tables.reshape(3, 2, CLASSES, CLASSES).sum(axis=1) for tables in (first, second)]
    grouped = paired_tables(first, second, mean_iou, rng(), groups=groups)
    assert grouped == paired_tables(*sums, mean_iou, rng())


def test_scores_that_are_missing_are_left_out_of_the_mean_of_their_own_model_alone():
    first, second = [0.5, None, 0.75, None], [0.25, 0.0, None, None]
    found = paired_difference(first, second, rng())
    assert (found.first, found.second, found.difference) == (0.625, 0.125, 0.5)
    assert found == paired_difference(first[:3], second[:3], rng())


def test_the_share_in_which_the_second_is_higher_tells_the_direction():
    low, high = rng(17).random(30), rng(18).random(30) + 0.5
    assert paired_difference(low, high, rng()).second_higher == 1
    assert paired_difference(high, low, rng()).second_higher == 0
    assert paired_difference(high, low, rng()).p_value == pytest.approx(1 / 1001)


@pytest.mark.parametrize("values", [[], [0.5], [None, 0.5]])
def test_fewer_than_two_images_or_groups_have_no_interval(values):
    there = [value for value in values if value is not None]
    for options in ({}, {"groups": ["a"] * len(values)}):
        found = paired_difference(values, values, rng(), **options)
        assert found.first == found.second == (there[0] if there else None)
        assert (found.interval, found.second_higher, found.p_value) == (None, None, None)
    tables = image_tables(1, 0)
    assert paired_tables(tables, tables, mean_iou, rng()).interval is None


def test_a_score_that_one_of_the_two_has_not_makes_no_difference():
    found = paired_difference([0.5, 0.7], [None, None], rng())
    assert (found.first, found.second, found.difference) == (0.6, None, None)
    assert found.interval is None


def test_other_numbers_of_images_are_refused():
    with pytest.raises(DataError, match="scores of 1 images, the other of 2"):
        paired_difference([0.5], [0.5, 0.6], rng())
    with pytest.raises(DataError, match="scores of 3 images, the other of 2"):
        paired_tables(image_tables(3, 0), image_tables(2, 0), mean_iou, rng())
    with pytest.raises(DataError, match="1 groups for 2 images"):
        paired_difference([0.5, 0.6], [0.5, 0.6], rng(), groups=["a"])
