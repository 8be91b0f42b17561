"""What a file of weights is, by its content, however long its list of members."""

import os
import zipfile

import pytest

from delineate.errors import WeightsError
from delineate.models.weights import kinds
from delineate.models.weights.kinds import file_kind


def packed(path, *names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return path


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (("config.json", "model.weights.h5"), "keras"),
        (("own/data.pkl", "own/data/0"), "torch"),
    ],
)
def test_an_archive_is_what_its_members_are(tmp_path, names, kind):
    assert file_kind(packed(tmp_path / "file", *names)) == kind


def test_what_torch_saves_is_known_in_both_formats(tmp_path):
    torch = pytest.importorskip("torch")
    for new in (True, False):
        torch.save({"a": torch.zeros(2)}, tmp_path / "a.pt", _use_new_zipfile_serialization=new)
        assert file_kind(tmp_path / "a.pt") == "torch"


def test_another_archive_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="is no file of weights"):
        file_kind(packed(tmp_path / "file", "image.png"))


@pytest.mark.parametrize("limit", ["_MOST_MEMBERS", "_MOST_LIST_BYTES"])
def test_a_long_list_of_members_is_refused_before_they_become_objects(tmp_path, monkeypatch, limit):
    path = packed(tmp_path / "file", "own/data.pkl", "own/data/0", "own/data/1")
    monkeypatch.setattr(kinds, limit, 2)
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it has been opened"))
    with pytest.raises(WeightsError, match=r"file is .*: its list of members has") as error:
        file_kind(path)
    assert error.value.hint


def test_an_archive_that_is_cut_short_is_told(tmp_path):
    path = packed(tmp_path / "file", "own/data.pkl")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="file is cut short or damaged"):
        file_kind(path)


def test_what_is_too_large_or_no_file_is_refused_and_not_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(WeightsError, match="pipe is no regular file"):
        file_kind(tmp_path / "pipe")
    path = packed(tmp_path / "file", "own/data.pkl")
    monkeypatch.setattr(kinds, "MOST_BYTES", path.stat().st_size)
    assert file_kind(path) == "torch"
    monkeypatch.setattr(kinds, "MOST_BYTES", path.stat().st_size - 1)
    with pytest.raises(WeightsError, match="bytes; the limit is") as error:
        file_kind(path)
    assert error.value.hint
    with pytest.raises(WeightsError, match=r"weights .*nowhere cannot be read: No such file"):
        file_kind(tmp_path / "nowhere")
