"""Whether what does harm was refused, and for the reason that it should be."""

import re

from delineate.errors import DelineateError
from tests.campaigns.probes.making import Probe

# Characters of a sentence that a person reads.
LONGEST = 1000


def is_expected(probe: Probe, error: DelineateError | None) -> bool:
    """Return whether a probe came to the end that it should.

    Args:
        probe: The probe.
        error: The refusal; None: it was opened.
    """
    if probe.told is None or error is None:
        return probe.told is None and error is None
    return re.search(probe.told, error.message) is not None and is_plain(error)


def is_plain(error: DelineateError) -> bool:
    """Return whether an error is one sentence of some length, with a hint."""
    return bool(error.hint) and "\n" not in error.message and len(error.message) < LONGEST
