"""The number of steps that fit a time, by a clock that is moved by hand."""

import pytest

from delineate.training.budget import LOOK, Budget


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


def run(budget, clock, seconds_per_step, *, epoch=50, validation=0.0, done=0):
    """Train until the budget says that it is enough; return the steps done."""
    while done < budget.steps:
        if done % epoch == 0:
            if done:
                clock.now += validation
            budget.begin_epoch(done)
        clock.now += seconds_per_step(done)
        done += 1
        budget.count(done)
    clock.now += validation
    return done


def fresh(seconds, clock, most=10**6):
    return Budget(seconds, most=most, begun=clock.now, clock=clock)


@pytest.mark.parametrize("pace", [0.1, 0.5, 2.0])
def test_a_steady_pace_ends_within_two_percent(pace):
    clock = Clock()
    budget = fresh(600, clock)
    clock.now += 30
    run(budget, clock, lambda done: pace)
    assert 0.97 * 600 <= clock.now - 1000 <= 1.02 * 600


def test_validations_are_paid_for():
    clock = Clock()
    budget = fresh(600, clock)
    run(budget, clock, lambda done: 0.2, validation=8.0)
    assert 0.95 * 600 <= clock.now - 1000 <= 1.05 * 600


def test_what_comes_after_the_last_step_has_its_time():
    clock = Clock()
    budget = fresh(600, clock)
    budget.reserve = 100
    run(budget, clock, lambda done: 0.2)
    assert 0.95 * 500 <= clock.now - 1000 <= 1.03 * 500


def test_the_first_steps_compile_and_say_nothing_of_the_pace():
    clock = Clock()
    budget = fresh(600, clock)
    run(budget, clock, lambda done: 20.0 if done < 3 else 0.25)
    assert 0.97 * 600 <= clock.now - 1000 <= 1.02 * 600


def test_a_machine_that_grows_slow_still_ends_in_time():
    clock = Clock()
    budget = fresh(600, clock)
    run(budget, clock, lambda done: 0.1 if done < 2000 else 0.25)
    assert 0.95 * 600 <= clock.now - 1000 <= 1.05 * 600


def test_a_machine_that_grows_fast_uses_the_time():
    clock = Clock()
    budget = fresh(600, clock)
    run(budget, clock, lambda done: 0.3 if done < 500 else 0.15)
    assert 0.9 * 600 <= clock.now - 1000 <= 1.05 * 600


def test_a_slow_beginning_is_forgotten_by_the_half_of_the_time():
    """The learning rate falls by what was decided: what is taken back late has cost rate."""
    clock = Clock()
    budget = fresh(600, clock)
    decided = []

    def pace(done):
        if not decided and clock.now - 1000 >= 300:
            decided.append(budget.steps)
        return 0.6 if done < 300 else 0.2

    final = run(budget, clock, pace)
    assert decided[0] == pytest.approx(final, rel=0.05)


def test_no_more_steps_are_made_than_the_epochs_have():
    clock = Clock()
    assert run(fresh(600, clock, most=120), clock, lambda done: 0.1) == 120


def test_a_steady_pace_changes_its_mind_seldom():
    clock = Clock()
    budget = fresh(600, clock)
    changes, done = 0, 0
    while done < budget.steps:
        if done % 50 == 0:
            changes += budget.begin_epoch(done)
        clock.now += 0.2
        done += 1
        changes += budget.count(done)
    assert changes <= 2


def test_a_budget_that_is_spent_still_ends_with_a_step():
    clock = Clock()
    budget = fresh(1, clock)
    clock.now += 100
    assert run(budget, clock, lambda done: 1.0) == 1


def test_steps_so_slow_that_no_pace_is_known_end_in_time():
    clock = Clock()
    budget = fresh(30, clock)
    assert run(budget, clock, lambda done: 4.0) == 8 < LOOK


def test_a_resumption_with_nothing_left_makes_one_step():
    clock = Clock()
    first = fresh(100, clock)
    clock.now += 100
    second = Budget(100, most=10**6, begun=clock.now, clock=clock)
    second.set_state(first.get_state())
    assert run(second, clock, lambda done: 1.0, done=70) == 71


def test_the_time_before_a_resumption_counts():
    clock = Clock()
    first = fresh(600, clock)
    for done in range(1, 1001):
        clock.now += 0.3
        first.count(done)
    state = first.get_state()
    clock.now += 5000
    second = Budget(600, most=10**6, begun=clock.now, clock=clock)
    second.set_state(state)
    assert second.steps == first.steps
    resumed = clock.now
    run(second, clock, lambda done: 0.3, done=1000)
    assert 0.95 * 600 <= 300 + clock.now - resumed <= 1.03 * 600
