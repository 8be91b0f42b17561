"""Intervals by resampling: what must not change them, and how they change otherwise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delineate.evaluation.paired import paired_difference
from delineate.intervals import bootstrap_interval, bootstrap_tables
from delineate.scores import summarise
from tests.properties.strategies import seeds, shares

REPEATS = 40
scored = st.lists(shares, min_size=2, max_size=12)
levels = st.floats(0.01, 0.99)


def interval(values, seed, **options):
    rng = np.random.default_rng(seed)
    return bootstrap_interval(values, rng=rng, repeats=REPEATS, **options)


@given(scored, seeds, levels)
def test_an_interval_lies_between_the_least_and_the_greatest_value(values, seed, level):
    low, high = interval(values, seed, level=level)
    assert min(values) - 1e-12 <= low <= high + 1e-12 <= max(values) + 2e-12


@given(scored, seeds, levels, levels)
def test_an_interval_of_a_higher_level_holds_that_of_a_lower_one(values, seed, one, other):
    lower, higher = (interval(values, seed, level=level) for level in sorted((one, other)))
    assert higher[0] - 1e-12 <= lower[0]
    assert lower[1] <= higher[1] + 1e-12


@given(scored, seeds, st.floats(0.1, 10), st.floats(-5, 5))
def test_an_interval_is_in_the_unit_of_its_values(values, seed, factor, shift):
    low, high = interval(values, seed)
    found = interval([factor * value + shift for value in values], seed)
    assert found == pytest.approx((factor * low + shift, factor * high + shift), abs=1e-9)


@given(
    st.lists(st.tuples(shares | st.none(), st.sampled_from("abcd")), max_size=12),
    st.permutations("wxyz"),
    seeds,
)
def test_it_does_not_matter_what_groups_are_called(rows, names, seed):
    values, groups = [value for value, _ in rows], [group for _, group in rows]
    others = [names["abcd".index(group)] for group in groups]
    assert interval(values, seed, groups=groups) == interval(values, seed, groups=others)


@given(st.integers(1, 50), st.data(), seeds)
def test_the_interval_of_summed_tables_is_that_of_the_mean_where_images_are_equally_large(
    pixels, data, seed
):
    right = data.draw(st.lists(st.integers(0, pixels), min_size=2, max_size=8))
    tables = np.array([[[count, pixels - count], [0, 0]] for count in right])
    rng = np.random.default_rng(seed)
    found = bootstrap_tables(
        tables, lambda table: summarise(table)["accuracy"], rng, repeats=REPEATS
    )
    assert found == pytest.approx(interval([count / pixels for count in right], seed), abs=1e-9)


@given(st.lists(st.tuples(shares, shares), min_size=2, max_size=10), seeds)
def test_two_models_that_change_places_change_the_sign_of_their_difference(rows, seed):
    first, second = zip(*rows, strict=True)
    one, other = (
        paired_difference(*pair, np.random.default_rng(seed), repeats=REPEATS)
        for pair in ((first, second), (second, first))
    )
    assert (other.first, other.second) == (one.second, one.first)
    low, high = one.interval
    assert other.interval == pytest.approx((-high, -low), abs=1e-9)
    assert other.second_higher == pytest.approx(1 - one.second_higher)
    assert other.p_value == pytest.approx(one.p_value)
    assert 0 < one.p_value <= 1
