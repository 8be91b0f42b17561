"""How often each property is tried: 25 times here, 1,000 times in tests/campaigns/properties.py."""

import pytest
from hypothesis import HealthCheck, settings

# The examples are the same each time, and however busy the machine is.
FIXED = settings(
    derandomize=True,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
ORDINARY, CAMPAIGN = "ordinary", "campaign"
settings.register_profile(ORDINARY, FIXED, max_examples=25)
settings.register_profile(CAMPAIGN, FIXED, max_examples=1000)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    """A property takes the profile of the moment at which its module is imported: here."""
    before = settings.get_current_profile_name()
    if before != CAMPAIGN:
        settings.load_profile(ORDINARY)
    try:
        return (yield)
    finally:
        settings.load_profile(before)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder for the files of all examples, each of which writes over those of the one before."""
    return tmp_path_factory.mktemp("properties")
