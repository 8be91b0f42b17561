"""A choice of a plan: a value, and the reason for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Choice:
    """The value of a setting and why it is that one.

    Attributes:
        value: As in a recipe.
        reason: A phrase in plain words, with the numbers that decided.
    """

    value: object
    reason: str


# By "section.key".
Choices = dict[str, Choice]
# What the user has said already, by "section.key", each value as it stands in a recipe.
Said = Mapping[str, Any]


def values_of(choices: Mapping[str, Choice]) -> dict[str, object]:
    """Return the values alone."""
    return {key: choice.value for key, choice in choices.items()}


def reasons_of(choices: Mapping[str, Choice]) -> dict[str, str]:
    """Return the reasons alone."""
    return {key: choice.reason for key, choice in choices.items()}
