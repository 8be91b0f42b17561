"""The bootstrap against the central limit theorem and plain loops."""

import numpy as np
import pytest

from delineate import intervals, scores
from delineate.errors import DataError, UsageError

CLASSES = 4


def test_the_interval_of_a_normal_mean_is_that_of_the_central_limit():
    values = np.random.default_rng(0).normal(size=400)
    low, high = intervals.bootstrap_interval(values, rng=np.random.default_rng(1), repeats=4000)
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.01)


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(300):
        low, high = intervals.bootstrap_interval(
            rng.normal(size=60), rng=rng, repeats=200, level=0.8
        )
        covered += low <= 0 <= high
    assert 0.72 < covered / 300 < 0.87


def test_of_few_images_intervals_are_too_narrow_as_the_page_on_scores_says():
    rng = np.random.default_rng(2)
    shares = {}
    for count in (5, 30):
        covered = 0
        for _ in range(400):
            # Most images are near 1 and few far below, as with Dice.
            values = 1 - rng.beta(1.2, 12, count)
            low, high = intervals.bootstrap_interval(values, rng=rng, repeats=200)
            covered += low <= 1 - 1.2 / 13.2 <= high
        shares[count] = covered / 400
    assert 0.75 < shares[5] < 0.87
    assert 0.88 < shares[30] < 0.95


def test_images_of_one_group_are_no_independent_evidence():
    rng = np.random.default_rng(3)
    patients = np.repeat(np.arange(20), 25)
    values = rng.normal(size=20)[patients] + rng.normal(size=500) * 0.1
    plain = intervals.bootstrap_interval(values, rng=rng)
    grouped = intervals.bootstrap_interval(values, rng=rng, groups=patients.tolist())
    assert np.diff(grouped) > 3 * np.diff(plain)
    per_patient = intervals.bootstrap_interval(
        [values[patients == patient].mean() for patient in range(20)], rng=rng
    )
    assert grouped == pytest.approx(per_patient, abs=0.1)


def test_large_groups_weigh_by_their_images():
    values, groups = [1.0] * 99 + [0.0], ["big"] * 99 + ["small"]
    middle, wide = (
        intervals.bootstrap_interval(
            values, groups=groups, rng=np.random.default_rng(0), level=level
        )
        for level in (0.4, 0.9)
    )
    # Of two draws half hold both groups, a quarter only the small one, a quarter only the big one.
    assert middle == (0.99, 0.99)
    assert wide == (0.0, 1.0)


def test_missing_values_are_left_out_with_their_groups():
    values = [0.1, None, 0.4, 0.9]
    groups = ["a", "lost", "b", "c"]
    with_gap = intervals.bootstrap_interval(values, groups=groups, rng=np.random.default_rng(5))
    without = intervals.bootstrap_interval([0.1, 0.4, 0.9], rng=np.random.default_rng(5))
    assert with_gap == without


def test_the_same_generator_gives_the_same_interval_and_a_wider_level_a_wider_one():
    values = np.random.default_rng(0).random(30)
    first, second = (
        intervals.bootstrap_interval(values, rng=np.random.default_rng(9)) for _ in range(2)
    )
    wide = intervals.bootstrap_interval(values, rng=np.random.default_rng(9), level=0.99)
    assert first == second
    assert wide[0] < first[0] < first[1] < wide[1]


def image_tables(count, seed=0):
    rng = np.random.default_rng(seed)
    tables = [rng.integers(0, 200, (CLASSES, CLASSES)) for _ in range(count)]
    return np.stack(tables)


def mean_iou(table):
    return scores.summarise(table)["mean_iou"]


def test_the_interval_of_a_score_equals_a_loop_that_draws_and_adds_tables():
    tables = image_tables(12)
    rng = np.random.default_rng(7)
    expected = [mean_iou(tables[rng.integers(12, size=12)].sum(axis=0)) for _ in range(300)]
    got = intervals.bootstrap_tables(tables, mean_iou, np.random.default_rng(7), repeats=300)
    assert got == pytest.approx(tuple(np.quantile(expected, [0.025, 0.975])), abs=1e-12)


def test_grouped_tables_are_drawn_as_the_sums_of_their_groups():
    tables = image_tables(12, seed=1)
    groups = list("abcabcddeeff")
    sums = np.stack(
        [tables[[g == name for g in groups]].sum(axis=0) for name in dict.fromkeys(groups)]
    )
    grouped = intervals.bootstrap_tables(tables, mean_iou, np.random.default_rng(8), groups=groups)
    assert grouped == intervals.bootstrap_tables(sums, mean_iou, np.random.default_rng(8))


def test_the_statistic_is_given_whole_numbers_however_large():
    tables = np.full((2, 2, 2), 2**40 + 1)
    seen = []
    intervals.bootstrap_tables(tables, seen.append, np.random.default_rng(0))
    assert len(seen) == 1000
    assert all(table.dtype == np.int64 and (table == 2**41 + 2).all() for table in seen)


def test_resamples_in_which_a_score_is_undefined_are_left_out():
    tables = np.array([[[4, 0], [0, 0]], [[4, 0], [2, 2]]])
    got = intervals.bootstrap_tables(
        tables, lambda table: scores.image_scores(table)[0], np.random.default_rng(0)
    )
    assert got == (0.5, 0.5)
    never = intervals.bootstrap_tables(tables, lambda _: None, np.random.default_rng(0))
    assert never is None


@pytest.mark.parametrize("values", [[], [0.5], [None, 0.5]])
def test_fewer_than_two_images_or_groups_have_no_interval(values):
    rng = np.random.default_rng(0)
    tables = np.ones((len(values), 2, 2), dtype=np.int64)
    assert intervals.bootstrap_interval(values, rng=rng) is None
    assert intervals.bootstrap_interval(values, rng=rng, groups=["a"] * len(values)) is None
    assert intervals.bootstrap_tables(tables, mean_iou, rng, groups=["a"] * len(values)) is None


def test_a_wrong_number_of_groups_and_a_level_in_percent_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="1 groups for 2 images"):
        intervals.bootstrap_interval([0.1, 0.2], rng=rng, groups=["a"])
    with pytest.raises(DataError, match="1 groups for 2 images"):
        intervals.bootstrap_tables(np.ones((2, 2, 2), dtype=np.int64), mean_iou, rng, groups=["a"])
    with pytest.raises(UsageError, match="level of an interval is 95"):
        intervals.bootstrap_interval([0.1, 0.2], rng=rng, level=95)
