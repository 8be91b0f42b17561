"""Every layout recognises its own folders, and no folder of another one."""

import pytest

from delineate.catalog import LAYOUTS, find
from delineate.data.dataset import Dataset
from delineate.data.describing.description import NOTHING_SAID
from delineate.errors import DataError, UsageError
from tests.data.layouts.examples import EXAMPLES, lay

CASES = [(name, number) for name, found in EXAMPLES.items() for number in range(len(found))]


@pytest.mark.parametrize(("name", "number"), CASES)
def test_each_folder_is_recognised_by_its_layout_alone(tmp_path, name, number):
    root = lay(tmp_path, EXAMPLES[name][number])
    refusals = {layout: find("layouts", layout).refuse(root) for layout in LAYOUTS}
    assert [layout for layout, reason in refusals.items() if reason is None] == [name]
    for reason in filter(None, refusals.values()):
        assert reason[-1] != "."
    opened = Dataset.open(root)
    assert opened.layout == name
    assert len(opened.records) + len(opened.unpaired) > 0


def test_every_layout_has_an_example_or_is_asked_for():
    assert {name for name in LAYOUTS if not find("layouts", name).asked} == EXAMPLES.keys()


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_that_is_named_is_used_whatever_the_folder_looks_like(tmp_path, name):
    layout = find("layouts", name)
    assert (layout.name, bool(layout.summary)) == (name, True)
    if not layout.asked:
        root = lay(tmp_path, EXAMPLES[name][0])
        records = layout.index(root, NOTHING_SAID).records
        assert Dataset.open(root, layout=name).records == records != ()


def test_a_folder_that_no_layout_knows_is_refused_with_each_reason(tmp_path):
    lay(tmp_path, ["pictures/a.png"])
    with pytest.raises(DataError) as caught:
        Dataset.open(tmp_path)
    for name in LAYOUTS:
        layout = find("layouts", name)
        reason = f"{name}: {layout.refuse(tmp_path)}"
        assert (reason in caught.value.message) == (not layout.asked)
    assert "[pairing]" in caught.value.hint


def test_a_folder_that_two_layouts_know_is_refused_until_one_is_named(tmp_path):
    lay(tmp_path, EXAMPLES["folders"][0] + EXAMPLES["dsb2018"][0])
    with pytest.raises(DataError, match="could be of the layouts dsb2018 and folders") as caught:
        Dataset.open(tmp_path)
    assert 'layout = "dsb2018"' in caught.value.hint
    assert len(Dataset.open(tmp_path, layout="dsb2018")) == 1
    lay(tmp_path, ['dataset.toml=layout = "folders"'])
    assert [record.name for record in Dataset.open(tmp_path).records] == ["a"]


def test_empty_folders_are_no_data_set(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(DataError, match="holds no images") as caught:
        Dataset.open(tmp_path)
    assert "folders" in caught.value.hint


def test_a_folder_that_is_not_there_and_a_layout_that_is_not_known_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"no folder .*missing"):
        Dataset.open(tmp_path / "missing")
    with pytest.raises(UsageError, match="no 'cityscape' among the layouts"):
        Dataset.open(tmp_path, layout="cityscape")
