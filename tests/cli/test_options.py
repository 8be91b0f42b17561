"""Options that commands share, and what they stand for."""

from delineate.cli.options import links_of


def test_links_are_followed_only_where_it_is_said():
    assert (links_of(True), links_of(False)) == ("follow", "refuse")
