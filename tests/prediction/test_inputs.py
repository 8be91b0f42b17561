"""Which files of a folder are predicted: those that lie in it."""

import numpy as np
import pytest

from delineate.errors import UsageError
from delineate.imaging import write_png
from delineate.prediction.inputs import find_inputs


@pytest.fixture
def folder(tmp_path):
    """A folder with an image, and a link to one that lies outside."""
    for name in ("home/secret.png", "images/a.png"):
        write_png(tmp_path / name, np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "images" / "b.png").symlink_to(tmp_path / "home" / "secret.png")
    return tmp_path / "images"


def names(given, to):
    return sorted(path.name for path, _ in find_inputs([str(given)], to))


def test_a_link_that_leads_out_of_a_folder_is_refused_by_its_name_and_target(tmp_path, folder):
    with pytest.raises(UsageError, match=r"b\.png leads by a link to .*secret\.png") as caught:
        find_inputs([str(folder)], tmp_path / "out")
    assert str(folder / "*.png") in caught.value.hint


def test_a_link_that_is_named_or_matched_is_followed(tmp_path, folder):
    assert names(folder / "b.png", tmp_path / "out") == ["b.png"]
    assert names(folder / "*.png", tmp_path / "out") == ["a.png", "b.png"]


def test_links_within_a_folder_and_a_folder_that_is_a_link_are_no_matter(tmp_path, folder):
    (folder / "b.png").unlink()
    (folder / "b.png").symlink_to("a.png")
    assert names(folder, tmp_path / "out") == ["a.png", "b.png"]
    (tmp_path / "shortcut").symlink_to(folder)
    assert names(tmp_path / "shortcut", tmp_path / "out") == ["a.png", "b.png"]
