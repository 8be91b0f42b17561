import sys

import pytest

from delineate import catalog
from delineate.catalog import TABLES, find
from delineate.errors import UsageError

# What needs Keras is tried where Keras is; here it would cost seconds.
LIGHT = [(table, name) for table in ("layouts", "rules") for name in TABLES[table]]


@pytest.mark.parametrize(("table", "name"), LIGHT)
def test_every_name_leads_to_an_object(table, name):
    assert find(table, name) is not None


def test_every_place_is_a_module_and_an_object():
    for table in TABLES.values():
        for place in table.values():
            module, colon, name = place.partition(":")
            assert module.startswith("delineate.")
            assert colon
            assert name.isidentifier()


def test_every_table_of_the_module_is_among_the_tables():
    tables = [value for key, value in vars(catalog).items() if key.isupper() and key != "TABLES"]
    assert len(TABLES) == len(tables)
    assert all(any(table is known for known in TABLES.values()) for table in tables)


def test_an_unknown_name_is_refused_with_the_nearest_and_all_known_ones():
    with pytest.raises(
        UsageError, match=r"'folder' among the layouts\. Did you mean 'folders'\?"
    ) as e:
        find("layouts", "folder")
    assert "dsb2018, folders" in e.value.hint
    assert e.value.exit_code == 2


def test_an_object_of_the_users_own_is_found(tmp_path, monkeypatch):
    (tmp_path / "mine_for_catalog.py").write_text("def rule(): return 'mine'\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert find("rules", "mine_for_catalog:rule")() == "mine"
    del sys.modules["mine_for_catalog"]


@pytest.mark.parametrize(
    "name",
    ["no_such_module:x", "json:no_such_object", "json:", ":x", ".relative:x", "broken_one:x"],
)
def test_an_object_that_cannot_be_loaded_is_refused(name, tmp_path, monkeypatch):
    (tmp_path / "broken_one.py").write_text("def (:\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match="cannot be loaded") as caught:
        find("losses", name)
    assert name in caught.value.message
    assert "import" in caught.value.hint
