"""A machine whose speed does not have to be measured, and data that does not have to be read."""

from dataclasses import replace

import pytest

from delineate.models.probe import Pace
from delineate.planning import training_choices
from delineate.planning.fingerprint import Fingerprint

USUAL = Fingerprint(
    images=300,
    training=270,
    height=512,
    width=512,
    smallest=(512, 512),
    largest=(512, 512),
    channels=3,
    dtype="uint8",
    used_range=0.9,
    exposure=1.2,
    classes=("background", "nucleus"),
    shares=(0.7, 0.3),
    ignored=0.0,
    objects=True,
    diameter=20.0,
    smallest_diameter=8.0,
    objects_per_image=30.0,
    touching=0.2,
    kinds=(("dark background, grey objects", 300),),
    duplicates=0,
    groups=None,
    upright=0.02,
)


def fingerprint(**changes):
    """A data set of nuclei, in which some numbers are others."""
    return replace(USUAL, **changes)


@pytest.fixture
def paces(monkeypatch):
    """The speed of a machine: images per second by precision, and how compilation multiplies it.

    A key "compiling" has the seconds of that.
    """
    known = {"float32": 10.0, "bfloat16": 10.0, "compiled": 1.0, "compiling": 1.0}

    def paces_of(trials):
        return [
            Pace(
                known[trial.precision] * (known["compiled"] if trial.compiled else 1.0),
                known["compiling"],
            )
            for trial in trials
        ]

    monkeypatch.setattr(training_choices, "paces_of", paces_of)
    return known


@pytest.fixture(autouse=True)
def weights(monkeypatch):
    """The (encoder, width) whose weights are at hand: none, unless a test adds some."""
    known = set()

    def at_hand(name, width=1.0):
        return (name, width) in known

    monkeypatch.setattr("delineate.planning.model_choices.at_hand", at_hand)
    return known
