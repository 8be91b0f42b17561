"""The names that `import delineate as dl` gives."""

import types

import pytest

import delineate


@pytest.mark.parametrize("name", sorted(delineate.__all__))
def test_each_name_stays_what_it_is(name):
    """A package of the same name would take its place once it is imported."""
    first = getattr(delineate, name)
    assert getattr(delineate, name) is first
    assert not isinstance(first, types.ModuleType)
